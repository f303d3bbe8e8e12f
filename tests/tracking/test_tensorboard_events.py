"""TensorBoard: what its own reader finds in the event files of a run."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerCallback

from clx.errors import MissingDependencyError
from clx.ml import training_run

ARGUMENTS = {
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "max_steps": 4,
    "disable_tqdm": True,
}

QUICK = {"pooling": "mean", "label_texts": None}


class StopAtThree(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise KeyboardInterrupt


def make(tiny_model, **options):
    options = {"base_model_name": tiny_model, "report_to": "tensorboard", **QUICK, **options}
    return training_run("classification", "run", **options)


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def scalars(events, tag):
    return {event.step: event.value for event in events.Scalars(tag)}


def test_a_training_in_two_parts_has_one_curve_and_final_metrics(tiny_model, fruit):
    run = make(tiny_model, head_init="random", training_args=ARGUMENTS)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, fruit[:4], callbacks=[StopAtThree])
    result = run.train(fruit, fruit[:4], resume=True)
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
    result = run.train(fruit[:8], fruit[:4], fine_tune=False)
    events = read(run.run_dir / "logs")
    assert scalars(events, "final/accuracy") == {
        0: pytest.approx(result.metrics["accuracy"], abs=1e-6)
    }


def test_a_saved_run_opens_without_the_package_but_does_not_train(tiny_model, fruit, monkeypatch):
    run = make(tiny_model, report_to=["tensorboard"])
    run.train(fruit[:8], fine_tune=False)
    assert run.config["report_to"] == ["tensorboard"]
    for module in ("tensorboard", "tensorboardX"):
        monkeypatch.setitem(sys.modules, module, None)
    again = training_run(load=run.run_dir)
    assert len(again.predict(["a cat"])) == 1
    with pytest.raises(MissingDependencyError):
        again.train("no such file.csv", overwrite=True)


def test_tensorboardx_writes_the_same_and_another_folder_gets_one_for_the_run(
    tiny_model, fruit, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    result = make(tiny_model).train(fruit[:8], fruit[:4], fine_tune=False)
    place = tmp_path / "events" / "run"
    assert result.tracking == {"tensorboard": {"folder": str(place)}}
    events = read(place)
    assert scalars(events, "final/accuracy")
    assert "_hparams_/session_start_info" in events.summary_metadata
