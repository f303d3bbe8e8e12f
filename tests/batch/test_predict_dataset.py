"""``run.predict_dataset``: a Ray dataset with the predictions of ``predict_frame``."""

import sys

import pandas as pd
import pytest
from conftest import mixed_texts

from clx.errors import ClxError, ConfigError, DataFormatError, MissingDependencyError
from clx.ml import training_run

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
    found = run.predict_dataset(dataset, workers=2, batch_size=16).to_pandas()
    found = found.sort_values("number", ignore_index=True)
    assert list(found["text"][8:]) == TEXTS[8:]
    expected = run.predict_frame(TEXTS)
    added = [*expected.columns, "error"]
    assert list(found.columns) == ["number", "text", *added]
    assert "text" in found["error"][7]
    assert found["error"].drop(7).isna().all()
    assert found.loc[7, expected.columns].isna().all()
    pd.testing.assert_frame_equal(
        found[expected.columns].drop(index=7), expected.drop(index=7), check_dtype=False, rtol=1e-4
    )


def test_columns_and_prefix(dataset, run):
    found = run.predict_dataset(
        dataset, columns=["number"], prefix="p_", all_scores=True, on_error="skip"
    )
    assert found.schema().names == [
        "number",
        "p_label",
        "p_score",
        "p_margin",
        "p_truncated",
        "p_score_animal",
        "p_score_fruit",
        "p_error",
    ]


def test_something_else_is_refused(dataset, run, fruit):
    with pytest.raises(DataFormatError, match=r"takes a ray\.data\.Dataset, but got pandas"):
        run.predict_dataset(fruit)


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"batch_size": 0}, {"gpus_per_worker": -1}, {"on_error": "x"}, {"min_score": 2}],
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
