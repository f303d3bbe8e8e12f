"""``run.predict_dataset``: a Ray dataset with the predictions of ``predict_frame``."""

import sys

import pandas as pd
import pytest

from clx.errors import (
    ClxError,
    ConfigError,
    DataFormatError,
    MissingDependencyError,
    TruncationWarning,
)
from clx.ml import training_run
from conftest import mixed_texts

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")
"""Ray warns of its own defaults."""

TEXTS = mixed_texts(100)


@pytest.fixture
def run(trained):
    """A trained run."""
    return training_run(load=trained)


@pytest.fixture
def dataset(ray_cluster):
    """Rows in several blocks, one without a text."""
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    table = pd.DataFrame({"number": range(len(TEXTS)), "text": TEXTS})
    table.loc[7, "text"] = None
    return ray.data.from_pandas(table).repartition(4)


def test_the_predictions_are_those_of_predict_frame(dataset, run):
    how = {"all_scores": True, "prefix": "p_"}
    predicted = run.predict_dataset(dataset, columns=["number"], workers=2, batch_size=16, **how)
    found = pd.DataFrame(predicted.take_all()).sort_values("number", ignore_index=True)
    with pytest.warns(TruncationWarning):
        expected = run.predict_frame(TEXTS, **how)
    assert list(found.columns) == ["number", *expected.columns, "p_error"]
    assert list(found["number"]) == list(range(len(TEXTS)))
    assert "text" in found["p_error"][7]
    assert found.loc[7, expected.columns].isna().all()
    found, expected = found.drop(index=7), expected.drop(index=7)
    assert found["p_error"].isna().all()
    pd.testing.assert_frame_equal(
        found[expected.columns], expected, check_dtype=False, check_index_type=False, atol=1e-5
    )


def test_something_else_is_refused(dataset, run, fruit):
    with pytest.raises(DataFormatError, match=r"takes a ray\.data\.Dataset, but got pandas"):
        run.predict_dataset(fruit)


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"batch_size": 0},
        {"gpus_per_worker": -1},
        {"on_error": "x"},
        {"min_score": 2},
    ],
)
def test_a_wrong_argument_is_refused_before_anything_runs(dataset, run, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        run.predict_dataset(dataset, **wrong)


def test_a_run_that_is_not_trained_is_refused(dataset):
    with pytest.raises(ClxError, match="not trained"):
        training_run("classification", "new").predict_dataset(dataset)


def test_without_ray_the_pip_line_is_named(run, fruit, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[ray\]'"):
        run.predict_dataset(fruit)
