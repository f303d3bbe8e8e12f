"""Our metrics in the evaluate library and its metrics in a run, all offline."""

import importlib
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clx.errors import ConfigError, MissingDependencyError, PluginError
from clx.ml.evaluate_metrics import (
    MULTI_LABEL,
    OF_SPANS,
    OUR_METRICS,
    SINGLE_LABEL,
    ExtraMetric,
    as_evaluate_metric,
    compute_extra,
    evaluate_metric_class,
    our_metric,
    resolve_metrics,
)
from clx.ml.metrics import classification_metrics
from clx.ml.multilabel_metrics import multilabel_metrics
from clx.ml.spans import tag_metrics

EXAMPLE = Path(__file__).parents[2] / "examples" / "clx-tasks-ner" / "src"
sys.path.append(str(EXAMPLE))
NerRun = importlib.import_module("clx_tasks_ner").NerRun


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """Return the library with its caches in a folder of the test's own."""
    import evaluate

    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path / "metrics"))
    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in [name for name in sys.modules if name.startswith("evaluate_modules")]:
        monkeypatch.delitem(sys.modules, module)  # it knows the folder that it was imported from
    return evaluate


def single(rows=40, names=4):
    random = np.random.default_rng(0)
    labels = random.integers(0, names, rows)
    logits = random.normal(size=(rows, names))
    logits[np.arange(rows), labels] += 1
    return labels, logits


def several(rows=40, names=4):
    random = np.random.default_rng(0)
    labels = (random.random((rows, names)) < 0.3).astype(int)
    return labels, np.clip(labels * 0.4 + random.random((rows, names)) * 0.6, 0, 1)


def test_importing_ours_imports_neither_evaluate_nor_numpy():
    code = """
    import sys
    import clx.ml.evaluate_metrics, clx.ml.comparing, clx.ml.thresholds
    print(sorted({"evaluate", "datasets", "numpy", "pandas", "torch"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_names_are_the_keys_of_the_metrics():
    assert tuple(classification_metrics(*single())) == ("accuracy", *SINGLE_LABEL[1:])
    assert set(multilabel_metrics(*several(), 0.5)) == set(MULTI_LABEL)
    assert {name.removeprefix("span_") for name in OF_SPANS} == set(tag_metrics([], []))
    assert set(OUR_METRICS) == {*SINGLE_LABEL, *MULTI_LABEL, *OF_SPANS}


@pytest.mark.parametrize("name", SINGLE_LABEL)
def test_single_label_metrics_from_logits(evaluate, name):
    labels, logits = single()
    metric = as_evaluate_metric(name)
    assert isinstance(metric, evaluate.Metric)
    assert metric.name == f"clx_{name}"
    got = metric.compute(predictions=logits, references=labels)
    assert got == {name: pytest.approx(classification_metrics(labels, logits)[name])}


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "f1_micro", "f1_weighted"])
def test_single_label_metrics_from_ids(evaluate, name):
    labels, logits = single()
    got = as_evaluate_metric(name).compute(predictions=logits.argmax(axis=1), references=labels)
    assert got == {name: pytest.approx(classification_metrics(labels, logits)[name])}


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_multilabel_metrics(evaluate, name):
    labels, scores = several()
    metric = as_evaluate_metric(name)
    expected = multilabel_metrics(labels, scores, 0.5)[name]
    got = metric.compute(predictions=scores, references=labels)
    assert got == {name: pytest.approx(expected)}
    thresholds = [0.2, 0.4, 0.6, 0.8]
    expected = multilabel_metrics(labels, scores, thresholds)[name]
    got = metric.compute(predictions=scores, references=labels, thresholds=thresholds)
    assert got == {name: pytest.approx(expected)}


GIVEN = [["B-a", "I-a", "O"], ["B-b"], []]
SAID = [["B-a", "I-a", "B-b"], ["B-a"], []]


@pytest.mark.parametrize("name", OF_SPANS)
def test_metrics_of_spans_take_tags(evaluate, name):
    metric = as_evaluate_metric(name)
    expected = tag_metrics(GIVEN, SAID)[name.removeprefix("span_")]
    assert metric.compute(predictions=SAID, references=GIVEN) == {name: pytest.approx(expected)}
    for said, given in zip(SAID, GIVEN, strict=True):
        metric.add(prediction=said, reference=given)
    assert metric.compute() == {name: pytest.approx(expected)}


def test_a_task_of_tokens_has_metrics_of_evaluate_too(evaluate):
    """What the user's option ``metrics`` names gets the tags; it is what the task computes itself."""
    run = NerRun("entities", label_names=["a"], metrics=[as_evaluate_metric("span_f1")])
    logits = np.eye(3)[[[1, 2, 0, 1]]]
    found = run.compute_metrics(
        SimpleNamespace(label_ids=np.array([[1, 2, 0, -100]]), predictions=logits)
    )
    assert found["span_f1"] == found["f1"] == 1.0
    wrong = run.compute_metrics(
        SimpleNamespace(label_ids=np.array([[1, 0, 0, 1]]), predictions=logits)
    )
    assert wrong["span_f1"] == wrong["f1"] == pytest.approx(0.5)


def test_batches_and_combine(evaluate):
    labels, logits = single()
    expected = classification_metrics(labels, logits)
    combined = evaluate.combine([as_evaluate_metric(name) for name in SINGLE_LABEL])
    for start in range(0, 40, 10):
        combined.add_batch(
            predictions=logits[start : start + 10], references=labels[start : start + 10]
        )
    assert combined.compute() == pytest.approx(expected)
    both = evaluate.combine([as_evaluate_metric("f1_micro"), as_evaluate_metric("subset_accuracy")])
    truth, scores = several()
    got = both.compute(predictions=scores, references=truth)
    everything = multilabel_metrics(truth, scores, 0.5)
    assert got == pytest.approx({key: everything[key] for key in ("f1_micro", "subset_accuracy")})


def test_a_class_is_made_once_and_options_go_to_it(evaluate, tmp_path):
    assert evaluate_metric_class("ece") is evaluate_metric_class("ece")
    metric = as_evaluate_metric("accuracy", keep_in_memory=False, cache_dir=str(tmp_path / "own"))
    assert metric.compute(predictions=[0, 1], references=[0, 0]) == {"accuracy": 0.5}
    assert (tmp_path / "own").is_dir()


def test_what_cannot_be_computed_is_said(evaluate):
    with pytest.raises(ConfigError, match="did you mean 'f1_macro'"):
        as_evaluate_metric("f1-makro")
    with pytest.raises(ValueError, match="log_loss cannot be computed from label ids"):
        our_metric("log_loss", [0, 1], [0, 1])
    with pytest.raises(ValueError, match="f1_samples cannot be computed from rows of one label"):
        our_metric("f1_samples", *single())
    with pytest.raises(ValueError, match="accuracy cannot be computed from rows of several labels"):
        our_metric("accuracy", *several())
    with pytest.raises(ValueError, match="label ids from 0 on"):
        as_evaluate_metric("accuracy").compute(predictions=[0.3, 0.9], references=[0, 1])


SCRIPT = """
import datasets
import evaluate


class HalfRight(evaluate.Metric):
    def _info(self):
        features = {"predictions": datasets.Value("int32"), "references": datasets.Value("int32")}
        return evaluate.MetricInfo(
            description="d", citation="", features=datasets.Features(features)
        )

    def _compute(self, predictions, references):
        hits = [p == r for p, r in zip(predictions, references)]
        return {"half_right": sum(hits) / len(hits) / 2}
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_local_script(evaluate, tmp_path):
    script = tmp_path / "half_right.py"
    script.write_text(SCRIPT)
    metrics = resolve_metrics([str(script)])
    assert [metric.name for metric in metrics] == ["half_right"]
    assert compute_extra(metrics, [0, 1, 1, 0], [0, 1, 1, 1]) == {"half_right": 0.375}


def test_hub_names_offline_are_errors_at_once(evaluate, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError) as caught:
        resolve_metrics(["accuracy", "someone/theirs", "no/such/script.py"])
    assert asked == []
    message = str(caught.value)
    assert "'accuracy' is neither a local script nor a metric available" in message
    assert "as_evaluate_metric('accuracy')" in message
    assert "'someone/theirs'" in message
    assert "'no/such/script.py': there is no such file" in message
    assert isinstance(caught.value.__cause__, FileNotFoundError | ConnectionError)
    assert evaluate.config.HF_EVALUATE_OFFLINE is False


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("import evaluate\nimport not_there_at_all", MissingDependencyError, "not_there_at_all"),
        ("import evaluate\nraise SystemExit(3)", PluginError, "SystemExit: 3"),
        ("def (", PluginError, "SyntaxError"),
    ],
)
def test_broken_scripts(evaluate, tmp_path, source, error, message):
    script = tmp_path / "broken.py"
    script.write_text(source)
    with pytest.raises(error, match=message) as caught:
        resolve_metrics([str(script)])
    assert str(script) in str(caught.value)
    assert caught.value.__cause__ is not None


def test_evaluate_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "evaluate", None)
    with pytest.raises(MissingDependencyError, match="pip install evaluate"):
        resolve_metrics(["accuracy"])


class Fixed:
    name = "fixed"

    def __init__(self, value):
        self.value = value

    def compute(self, *, predictions, references):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_objects_need_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "evaluate", None)
    nameless = SimpleNamespace(compute=lambda predictions, references: {"n": len(references)})
    metrics = resolve_metrics([Fixed({"a": 1}), nameless])
    assert [metric.name for metric in metrics] == ["fixed", "SimpleNamespace"]
    assert compute_extra(metrics, [1, 2], [1, 2]) == {"a": 1.0, "n": 2.0}
    assert resolve_metrics([]) == []


def test_wrong_metrics_are_listed_together():
    with pytest.raises(ConfigError) as caught:
        resolve_metrics([3, Fixed, print])
    message = str(caught.value)
    assert "3 has no compute(predictions=, references=)" in message
    assert "is a class: pass an instance, Fixed()" in message
    assert "print" in message
    for metrics in ("accuracy", {"f1": 1}, 7, Fixed(1)):
        with pytest.raises(ConfigError, match="metrics must be a list"):
            resolve_metrics(metrics)


def test_references_and_predictions_are_not_swapped():
    seen = {}
    metric = SimpleNamespace(compute=lambda **arguments: seen.update(arguments) or {})
    assert compute_extra([ExtraMetric("m", metric)], "truth", "found") == {}
    assert seen == {"references": "truth", "predictions": "found"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"f1": 0.5}, {"f1": 0.5}),
        ({"f1": np.float32(0.5), "n": np.int64(3), "ok": True}, {"f1": 0.5, "n": 3, "ok": 1}),
        ({"f1": np.array([0.5, 1.0])}, {"f1_0": 0.5, "f1_1": 1.0}),
        ({"f1": [0.5], "a": {"b": {"c": 1}}}, {"f1_0": 0.5, "a_b_c": 1}),
        (0.25, {"fixed": 0.25}),
        (np.array(0.25), {"fixed": 0.25}),
        ({}, {}),
    ],
)
def test_what_metrics_return_is_flattened(value, expected):
    got = compute_extra(resolve_metrics([Fixed(value)]), [0], [0])
    assert got == expected
    assert all(type(number) is float for number in got.values())


@pytest.mark.parametrize("value", [None, "high", {"f1": None}, {"f1": ["a"]}, {"x": object()}])
def test_what_is_not_a_number_names_the_metric(value):
    with pytest.raises(PluginError, match="the metric 'fixed' must return numbers, but"):
        compute_extra(resolve_metrics([Fixed(value)]), [0], [0])


def test_failures_name_the_metric():
    with pytest.raises(PluginError, match="the metric 'fixed' failed: ValueError: no average"):
        compute_extra(resolve_metrics([Fixed(ValueError("no average"))]), [0], [0])
    with pytest.raises(MissingDependencyError, match="'fixed' needs a package: no sklearn"):
        compute_extra(resolve_metrics([Fixed(ImportError("no sklearn"))]), [0], [0])


def test_no_name_is_overwritten():
    metrics = resolve_metrics([Fixed({"f1": 1}), Fixed({"f1": 2}), Fixed({"f1": 3, "accuracy": 4})])
    got = compute_extra(metrics, [0], [0], taken=["accuracy"])
    assert got == {"f1": 1, "fixed_f1": 2, "fixed_f1_2": 3, "fixed_accuracy": 4}
