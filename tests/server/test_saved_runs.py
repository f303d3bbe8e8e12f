"""``clx serve``: saved runs with torch, with an export, and of tasks that decide in Python."""

import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.cli.serving import SavedSource, sources_of
from clx.errors import RunNotFoundError
from clx.ml import TrainingRun, task_registry, training_run
from clx_runtime.server.app import make_app
from clx_runtime.server.served import Needs
from conftest import fruit_frame, mixed_texts
from serving import running, wait_for

TEXTS = mixed_texts(12)


def trained(tiny_model, folder, task="classification", data=None, **options):
    run = training_run(task, "served", run_dir_parent=folder, base_model_name=tiny_model, **options)
    data = fruit_frame() if data is None else data
    run.train(data, data.iloc[:24], fine_tune=False)
    return run


def answers(client, texts, **options):
    wait_for(lambda: client.get("/health").status_code == 200)
    response = client.post("/v1/labels", json={"texts": texts, "all_scores": True, **options})
    assert response.status_code == 200, response.text
    return response.json()["results"]


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
@pytest.mark.parametrize("backend", ["torch", "onnx"])
@pytest.mark.parametrize("options", [{"label": [3, 11] * 20}, {"long_text": "window"}], ids=str)
def test_the_answers_are_those_of_predict(tiny_model, tmp_path, backend, options):
    data = fruit_frame().assign(label=options["label"]) if "label" in options else None
    options = {} if "label" in options else options
    run = trained(tiny_model, tmp_path, data=data, min_score=0.6, **options)
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
        run.export("onnx", texts=TEXTS[:3], int8=False)
    frame = run.predict_frame(TEXTS, backend=backend)
    source = SavedSource(str(run.run_dir), backend, None, None)
    with running(make_app([source])) as client:
        found = answers(client, TEXTS)
        (best,) = client.post("/", json={"inputs": TEXTS[0], "parameters": {"top_k": 1}}).json()[0]
        tokens = client.post("/classify", json={"input": "the cat"}).json()["usage"]
    assert [each["truncated"] for each in found] == frame["truncated"].tolist()
    expected = [[] if pd.isna(label) else [label] for label in frame["label"]]
    assert [each["labels"] for each in found] == expected
    assert [each["abstained"] for each in found] == frame["abstained"].tolist()
    assert [each["margin"] for each in found] == pytest.approx(frame["margin"].tolist(), abs=1e-5)
    assert best["score"] == pytest.approx(frame["score"][0], abs=1e-5)
    if not options:
        assert tokens["total_tokens"] == 4


class Loud(TrainingRun):
    """A task that decides in Python, between labels that it writes in its own way."""

    name = "loud"
    add_config_attrs = ["label_names"]
    label_names = ["animal", "fruit"]
    pipeline_args = {"task": "text-classification"}
    predict_args = {"top_k": None}

    def validate_data_format(self, data):
        """Accept everything."""

    def load_model(self, model_name=None):
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(model_name, num_labels=2)

    def tokenize(self, examples):
        numbers = [self.label_names.index(label) for label in examples["label"]]
        return {**super().tokenize(examples), "labels": numbers}

    def post_process_prediction(self, prediction):
        return {each["label"].lower(): each["score"] for each in prediction}

    def prediction_row(self, prediction, *, all_scores=False, min_score=None):
        return {"shout": max(prediction, key=prediction.get).upper(), "limit": min_score}


def test_a_task_that_decides_in_python_works(tiny_model, tmp_path):
    task_registry.register(Loud)
    options = {"num_train_epochs": 1, "disable_tqdm": True}
    run = training_run(
        "loud", run_dir_parent=tmp_path, base_model_name=tiny_model, training_args=options
    )
    run.train(fruit_frame(8))
    expected = run.predict(["the cat", "apple"])
    with running(make_app([SavedSource(str(run.run_dir), None, None, None)])) as client:
        found = answers(client, ["the cat", "apple"], min_score=0.5)
        scores = client.post("/predict", json={"inputs": "the cat"}).json()
    assert [each["shout"] for each in found] == [max(e, key=e.get).upper() for e in expected]
    assert {each["limit"] for each in found} == {0.5}
    assert [each["all_scores"] for each in found] == [pytest.approx(e, abs=1e-5) for e in expected]
    assert {e["label"].lower(): e["score"] for e in scores} == pytest.approx(expected[0], abs=1e-5)


def test_plugins_see_the_predictions(trained):
    from clx.ml import hookimpl
    from clx.ml.plugins.manager import plugins

    seen = []

    class Watching:
        @hookimpl
        def clx_after_prediction(self, run, texts, predictions):
            seen.extend(zip(texts, predictions, strict=True))

    watching = Watching()
    plugins().register(watching)
    try:
        served = SavedSource(str(trained), None, None, None).open()
        served.compute(["cat", "apple"], Needs(prediction=True))
    finally:
        plugins().unregister(watching)
    assert [text for text, _ in seen] == ["cat", "apple"]
    assert set(seen[0][1]) == {"animal", "fruit"}


def test_what_cannot_be_served_is_said(trained, tmp_path, capsys, monkeypatch):
    with pytest.raises(RunNotFoundError, match=r"(?s)nowhere.*neither"):
        sources_of([str(tmp_path / "nowhere"), str(tmp_path / "neither")], None, None, None)
    clx = Cli(capsys, monkeypatch)
    assert "backend must be one of" in clx("serve", trained, "--backend", "tensorrt").err
    done = clx("serve", trained, "--backend", "onnx", "--port", "0")
    assert done.status == 2
    assert "was not exported for backend='onnx'" in done.err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'clx-core[serve]'" in clx("serve", trained).err


def test_other_servers_find_the_names_of_the_labels(trained):
    config = json.loads((trained / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "animal", "1": "fruit"}
    assert config["label2id"] == {"animal": 0, "fruit": 1}
