"""A warning of a task or a reader pointed at a line of a library, not at the call it was about."""

import linecache
import warnings

import pandas as pd
import pytest

from clx.errors import ClxWarning
from clx.ml import TrainingRun, training_run
from clx.problems import user_level


def test_a_warning_of_a_task_package_points_at_the_users_line(tiny_model):
    data = pd.DataFrame({"text": ["a cat", "a dog"] * 2, "labels": [["x", "x"], ["y"]] * 2})
    run = training_run("multilabel", "any", base_model_name=tiny_model)
    with pytest.warns(ClxWarning, match="2 rows repeat a label") as caught:
        run.drop_duplicates(data)
    assert {warning.filename for warning in caught} == {__file__}


def test_a_warning_about_a_file_points_at_the_users_line(tiny_model, tmp_path):
    path = tmp_path / "rows.csv"
    text = "text,label\na café,x\na dog,y\n"
    path.write_bytes(text.encode("cp1252"))
    run = training_run("classification", "any", base_model_name=tiny_model)
    with pytest.warns(ClxWarning) as caught:
        run.drop_duplicates(path)
    assert {warning.filename for warning in caught} == {__file__}


def test_a_warning_of_a_task_in_a_script_points_at_the_users_line(tiny_model):
    class Warned(TrainingRun):
        name = "warning"
        pipeline_args = {"task": "text-classification"}

        def validate_data_format(self, data):
            warnings.warn("strange", ClxWarning, stacklevel=user_level())

        def load_model(self, model_name=None):
            raise NotImplementedError

        def drop_duplicates(self, data, **options):
            return super().drop_duplicates(data, **options)

    run = Warned("any", base_model_name=tiny_model)
    data = pd.DataFrame({"text": ["a", "b"]})
    with pytest.warns(ClxWarning, match="strange") as caught:
        run.drop_duplicates(data)
    assert {warning.filename for warning in caught} == {__file__}
    source = linecache.getline(__file__, caught[0].lineno)
    assert source.strip() == "run.drop_duplicates(data)"
