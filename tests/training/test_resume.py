"""resume=True: the same weights as without an interruption, or a refusal that names the change."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from clx.errors import ResumeError, RunExistsError
from clx.ml import training_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.marks import MARK, complete_checkpoints
from clx.ml.run_directory.moving import move_run

ARGS = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "save_total_limit": 3,
    "logging_steps": 1,
    "learning_rate": 1e-3,
    "disable_tqdm": True,
}

STEPS = 18
"""Three times 40 rows and the names of two labels, in batches of 8."""


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def make(tiny_model, name="run", **changes):
    return training_run(
        "classification", name, base_model_name=tiny_model, training_args={**ARGS, **changes}
    )


def weights(run):
    return load_file(run.run_dir / "model" / "model.safetensors")


def interrupt(run, data, step):
    with pytest.raises(KeyboardInterrupt):
        run.train(data, callbacks=[StopAt(step)])


@pytest.mark.parametrize("step", [3, 5, 9, 14], ids="at step {}".format)
def test_resumed_weights_are_those_of_an_uninterrupted_training(tiny_model, fruit, step):
    whole, broken = make(tiny_model, "whole"), make(tiny_model, "broken")
    whole.train(fruit)
    interrupt(broken, fruit, step)
    assert not broken.is_trained
    result = broken.train(fruit, resume=True)
    assert result.steps == STEPS
    expected, got = weights(whole), weights(broken)
    assert all(torch.equal(expected[key], got[key]) for key in expected)
    assert not (broken.run_dir / "checkpoints").exists()
    log = (broken.run_dir / "logs" / "metrics.jsonl").read_text().splitlines()
    assert sum('"learning_rate"' in line for line in log) == STEPS


def test_incomplete_newest_checkpoint_is_not_taken(tiny_model, fruit):
    run = make(tiny_model)
    interrupt(run, fruit, 7)
    folder = run.run_dir / "checkpoints"
    steps = [path.name for path in complete_checkpoints(folder)]
    assert steps == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]
    (folder / "checkpoint-6" / "optimizer.pt").write_bytes(b"cut")
    (folder / "checkpoint-4" / MARK).unlink()
    assert [path.name for path in complete_checkpoints(folder)] == ["checkpoint-2"]
    assert run.train(fruit, resume=True).steps == STEPS


def test_resume_works_after_the_directory_was_moved(tiny_model, fruit, tmp_path):
    run = make(tiny_model)
    interrupt(run, fruit, 5)
    moved = run.run_dir.rename(tmp_path / "run")
    again = training_run(
        "classification",
        "run",
        run_dir_parent=moved.parent,
        base_model_name=tiny_model,
        training_args=ARGS,
    )
    assert again.train(fruit, resume=True).steps == STEPS


@pytest.mark.parametrize("what", ["data", "labels", "arguments"])
def test_resume_refuses_and_names_what_changed(tiny_model, fruit, what):
    run = make(tiny_model)
    interrupt(run, fruit, 5)
    if what == "arguments":
        run = make(tiny_model, learning_rate=5e-4)
    elif what == "labels":
        run = training_run(
            "classification",
            "run",
            base_model_name=tiny_model,
            training_args=ARGS,
            label_names=["fruit", "animal"],
        )
    data = fruit.assign(text=fruit["text"] + " .") if what == "data" else fruit
    named = {"data": "data", "labels": "label_names", "arguments": "learning_rate"}[what]
    with pytest.raises(ResumeError, match=named):
        run.train(data, resume=True)
    assert complete_checkpoints(run.run_dir / "checkpoints")


def test_checkpoints_without_an_optimizer_are_not_resumed(tiny_model, fruit):
    run = make(tiny_model, save_only_model=True)
    interrupt(run, fruit, 5)
    with pytest.raises(ResumeError, match="without the optimizer"):
        run.train(fruit, resume=True)
    assert complete_checkpoints(run.run_dir / "checkpoints")
    assert run.train(fruit, overwrite=True).steps == STEPS


def test_nothing_to_resume(tiny_model, fruit, trained):
    with pytest.raises(ResumeError, match="no unfinished training"):
        make(tiny_model).train(fruit, resume=True)
    with pytest.raises(ResumeError, match="has finished"):
        training_run(load=trained).train(fruit, resume=True)


def test_starting_afresh_sweeps_old_checkpoints(tiny_model, fruit):
    run = make(tiny_model)
    interrupt(run, fruit, 5)
    run.train(fruit, overwrite=True)
    assert not (run.run_dir / "checkpoints").exists()
    with pytest.raises(RunExistsError):
        run.train(fruit)


def test_interrupted_overwrite_keeps_the_earlier_run_and_can_be_resumed(trained, fruit):
    run = training_run(load=trained)
    before = run.predict("cat")
    run = training_run(
        "classification",
        trained.name,
        run_dir_parent=trained.parent,
        base_model_name=run.base_model_name,
        training_args=ARGS,
    )
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, overwrite=True, callbacks=[StopAt(5)])
    assert training_run(load=trained).predict("cat") == before
    run.train(fruit, resume=True)
    assert training_run(load=trained).results["steps"] == STEPS


def test_a_training_is_resumed_under_another_name(tiny_model, fruit):
    whole, broken = make(tiny_model, "whole"), make(tiny_model, "broken")
    whole.train(fruit)
    interrupt(broken, fruit, 5)
    move_run(RunDir(broken.run_dir), broken.run_dir.parent / "renamed")
    renamed = make(tiny_model, "renamed")
    assert renamed.train(fruit, resume=True).steps == STEPS
    expected, got = weights(whole), weights(renamed)
    assert all(torch.equal(expected[key], got[key]) for key in expected)
