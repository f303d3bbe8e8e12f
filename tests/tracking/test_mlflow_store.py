"""MLflow: runs in a real store of its own (SQLite), and a logged run as a model."""

import socket
import time

import mlflow
import pandas as pd
import pytest
from transformers import TrainerCallback

from clx.errors import ClxWarning, ConfigError
from clx.ml import training_run

ARGUMENTS = {
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "max_steps": 4,
    "disable_tqdm": True,
}

pytestmark = [
    # MLflow's own, about pydantic, its old names, and data bases that it does not close.
    pytest.mark.filterwarnings("default:::mlflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"


@pytest.fixture(autouse=True)
def store(address, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(address)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def make(tiny_model, name="my-run", **options):
    options = {"base_model_name": tiny_model, "report_to": "mlflow", **options}
    return training_run("classification", name, **options)


def of(store, tracking):
    return store.get_run(tracking["mlflow"]["run_id"])


class StopAtThree(TrainerCallback):
    """Keeps the id of the run of MLflow, and stops the training."""

    error = KeyboardInterrupt

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            StopAtThree.run_id = mlflow.active_run().info.run_id
            raise self.error


class Fails(StopAtThree):
    error = ZeroDivisionError


@pytest.fixture(scope="module")
def logged(tiny_model, address, tmp_path_factory):
    from conftest import fruit_frame

    mlflow.set_tracking_uri(address)
    options = {"run_dir_parent": tmp_path_factory.mktemp("runs"), "class_weights": "balanced"}
    run = make(tiny_model, **options)
    (run.run_dir_parent / "my-run").mkdir()
    (run.run_dir_parent / "my-run" / "notes.txt").write_text("of the user")
    result = run.train(fruit_frame(), fruit_frame(12), fine_tune=False, overwrite=True)
    return run, result


def test_a_run_has_our_name_options_final_metrics_and_files(logged, store):
    run, result = logged
    found = of(store, run.results["tracking"])
    assert (found.info.run_name, found.info.status) == ("my-run", "FINISHED")
    assert found.data.params == {
        "task": "classification",
        "base_model_name": str(run.base_model_name),
        "class_weights": "balanced",
        "fine_tune": "False",
    }
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        assert found.data.metrics[f"final/{name}"] == pytest.approx(result.metrics[name])
    files = {each.path for each in store.list_artifacts(found.info.run_id)}
    assert files >= {"report.html", "config.json", "manifest.json"}
    assert result.tracking == run.results["tracking"]
    assert mlflow.active_run() is None


def test_the_logged_run_is_a_model_without_pickle(logged, tmp_path):
    run, result = logged
    address = f"runs:/{result.tracking['mlflow']['run_id']}/model"
    model = mlflow.pyfunc.load_model(address, dst_path=str(tmp_path))
    frame = pd.DataFrame({"text": ["a cat", "apple"]}, index=[7, 3])
    expected = run.predict_frame(frame)
    pd.testing.assert_frame_equal(model.predict(frame), expected)
    texts = frame["text"].tolist()
    for data in (texts, frame["text"].to_numpy(), {"text": texts}):
        got = model.predict(data)
        pd.testing.assert_frame_equal(got, expected.reset_index(drop=True))
    assert len(model.predict("a cat")) == 1
    assert model.predict(frame["text"]).index.tolist() == [7, 3]
    assert "score_fruit" in model.predict(texts, params={"all_scores": True})
    with pytest.raises(ConfigError, match="min_score"):
        model.predict(texts, params={"min_scor": 0.5})
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert "model.safetensors" in files
    assert "notes.txt" not in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".bin"))]
    (needed,) = tmp_path.rglob("requirements.txt")
    lines = needed.read_text().split()
    assert [line.partition("==")[0] for line in lines] == [
        "clx-core",
        "clx-tasks-classification",
        "torch",
        "transformers",
    ]


def test_an_interrupted_run_is_killed_and_resumed(tiny_model, fruit, store):
    run = make(tiny_model, training_args=ARGUMENTS)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, callbacks=[StopAtThree])
    assert store.get_run(StopAtThree.run_id).info.status == "KILLED"
    result = run.train(fruit, resume=True)
    assert result.tracking["mlflow"]["run_id"] == StopAtThree.run_id
    assert of(store, result.tracking).info.status == "FINISHED"
    steps = {each.step for each in store.get_metric_history(StopAtThree.run_id, "loss")}
    assert steps == {1, 2, 3, 4}


def test_a_failed_run_is_failed_and_resumes_without_a_tracker(tiny_model, fruit, store):
    run = make(tiny_model, training_args=ARGUMENTS)
    with pytest.raises(ZeroDivisionError):
        run.train(fruit, callbacks=[Fails])
    assert store.get_run(StopAtThree.run_id).info.status == "FAILED"
    again = make(tiny_model, training_args=ARGUMENTS, report_to=None)
    assert again.train(fruit, resume=True).tracking == {}


def test_data_that_is_wrong_starts_no_run(tiny_model, store):
    before = len(store.search_runs(["0"]))
    with pytest.raises(ValueError, match="text"):
        make(tiny_model).train(pd.DataFrame({"x": ["a"], "label": ["b"]}))
    assert len(store.search_runs(["0"])) == before


def test_the_run_of_the_caller_is_used_and_not_ended(tiny_model, fruit, store):
    with mlflow.start_run(run_name="theirs") as theirs:
        result = make(tiny_model).train(fruit, fruit[:12], fine_tune=False)
        assert mlflow.active_run().info.run_id == theirs.info.run_id
    found = of(store, result.tracking)
    assert (found.info.run_id, found.info.run_name) == (theirs.info.run_id, "theirs")
    assert "final/accuracy" in found.data.metrics


def test_a_server_that_does_not_answer_costs_seconds_and_not_the_training(tiny_model, fruit):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        mlflow.set_tracking_uri(f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}")
        run = make(tiny_model)
        started = time.monotonic()
        with pytest.warns(ClxWarning, match="tracker mlflow failed while starting") as caught:
            run.train(fruit, fine_tune=False)
    assert time.monotonic() - started < 120
    assert run.is_trained
    assert "secret" not in str([str(each.message) for each in caught])
    assert mlflow.active_run() is None
