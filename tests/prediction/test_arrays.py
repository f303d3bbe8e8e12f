"""Predictions are decided on score arrays, with the results that single predictions have."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.batch import Predictor
from clx.ml import hookimpl, training_run
from clx.ml.decisions import LabelSet, OneLabel
from clx.ml.plugins import plugins
from clx.ml.prediction.windows import ColumnRows
from clx.ml.run.predicting import PredictingRun
from clx_runtime.static_model import StaticModel
from conftest import mixed_texts
from students import make_student

GOLDEN = Path(__file__).parents[1] / "golden"
TEXTS = [*mixed_texts(40), "ünknown 字", "the the"]

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")


@pytest.fixture
def run(request, trained):
    """Return a run of a kind, with a static student, which is quick."""
    kind = request.param
    if kind == "several":
        shutil.copytree(GOLDEN / "v1-multilabel" / "run", trained.parent / "several")
        return training_run(load=make_student(trained.parent / "several"))
    labels = {"int": ["3", "-1"], "bool": ["True", "False"], "huge": ["1", str(2**70)]}
    run = training_run(load=make_student(trained, labels=labels.get(kind)))
    run.label_type = {"huge": "int", "abstains": "str", "plain": "str"}.get(kind, kind)
    run.min_score = 0.99 if kind in ("abstains", "int", "bool", "huge") else None
    return run


def everything(run, folder, min_score):
    """Return what every way to predict gives."""
    folder.mkdir()
    source = pd.DataFrame({"text": [*TEXTS, None], "n": range(len(TEXTS) + 1)})
    source.to_parquet(folder / "in.parquet")
    how = {"all_scores": True, "min_score": min_score}
    run.predict_file(
        folder / "in.parquet", folder / "out.parquet", on_error="skip", prefix="p_", **how
    )
    table = pa.table({"text": TEXTS})
    return (
        run.predict_labels(TEXTS, min_score=min_score),
        run.predict_frame(TEXTS, **how),
        run.predict_frame(TEXTS[:1], min_score=min_score),
        pq.read_table(folder / "out.parquet"),
        Predictor(run, **how)(table),
        run.predict_frame([], **how),
    )


@pytest.mark.parametrize(
    "run", ["plain", "abstains", "int", "bool", "huge", "several"], indirect=True
)
@pytest.mark.parametrize("min_score", [None, 0.9995])
def test_arrays_decide_as_single_predictions_do(run, min_score, tmp_path, monkeypatch):
    on_arrays = everything(run, tmp_path / "arrays", min_score)
    with monkeypatch.context() as patch:
        patch.setattr(PredictingRun, "_array_rule", lambda self: None)
        singly = everything(run, tmp_path / "singly", min_score)
    for one, two in zip(on_arrays, singly, strict=True):
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, two)
        elif isinstance(one, pa.Table):
            assert one.equals(two, check_metadata=True)
        else:
            assert one == two
    assert len(set(map(str, on_arrays[0]))) > 1 or min_score


@pytest.mark.parametrize("run", ["plain", "several"], indirect=True)
def test_no_text_is_decided_by_itself(run, tmp_path, monkeypatch):
    def alone(*args, **kwargs):
        raise AssertionError("a text was decided by itself")

    for rule in (OneLabel, LabelSet):
        for name in ("scores", "decide", "row"):
            monkeypatch.setattr(rule, name, alone)
    assert len(everything(run, tmp_path / "a", None)[0]) == len(TEXTS)


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_methods_of_a_task_decide(run, tmp_path):
    class Own(type(run)):
        def decide(self, prediction, min_score=None):
            return "own"

        def prediction_row(self, prediction, *, all_scores=False, min_score=None):
            return {"own": len(prediction)}

    run.__class__ = Own
    assert run.predict_labels(TEXTS[:2]) == ["own", "own"]
    assert list(run.predict_frame(TEXTS[:2])["own"]) == [2, 2]


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_a_plugin_sees_predictions(run):
    seen = []

    class Watcher:
        @hookimpl
        def clx_after_prediction(self, run, texts, predictions):
            seen.extend(predictions)

    plugin = Watcher()
    plugins().register(plugin)
    try:
        run.predict_labels(TEXTS[:2])
        run.predict_frame(TEXTS[:1])
    finally:
        plugins().unregister(plugin)
    assert [list(each) for each in seen] == [["animal", "fruit"]] * 3


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_scores_that_are_no_numbers_are_decided_singly(run, tmp_path, monkeypatch):
    layers = StaticModel._layers

    def broken(self, sums, counts):
        logits = layers(self, sums, counts)
        logits[0] = np.nan
        return logits

    monkeypatch.setattr(StaticModel, "_layers", broken)
    found = run.predict_frame(TEXTS[:3])
    assert found["score"].isna().tolist() == [True, False, False]


def test_rows_by_column():
    rows = ColumnRows({"a": [1, 2, 3], "b": ["x", "y", "z"]}, 3)
    assert list(rows) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}]
    assert (rows[-1], rows[1:]) == (rows[2], [rows[1], rows[2]])
    assert rows.spread([0, 2, 3], 5).columns["a"] == [1, None, 2, 3, None]
