"""MLflow: runs in a real store of its own (SQLite), and a logged run as a model."""

import socket

import mlflow
import pandas as pd
import pytest
from transformers import TrainerCallback

from clx.errors import ClxWarning
from clx.ml import training_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.tracking.mlflow_runs import content_to_log

ARGUMENTS = {
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "max_steps": 4,
    "disable_tqdm": True,
}

QUICK = {"pooling": "mean", "label_texts": None}

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
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        # Beside a database, MLflow keeps artifacts in the working directory.
        patch.chdir(folder)
        yield f"sqlite:///{folder / 'runs.db'}"


@pytest.fixture(autouse=True)
def store(address, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(address)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def make(tiny_model, name="my-run", **options):
    options = {"base_model_name": tiny_model, "report_to": "mlflow", **QUICK, **options}
    return training_run("classification", name, **options)


def of(store, tracking):
    return store.get_run(tracking["mlflow"]["run_id"])


class Stop(TrainerCallback):
    """Keeps the id of the run of MLflow, and raises an error after a step."""

    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.run_id = mlflow.active_run().info.run_id
            raise self.error


@pytest.fixture(scope="module")
def logged(tiny_model, address, tmp_path_factory):
    from conftest import fruit_frame

    mlflow.set_tracking_uri(address)
    options = {"run_dir_parent": tmp_path_factory.mktemp("runs"), "class_weights": "balanced"}
    run = make(tiny_model, **options)
    result = run.train(fruit_frame(8), fruit_frame(4), fine_tune=False)
    return run, result


def test_a_run_has_our_name_options_final_metrics_and_files(logged, store):
    run, result = logged
    found = of(store, run.results["tracking"])
    assert (found.info.run_name, found.info.status) == ("my-run", "FINISHED")
    assert found.data.params == {
        "task": "classification",
        "base_model_name": str(run.base_model_name),
        "pooling": "mean",
        "class_weights": "balanced",
        "label_texts": "null",
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
    assert model.get_raw_model().run_name == "my-run"
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert "model.safetensors" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".bin"))]
    (needed,) = tmp_path.rglob("requirements.txt")
    lines = needed.read_text().split()
    assert [line.partition("==")[0] for line in lines if not line.startswith("mlflow")] == [
        "clx-core",
        "clx-tasks-classification",
        "torch",
        "transformers",
    ]


def test_one_run_fails_is_interrupted_and_finishes(tiny_model, fruit, store):
    options = {"head_init": "random", "training_args": ARGUMENTS}
    run = make(tiny_model, **options)
    fails, stops = Stop(3, ZeroDivisionError), Stop(4, KeyboardInterrupt)
    with pytest.raises(ZeroDivisionError):
        run.train(fruit, callbacks=[fails])
    assert store.get_run(fails.run_id).info.status == "FAILED"
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, callbacks=[stops], resume=True)
    assert store.get_run(fails.run_id).info.status == "KILLED"
    assert stops.run_id == fails.run_id
    # The trackers may change, because they do not change the model.
    again = make(tiny_model, **{**options, "report_to": ["tensorboard", "mlflow"]})
    result = again.train(fruit, resume=True)
    assert list(result.tracking) == ["tensorboard", "mlflow"]
    assert result.tracking["mlflow"]["run_id"] == fails.run_id
    assert store.get_run(fails.run_id).info.status == "FINISHED"
    assert {e.step for e in store.get_metric_history(fails.run_id, "loss")} == {1, 2, 3, 4}


def test_the_model_has_no_files_of_the_user(trained):
    (trained / "notes.txt").write_text("private")
    with content_to_log(RunDir(trained)) as folder:
        assert folder.name == trained.name
        names = {path.name for path in folder.iterdir()}
        assert len(training_run(load=folder, verify=True).predict(["a cat"])) == 1
    assert names >= {"config.json", "model", "manifest.json", "report.html"}
    assert not names & {"notes.txt", "logs", "checkpoints"}


def test_data_that_is_wrong_starts_no_run(tiny_model, store):
    before = len(store.search_runs(["0"]))
    with pytest.raises(ValueError, match="text"):
        make(tiny_model).train(pd.DataFrame({"x": ["a"], "label": ["b"]}))
    assert len(store.search_runs(["0"])) == before


def test_the_run_of_the_caller_is_used_and_not_ended(tiny_model, fruit, store):
    with mlflow.start_run(run_name="theirs") as theirs:
        result = make(tiny_model).train(fruit[:8], fruit[:4], fine_tune=False)
        assert mlflow.active_run().info.run_id == theirs.info.run_id
    found = of(store, result.tracking)
    assert (found.info.run_id, found.info.run_name) == (theirs.info.run_id, "theirs")
    assert "final/accuracy" in found.data.metrics


def test_a_server_that_does_not_answer_costs_seconds_and_not_the_training(
    tiny_model, fruit, monkeypatch, caplog
):
    # By default, MLflow tries eight times, and waits for minutes in between.
    for name in ("FACTOR", "JITTER"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_BACKOFF_{name}", "0")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        mlflow.set_tracking_uri(f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}")
        run = make(tiny_model)
        with pytest.warns(ClxWarning, match="tracker mlflow failed while starting") as caught:
            result = run.train(fruit[:8], fine_tune=False)
    assert caplog.text.count("Retrying (") == 2
    assert run.is_trained
    assert result.tracking == {}
    assert "secret" not in str([str(each.message) for each in caught])
    assert mlflow.active_run() is None
