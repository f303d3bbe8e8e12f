"""A user had 1,500 labels: results.json took 34 MB, and probes for a short training took two minutes."""

import json

import numpy as np
import pandas as pd
import pytest
from transformers import EvalPrediction

from clx.ml import training_run
from clx.ml.results.outcome import EvaluationResult
from clx.ml.run_directory.files import write_json

LABELS = 1500


def evaluated(labels, rows):
    """An evaluation with this number of labels, and a share of wrong predictions."""
    rng = np.random.default_rng(0)
    names = [f"a label with number {number}" for number in range(labels)]
    run = training_run("classification", "many", label_names=names)
    ids = rng.integers(0, labels, rows)
    logits = rng.normal(size=(rows, labels)).astype(np.float32)
    logits[np.arange(rows), ids] += 5
    prediction = EvalPrediction(predictions=logits, label_ids=ids)
    predicted = logits.argmax(axis=1)
    tables = run.evaluation_tables(prediction)
    return EvaluationResult(run.compute_metrics(prediction), tables, rows=rows), ids, predicted


def test_results_of_1500_labels_have_less_than_2_mb(tmp_path):
    evaluation, ids, predicted = evaluated(LABELS, rows=6000)
    write_json(tmp_path / "results.json", evaluation.to_dict())
    assert (tmp_path / "results.json").stat().st_size < 2e6
    # The attribute is the whole matrix.
    assert evaluation.confusion.shape == (LABELS, LABELS)
    assert evaluation.confusion.to_numpy().sum() == len(ids)
    assert evaluation.confusion.iloc[ids[0], predicted[0]] >= 1


@pytest.fixture(scope="module")
def trained_on_many(tiny_model, tmp_path_factory):
    """A training on 210 labels, for which choices are made on some labels only."""
    names = [f"label {number}" for number in range(210)]
    data = pd.DataFrame({"text": [f"the {name}" for name in names] * 3, "label": names * 3})
    run = training_run(
        "classification",
        "many",
        base_model_name=tiny_model,
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        training_args={"max_steps": 2, "disable_tqdm": True},
    )
    return run, run.train(data, data.iloc[:300])


def test_a_run_with_many_labels_keeps_its_confusion(trained_on_many):
    run, result = trained_on_many
    assert run.results["head"]["init"] == "probe"
    saved = json.loads((run.run_dir / "results.json").read_text())["evaluation"]["tables"]
    assert "rows" not in saved["confusion"]
    whole = result.evaluation.confusion.to_numpy()
    cells = {(at, to): count for at, to, count in saved["confusion"]["cells"]}
    assert cells == {
        (at, to): whole[at, to] for at, to in zip(*map(list, whole.nonzero()), strict=True)
    }


def test_the_report_shows_what_is_confused_most(trained_on_many, tmp_path):
    run, result = trained_on_many
    confusion = result.evaluation.confusion.copy()
    confusion.iloc[7, 9] = 123_456
    changed = {**result.evaluation.tables, "confusion": confusion}
    EvaluationResult(result.metrics, changed, rows=300).save(tmp_path)
    assert "123,456" in (tmp_path / "report.html").read_text()
    assert "The most confused pairs" in run.report(tmp_path / "run.html").read_text()
