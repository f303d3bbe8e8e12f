"""A user changed a run from hf://me/fruit: its address said that it was changed, and opened no more."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clx.errors import RunDirError
from clx.ml import training_run
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import RunDir
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
ADDRESS = f"hf://me/fruit@{'a' * 40}"
pytestmark = [
    pytest.mark.filterwarnings("ignore::clx.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning"),
]


@pytest.fixture
def shared(own_data_dir):
    """A run as a download leaves it; a commit that is here needs no Hub."""
    folder = own_data_dir / "hub" / "me" / "fruit" / ("a" * 40)
    run = RunDir(folder / "fruit")
    shutil.copytree(GOLDEN / "v1-classification" / "run", run.path)
    record = {"repository": "me/fruit", "commit": "a" * 40, "identity": run.identity()}
    write_json(folder / "downloaded.json", record)
    return training_run(load=ADDRESS)


def content(run):
    folder = run.run_dir.parent
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.set_decisions(min_score=0.5),
        lambda run: run.set_decisions(target_accuracy=0.9, on="missing.csv"),
        lambda run: run.rename_labels({"fruit": "Obst"}),
        lambda run: run.merge_labels({"all": ["fruit", "animal"]}, "missing.csv"),
        lambda run: run.train("missing.csv", overwrite=True),
        lambda run: run.tune("missing.csv", overwrite=True),
        lambda run: run.continue_training(
            "missing.csv", name="fruit", run_dir_parent=run.run_dir.parent, overwrite=True
        ),
    ],
)
def test_what_would_change_it_is_refused_before_any_work(shared, change):
    before = content(shared)
    with pytest.raises(RunDirError, match=f"it is the download of {ADDRESS}"):
        change(shared)
    assert content(shared) == before
    assert training_run(load=ADDRESS).predict_labels(["apple"]) == ["fruit"]


def test_a_copy_made_as_the_message_says_can_be_changed(shared, own_data_dir):
    for name, run in (("fruit", _copied_in_python), ("fruit-2", _copied_in_a_shell)):
        with pytest.raises(RunDirError) as error:
            shared.set_decisions(min_score=1.0)
        run(str(error.value))
        assert f"load={name!r}" in str(error.value)
        own = training_run(load=name)
        assert own.run_dir == own_data_dir / "runs" / name
        own.set_decisions(min_score=1.0)
        assert training_run(load=name).predict_labels(["apple"]) == [None]
    assert training_run(load=ADDRESS).predict_labels(["apple"]) == ["fruit"]


def _copied_in_python(message):
    exec(re.search(r"shutil\.copytree\(.*\)", message)[0], {"shutil": shutil})


def _copied_in_a_shell(message):
    subprocess.run(["sh", "-c", re.search(r"mkdir .*", message)[0]], check=True)


def test_a_continued_run_goes_to_the_folder_of_runs(shared, own_data_dir):
    before = content(shared)
    result = shared.continue_training(fruit_frame(8), fine_tune=False)
    assert result.run_dir == own_data_dir / "runs" / "fruit-2"
    assert content(shared) == before


def test_an_export_and_a_report_may_be_added(shared):
    pytest.importorskip("onnxruntime")
    shared.report()
    shared.export(texts=["apple", "the dog is a horse"], int8=False)
    again = training_run(load=ADDRESS, verify=True)
    assert again.predict_labels(["apple"], backend="onnx") == ["fruit"]
