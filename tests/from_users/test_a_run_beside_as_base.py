"""A user named a run in the same project folder as the base of another: train found it, tune did not."""

import shutil

import numpy as np
import pytest

from clx.ml import training_run
from conftest import fruit_frame

pytestmark = [
    pytest.mark.filterwarnings("ignore::clx.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore::clx.errors.BaseModelWarning"),
]


@pytest.fixture
def project(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "project" / "first")
    return tmp_path / "project"


def make(project, name, **options):
    arguments = {"max_steps": 1, "disable_tqdm": True}
    return training_run(
        "classification", name, run_dir_parent=project, training_args=arguments, **options
    )


def test_tune_starts_from_it_like_train(project):
    run = make(project, "tuned", base_model_name="first", head_init="random", label_texts=None)
    data = fruit_frame(12)
    found = run.tune(data, data, trials=1, space={"learning_rate": [1e-3]})
    assert found.run_dir == project / "tuned"
    assert run.config["base_run"]["run_name"] == "first"


def test_it_is_a_candidate_by_its_name_and_by_the_folder_of_its_model(project, tiny_model):
    data = fruit_frame(24).assign(label=np.resize(["x", "y", "z"], 24))
    model = project / "first" / "model"
    frame = make(project, "new", base_model_name=tiny_model).compare_bases(
        data, bases=["first", model], folds=2
    )
    assert sorted(frame["base"]) == sorted(["first", str(model)])
    assert frame["accuracy"].nunique() == 1
