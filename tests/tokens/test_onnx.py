"""The export of a run: the same spans as with torch, through every method that predicts."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from clx.cli.serving import SavedSource
from clx.errors import ConfigError, ExportError
from clx.ml import training_run
from clx_runtime import load
from clx_runtime.server.served import Needs
from clx_tasks_tokens import TokenClassificationRun

pytest.importorskip("onnxruntime")

ARGS = {"max_steps": 1, "learning_rate": 1e-9, "disable_tqdm": True}
ODD = ["", " \r\n", "Ada", "\u200b", "ada 👩‍👩‍👧 lives\r\nin paris.", "x" * 500, "e\u0301 bo li"]
LONG = [f"{'lives ' * before}bo li and newtown in paris{' and' * 20}" for before in range(0, 40, 3)]
TEXTS = [*ODD, *LONG]


@pytest.fixture(scope="module")
def exported(known_models, tmp_path_factory):
    """A run that reads 16 tokens at once, and the report of its export."""
    run = TokenClassificationRun(
        "known", run_dir_parent=tmp_path_factory.mktemp("runs"), base_model_name=known_models[16],
        training_args=ARGS,
    )  # fmt: skip
    run.train(TokenClassificationRun.sample_data())
    return run, run.export("onnx", texts=TEXTS)


def same(one, two, places=1e-4):
    """Return whether predictions have the same spans, with scores that differ by less."""
    assert len(one) == len(two)
    for spans, others in zip(one, two, strict=True):
        assert [s | {"score": 0} for s in spans] == [s | {"score": 0} for s in others]
        assert np.allclose([s["score"] for s in spans], [s["score"] for s in others], atol=places)
    return True


def test_the_report_compares_spans(exported):
    checks = exported[1].checks
    assert checks["onnx"].equal_decisions == 1
    assert checks["onnx"].largest_difference < 1e-4
    run = training_run(load=exported[0].run_dir)
    small = run.predict(TEXTS, backend="onnx-int8")
    places = [
        [(s["start"], s["end"], s["label"]) for s in a]
        == [(s["start"], s["end"], s["label"]) for s in b]
        for a, b in zip(small, run.predict(TEXTS), strict=True)
    ]
    assert checks["onnx-int8"].equal_decisions == pytest.approx(np.mean(places))


def weights_are_not_loaded(self, model_name=None):
    raise AssertionError(model_name)


def test_spans_are_those_of_torch_in_texts_of_any_length(exported, monkeypatch):
    expected = training_run(load=exported[0].run_dir).predict(TEXTS)
    assert {len(spans) for spans in expected} >= {0, 1, 3}
    monkeypatch.setattr(TokenClassificationRun, "load_model", weights_are_not_loaded)
    run = training_run(load=exported[0].run_dir)
    assert same(run.predict(TEXTS, backend="onnx"), expected)
    assert same(run.predict(TEXTS, backend="onnx", batch_size=1), expected)
    assert same([run.predict(text, backend="onnx")[0] for text in TEXTS], expected)


def test_every_way_to_predict_takes_the_backend(exported, tmp_path):
    run = training_run(load=exported[0].run_dir)
    expected = run.predict(TEXTS)
    data = pd.DataFrame({"text": TEXTS})
    data.to_parquet(tmp_path / "in.parquet")
    assert same(run.predict_frame(data, backend="onnx")["entities"], expected)
    run.predict_file(tmp_path / "in.parquet", tmp_path / "out.jsonl", backend="onnx")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert same([json.loads(line)["entities"] for line in lines], expected)
    assert same(
        run.predict_labels(TEXTS, backend="onnx", min_score=0.5),
        run.predict_labels(TEXTS, min_score=0.5),
    )
    served = SavedSource(str(run.run_dir), "onnx", None, None).open()
    assert served.facts.backend == "onnx"
    assert same(served.compute(TEXTS, Needs(prediction=True)).predictions, expected)


def test_arguments_are_those_of_the_pipeline(exported):
    run = training_run(load=exported[0].run_dir)
    assert same(
        run.predict(LONG, backend="onnx", aggregation_strategy="average"),
        run.predict(LONG, aggregation_strategy="average"),
    )
    with pytest.raises(ConfigError, match="no argument 'strid': it has stride"):
        run.predict("ada", backend="onnx", strid=2)


def test_an_export_keeps_up_with_new_names(exported, tmp_path):
    shutil.copytree(exported[0].run_dir, tmp_path / "known")
    run = training_run(load=tmp_path / "known")
    run.rename_labels({"person": "human"})
    opened = training_run(load=tmp_path / "known")
    expected = opened.predict(LONG)
    assert {span["label"] for spans in expected for span in spans} == {"human", "place"}
    assert same(opened.predict(LONG, backend="onnx"), expected)
    opened.set_decisions(thresholds=1.0)
    assert not any(opened.predict(LONG, backend="onnx"))


def test_the_runtime_names_what_it_lacks(exported, tmp_path):
    run = training_run(load=exported[0].run_dir)
    with pytest.raises(ExportError, match="its pipeline, post_process_prediction, decide"):
        load(run.run_dir)
    with pytest.raises(ExportError, match="predict with clx"):
        run.export("onnx", texts=LONG, int8=False, to=tmp_path / "a.clx.zip")
    assert not (tmp_path / "a.clx.zip").exists()
