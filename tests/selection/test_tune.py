"""Tuning: trials that can be compared, go on after a kill, and end with a published run."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clx.errors import (
    ClxWarning,
    ConfigError,
    MissingDependencyError,
    RunDirError,
    RunExistsError,
    TrainingError,
)
from clx.ml import hookimpl, register_plugin, training_run, unregister_plugin
from clx.ml.run_directory.finding import saved_runs
from clx.ml.selection import tune_clock
from clx.ml.selection import tune_loop as module
from clx.ml.selection.tune_storage import opened_storage
from conftest import fruit_frame

ARGS = {"max_steps": 3, "disable_tqdm": True, "logging_steps": 100}
RATES = {"learning_rate": [1e-6, 5e-3]}

pytestmark = [
    pytest.mark.filterwarnings("ignore::clx.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore:.*shared threshold"),
]


def make(tiny_model, name="tuned", task="classification", **options):
    arguments = {**ARGS, **options.pop("training_args", {})}
    options = {"label_texts": None, "head_init": "random", "pooling": "mean", **options}
    return training_run(task, name, base_model_name=tiny_model, training_args=arguments, **options)


def studied(run):
    """Return the values of each trial in the run's file, by study."""
    import optuna

    found = {}
    with opened_storage(study_file(run)) as storage:
        for name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=name, storage=storage)
            found[name] = [(trial.state.name, trial.value) for trial in study.trials]
    return found


def study_file(run):
    return run.run_dir.with_name(f".{run.run_name}.tuning.db")


@pytest.fixture
def calls(monkeypatch):
    """Record the values of each trial that is run."""
    made = []
    run_trial = module.run_trial

    def recorded(bench, values, watch):
        made.append(dict(values))
        return run_trial(bench, values, watch)

    monkeypatch.setattr(module, "run_trial", recorded)
    return made


def test_the_best_trial_is_published_like_any_other_run(tiny_model, own_data_dir, calls):
    run = make(tiny_model)
    data, eval_data = fruit_frame(40), fruit_frame(20)
    result = run.tune(data, eval_data, trials=2, space=RATES)
    frame = result.to_frame()
    assert list(frame.columns) == ["state", "accuracy", "learning_rate", "kept", "seconds"]
    assert set(frame["state"]) <= {"finished", "pruned"}
    finished = frame[frame["state"] == "finished"]
    assert result.value == finished["accuracy"].max()
    assert result.objective == "accuracy"
    assert result.greater_is_better
    assert result.best == {
        "learning_rate": frame.loc[finished["accuracy"].idxmax(), "learning_rate"]
    }
    # The same data, options and seed give the same model.
    assert result.metrics["accuracy"] == result.value
    assert result.training.metrics == result.metrics
    opened = training_run(load=result.run_dir)
    assert opened.config["training_args"] == {**ARGS, **result.best}
    assert "training_args" not in opened.config["learned"]
    assert opened.predict("apple") == run.predict("apple")
    assert [path.name for path in saved_runs()] == ["tuned"]
    left = {path.name for path in run.run_dir.parent.iterdir()}
    assert left == {"tuned", ".tuned.tuning.db", ".tuned.lock"}
    stored = opened.results["tuning"]
    assert stored["objective"] == "accuracy"
    assert len(stored["trials"]["rows"]) == 2
    page = (result.run_dir / "report.html").read_text(encoding="utf-8")
    assert "2 trials" in page
    again = opened.report(own_data_dir / "again.html").read_text(encoding="utf-8")
    assert "2 trials" in again
    assert "The highest Accuracy on the eval data" in again
    json.dumps(result.to_dict(), allow_nan=False)
    with pytest.raises(RunExistsError, match="overwrite=True"):
        run.tune(data, eval_data, trials=3, space=RATES)
    # The trials of the first call are kept, so one is missing.
    more = run.tune(data, eval_data, trials=3, space=RATES, overwrite=True)
    assert len(calls) == 3
    assert len(more.trials) == 3


def test_without_eval_data_the_rows_of_other_folds_decide(tiny_model, monkeypatch):
    trained = []
    from clx.ml.selection import tune_trial

    predict = tune_trial.predict_after_training

    def recorded(start, frame, fold, *rest):
        trained.append((len(fold.train), len(fold.eval), len(fold.held_out)))
        return predict(start, frame, fold, *rest)

    monkeypatch.setattr(tune_trial, "predict_after_training", recorded)
    run = make(tiny_model)
    result = run.tune(fruit_frame(40), trials=2, folds=2, space=RATES, time_budget=None)
    assert result.folds == 2
    # All other rows are fitted, as in the training that is published.
    assert set(trained) == {(20, 0, 20)}
    assert run.results["rows"] == {"train": 40}
    assert "as the mean of 2 folds" in str(result)
    assert result.metrics == {}
    assert run.is_trained


def test_other_data_and_another_space_begin_anew_and_nothing_is_lost(tiny_model, calls):
    run = make(tiny_model)
    data, eval_data = fruit_frame(40), fruit_frame(20)
    run.tune(data, eval_data, trials=1, space=RATES)
    with pytest.warns(ClxWarning, match="because the space differ"):
        other = run.tune(
            data, eval_data, trials=1, space={"learning_rate": (1e-5, 1e-3, "log")}, overwrite=True
        )
    assert len(other.trials) == 1
    with pytest.warns(ClxWarning, match="because the data, space differ"):
        run.tune(data[:30], eval_data, trials=1, space=RATES, overwrite=True)
    assert len(calls) == 3
    assert [len(trials) for trials in studied(run).values()] == [1, 1, 1]
    # The first tuning again: its trial is kept, whatever the run was tuned to meanwhile.
    result = run.tune(data, eval_data, trials=1, space=RATES, overwrite=True)
    assert len(calls) == 3
    assert len(result.trials) == 1


def test_ctrl_c_publishes_nothing_and_loses_no_finished_trial(tiny_model, calls, monkeypatch):
    run = make(tiny_model)
    recorded = module.run_trial

    def interrupted(bench, values, watch):
        if len(calls) == 2:
            raise KeyboardInterrupt
        return recorded(bench, values, watch)

    monkeypatch.setattr(module, "run_trial", interrupted)
    data, eval_data = fruit_frame(40), fruit_frame(20)
    with pytest.raises(KeyboardInterrupt, match=r"nothing was published.*repeat the tune"):
        run.tune(data, eval_data, trials=3, space=RATES)
    assert not run.is_trained
    assert run.training_args == ARGS
    monkeypatch.setattr(module, "run_trial", recorded)
    result = run.tune(data, eval_data, trials=3, space=RATES)
    assert len(calls) == 3
    assert len(result.trials) == 3


KILLED = """
import sys, pandas as pd, warnings
from clx.ml import training_run
warnings.simplefilter("ignore")
model, data = sys.argv[1:3]
run = training_run("classification", "tuned", base_model_name=model, label_texts=None,
                   head_init="random", pooling="mean", training_args={arguments!r})
data = pd.read_csv(data)
run.tune(data, data[:20], trials=500, time_budget=None, space={space!r})
"""


def test_a_killed_tuning_goes_on(tiny_model, calls, tmp_path):
    data = fruit_frame(40)
    data.to_csv(tmp_path / "data.csv", index=False)
    code = KILLED.format(arguments=ARGS, space=RATES)
    arguments = [sys.executable, "-c", code, str(tiny_model), str(tmp_path / "data.csv")]
    run = make(tiny_model)
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        try:
            while finished_trials(study_file(run)) < 2:
                assert process.poll() is None
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
    kept = finished_trials(study_file(run))
    assert not run.is_trained
    result = run.tune(data, data[:20], trials=kept + 1, space=RATES, time_budget=None)
    assert len(calls) == 1
    assert len(result.trials) == kept + 1
    assert run.is_trained
    assert not run.run_dir.with_name(".tuned.trial").exists()


def finished_trials(path):
    if not path.is_file():
        return 0
    with sqlite3.connect(path, timeout=10) as connection:
        try:
            query = "select count(*) from trials where state = 'COMPLETE'"
            (count,) = connection.execute(query).fetchone()
        except sqlite3.OperationalError:
            count = 0
    connection.close()
    return count


def test_a_publication_that_was_stopped_is_resumed(tiny_model, calls, monkeypatch):
    from transformers import TrainerCallback

    run = make(tiny_model, training_args={"max_steps": 4, "save_strategy": "steps", "save_steps": 2,
                                          "eval_strategy": "steps", "eval_steps": 2})  # fmt: skip
    data, eval_data = fruit_frame(40), fruit_frame(20)

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if "tuned/checkpoints" in args.output_dir and state.global_step == 3:
                raise KeyboardInterrupt

    class Plugin:
        @hookimpl
        def clx_trainer_callbacks(self, run, work_dir):
            return [Stop()]

    plugin = Plugin()
    register_plugin(plugin)
    try:
        with pytest.raises(KeyboardInterrupt, match="repeat the tune"):
            run.tune(data, eval_data, trials=1, space=RATES)
    finally:
        unregister_plugin(plugin)
    assert [path.name for path in run.run_dir.glob("checkpoints/checkpoint-*")] == ["checkpoint-2"]
    assert run.training_args["max_steps"] == 4
    with pytest.raises(RunExistsError, match="did not finish"):
        run.train(data, eval_data)
    result = run.tune(data, eval_data, trials=1, space=RATES)
    assert len(calls) == 1
    lines = (result.run_dir / "logs" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in lines if "eval_loss" in line]
    assert steps == [2, 4]


def test_kept_probe_means_that_the_parameters_had_no_effect(tiny_model):
    run = make(tiny_model, head_init="probe", training_args={"max_steps": 2, "warmup_steps": 0})
    # The fine-tuning ruins the model, so the probe is better.
    space = {"learning_rate": [5.0, 6.0], "class_weights": ["balanced"]}
    result = run.tune(fruit_frame(40), fruit_frame(20), trials=2, space=space)
    assert set(result.trials["kept"]) == {"probe"}
    assert result.training.kept == "probe"
    assert result.without_effect == ["learning_rate"]
    assert "had no effect: learning_rate" in str(result)
    page = (result.run_dir / "report.html").read_text(encoding="utf-8")
    assert "had no effect: learning_rate" in page


def test_a_worse_trial_is_pruned(tiny_model):
    run = make(
        tiny_model,
        training_args={"max_steps": 16, "eval_strategy": "steps", "eval_steps": 4,
                       "warmup_steps": 0, "metric_for_best_model": "accuracy"},
    )  # fmt: skip
    rates = iter([5e-3, 5e-3, 5e-3, 5e-3, 1e-9])
    found = run.tune(
        fruit_frame(40),
        fruit_frame(24),
        trials=5,
        space=lambda trial: {"learning_rate": next(rates)},
    )
    assert found.trials["state"].tolist() == [*["finished"] * 4, "pruned"]
    assert found.objective == "accuracy"
    # A pruned trial has no place for an objective.
    assert np.isnan(found.trials["accuracy"].iloc[-1])


def test_a_trial_that_fails_is_recorded_and_the_others_go_on(tiny_model):
    run = make(tiny_model)
    rates = iter([1e30, 1e-3])
    result = run.tune(
        fruit_frame(40),
        fruit_frame(20),
        trials=2,
        space=lambda trial: {"learning_rate": next(rates), "max_grad_norm": 0.0},
    )
    assert result.trials["state"].tolist() == ["failed", "finished"]
    with pytest.raises(TrainingError, match="No trial finished") as raised:
        make(tiny_model, "diverged").tune(
            fruit_frame(40),
            fruit_frame(20),
            trials=1,
            space={"learning_rate": [1e30], "max_grad_norm": [0.0]},
        )
    assert "trial 0: " in str(raised.value)


def test_a_trial_leaves_time_to_publish_it(monkeypatch):
    monkeypatch.setattr(tune_clock, "time", SimpleNamespace(monotonic=lambda: 130.0))
    clock = tune_clock.Clock(seconds=120, started=100.0)
    assert clock.for_a_trial(None) == pytest.approx((90 - 3) / 2.15)
    assert clock.for_a_trial(70.0) == pytest.approx(90 - 3 - 1.15 * 70)
    assert clock.for_publishing(70.0) is None
    assert clock.for_publishing(80.0) == pytest.approx(90)


def test_time_is_left_to_publish(tiny_model, monkeypatch):
    # No trial can finish, so the time goes into the run's own options.
    monkeypatch.setattr(tune_clock.Clock, "for_a_trial", lambda self, best_seconds: 0.2)
    run = make(tiny_model, training_args={"max_steps": 100_000})
    result = run.tune(fruit_frame(40), fruit_frame(20), time_budget=3, space=RATES)
    assert result.stopped == "time_budget"
    assert result.best == {}
    assert result.trials["state"].tolist() == ["out of time"]
    assert result.training.stopped == "time_budget"
    assert "No trial finished" in str(result)
    assert run.is_trained


def test_optuna_is_needed(tiny_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[optuna\]'"):
        make(tiny_model).tune(fruit_frame(10))


def test_a_run_that_exists_is_refused_before_anything_is_loaded(trained):
    run = training_run(load=trained)
    with pytest.raises(RunExistsError, match="overwrite=True"):
        run.tune(object())


def test_a_file_that_is_no_study(tiny_model):
    run = make(tiny_model)
    run.run_dir.parent.mkdir(parents=True)
    study_file(run).write_text("not a database" * 100)
    with pytest.raises(RunDirError, match="cannot be read or written"):
        run.tune(fruit_frame(40), trials=1, space=RATES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials must be a whole number"),
        ({"trials": True}, "trials must be a whole number"),
        ({"time_budget": "soon"}, "time_budget must be"),
        ({"folds": 1}, "folds must be"),
        ({"space": {}}, "space must not be {}"),
        ({"space": {"learning_rat": [1e-3]}}, "did you mean 'learning_rate'"),
        ({"space": {"epochs": [1]}}, "did you mean 'num_train_epochs'"),
        ({"space": {"seed": [1, 2]}}, "seed cannot be tuned"),
        ({"space": {"training_args": [{}]}}, "write training_args.KEY"),
        ({"space": {"learning_rate": 1e-3}}, "must be a list or a tuple"),
        ({"space": {"learning_rate": (1e-3, 1e-4)}}, "0.001 is not below 0.0001"),
        ({"space": {"learning_rate": (0.0, 1e-4, "log")}}, "must begin above 0"),
        ({"space": {"learning_rate": ("a", "b")}}, "not a range of two numbers"),
        ({"space": {"learning_rate": []}}, "has no values"),
        ({"space": {"learning_rate": (-1.0, 1e-4)}}, "must not be negative"),
        ({"space": {"pooling": ["mean", "median"]}}, "pooling must be one of"),
        ({"space": {"model_argss.x": [1]}}, "did you mean 'model_args'"),
    ],
)  # fmt: skip
def test_wrong_arguments(tiny_model, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make(tiny_model).tune(None, **arguments)


def test_a_function_that_returns_a_wrong_name(tiny_model):
    with pytest.raises(ConfigError, match="did you mean 'learning_rate'"):
        make(tiny_model).tune(
            fruit_frame(40), fruit_frame(20), space=lambda trial: {"learning_rte": 1e-3}
        )
    assert not make(tiny_model).is_trained


def test_the_default_space_leaves_out_what_the_user_set(tiny_model, calls, monkeypatch):
    stop = KeyboardInterrupt

    def first(bench, values, watch):
        calls.append(values)
        raise stop

    monkeypatch.setattr(module, "run_trial", first)
    rows = fruit_frame(40)
    rows.loc[0, "text"] = "apple " * 80
    unequal = pd.concat([rows[rows["label"] == "fruit"], rows[rows["label"] != "fruit"][:4]])
    arguments = {"disable_tqdm": True}
    for options, names in (
        ({}, {"learning_rate", "num_train_epochs", "per_device_train_batch_size",
              "label_smoothing_factor", "class_weights", "long_text"}),
        ({"class_weights": "balanced", "long_text": "window",
          "training_args": {"learning_rate": 1e-3, "max_steps": 2}},
         {"per_device_train_batch_size", "label_smoothing_factor"}),
    ):  # fmt: skip
        options = {"training_args": arguments, **options}
        run = training_run("classification", base_model_name=tiny_model, **options)
        with pytest.raises(stop):
            run.tune(unequal, rows)
        # The first trial has the values of a training without tuning.
        assert set(calls[-1]) == names
        assert calls[-1]["label_smoothing_factor"] == 0.0
    several = rows.assign(labels=[[label] for label in rows["label"]]).drop(columns="label")
    run = training_run(
        "multi-label-classification", base_model_name=tiny_model, training_args=arguments
    )
    with pytest.raises(stop):
        run.tune(several, several)
    assert "label_smoothing_factor" not in calls[-1]
