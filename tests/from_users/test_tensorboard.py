"""A user set ``report_to="tensorboard"``: clx deleted the event files at the end of the training."""

from pathlib import Path

from transformers import TrainerCallback

from clx.ml import training_run

ARGUMENTS = {"disable_tqdm": True, "max_steps": 2, "logging_steps": 1}


def events(run):
    return sorted((run.run_dir / "logs").rglob("events.out.tfevents.*"))


def test_the_events_are_in_the_logs_of_the_run(tiny_model, fruit, monkeypatch):
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    arguments = {**ARGUMENTS, "report_to": "tensorboard"}
    run = training_run(
        "classification",
        "b",
        base_model_name=tiny_model,
        head_init="random",
        training_args=arguments,
    )
    run.train(fruit)
    (first,) = events(run)
    assert first.parent == run.run_dir / "logs"
    assert b"train/loss" in first.read_bytes()
    assert (run.run_dir / "logs" / "metrics.jsonl").is_file()
    again = training_run(load=run.run_dir, verify=True)
    assert len(again.predict(["a cat"])) == 1
    run.train(fruit, overwrite=True)
    (second,) = events(run)
    assert second.name != first.name


class Emissions(TrainerCallback):
    """Writes into the Trainer's output folder, as the callback of codecarbon does."""

    def on_train_end(self, args, state, control, **kwargs):
        (Path(args.output_dir) / "emissions.csv").write_text("kg\n1\n")
        folder = Path(args.output_dir) / "runs" / "today"
        folder.mkdir(parents=True)
        (folder / "trace.json").write_text("{}")


def test_so_is_what_other_callbacks_write(tiny_model, fruit):
    run = training_run(
        "classification",
        "c",
        base_model_name=tiny_model,
        head_init="random",
        training_args=ARGUMENTS,
    )
    run.train(fruit, callbacks=[Emissions])
    logs = run.run_dir / "logs"
    found = {path.relative_to(logs).as_posix() for path in logs.rglob("*") if path.is_file()}
    assert found == {"metrics.jsonl", "emissions.csv", "runs/today/trace.json"}
    assert not (run.run_dir / "checkpoints").exists()
