"""TensorBoard: what its own reader finds in the event files of a run."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerCallback

from clx.ml import training_run

ARGUMENTS = {
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "max_steps": 4,
    "disable_tqdm": True,
}


class StopAtThree(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise KeyboardInterrupt


def make(tiny_model, **options):
    options = {"base_model_name": tiny_model, "report_to": "tensorboard", **options}
    return training_run("classification", "run", **options)


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def scalars(events, tag):
    return {event.step: event.value for event in events.Scalars(tag)}


def test_a_training_in_two_parts_has_one_curve_and_final_metrics(tiny_model, fruit):
    run = make(tiny_model, training_args=ARGUMENTS)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, fruit[:12], callbacks=[StopAtThree])
    result = run.train(fruit, fruit[:12], resume=True)
    events = read(run.run_dir / "logs")
    assert sorted(scalars(events, "train/loss")) == [1, 2, 3, 4]
    assert scalars(events, "eval/accuracy")
    assert scalars(events, "final/accuracy")[4] == pytest.approx(result.metrics["accuracy"])
    low, high = (scalars(events, f"final/accuracy_{end}")[4] for end in ("low", "high"))
    assert low <= result.metrics["accuracy"] <= high
    tags = events.Tags()
    assert "parameters/text_summary" in tags["tensors"]
    assert "_hparams_/session_start_info" in events.summary_metadata
    assert run.results["tracking"] == {"tensorboard": {"folder": "logs"}}
    assert not (run.run_dir / "logs" / "tracking.json").exists()


def test_a_training_without_fine_tuning_has_final_metrics(tiny_model, fruit):
    run = make(tiny_model)
    result = run.train(fruit, fruit[:12], fine_tune=False)
    events = read(run.run_dir / "logs")
    assert scalars(events, "final/accuracy") == {
        0: pytest.approx(result.metrics["accuracy"], abs=1e-6)
    }


def test_another_folder_gets_a_folder_for_the_run(tiny_model, fruit, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    result = make(tiny_model).train(fruit, fruit[:12], fine_tune=False)
    place = tmp_path / "events" / "run"
    assert result.tracking == {"tensorboard": {"folder": str(place)}}
    assert scalars(read(place), "final/accuracy")


def test_tensorboardx_writes_the_same(tiny_model, fruit, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = make(tiny_model)
    run.train(fruit, fruit[:12], fine_tune=False)
    events = read(run.run_dir / "logs")
    assert scalars(events, "final/accuracy")
    assert "_hparams_/session_start_info" in events.summary_metadata
