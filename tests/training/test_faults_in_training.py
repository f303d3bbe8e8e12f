"""What goes wrong in a training: Ctrl-C, a loss that is no number, memory and disks that are full."""

import os
import signal
import threading

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback

from clx.errors import ClxWarning, ConfigError, DiskFullError, OutOfMemoryError, TrainingError
from clx.ml import training_run
from clx.ml.machine import disk as disk_space
from clx.ml.machine.disk import full_disk_named, training_bytes
from clx.ml.machine.memory import is_out_of_memory, memory_for_prediction
from clx.ml.run_directory.marks import MARK, complete_checkpoints
from clx.ml.training.checkpoints import is_finished
from clx_tasks_classification import ClassificationRun
from conftest import fruit_frame

ARGS = {
    "max_steps": 5,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
    "disable_tqdm": True,
}


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """Hear it in a background job too, which a shell starts with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def make(tiny_model, name="run", **changes):
    return training_run(
        "classification", name, base_model_name=tiny_model, training_args={**ARGS, **changes}
    )


class At(TrainerCallback):
    """Does something at the end of a step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.action(kwargs["model"])


def press_ctrl_c(model=None):
    os.kill(os.getpid(), signal.SIGINT)


def weights(run):
    return load_file(run.run_dir / "model" / "model.safetensors")


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one) and set(one) == set(other)


# ---- Ctrl-C -----------------------------------------------------------------------------------------


def test_ctrl_c_stops_after_the_step_and_resume_goes_on_from_there(tiny_model, fruit, capsys):
    run, whole = make(tiny_model), make(tiny_model, "whole")
    with pytest.raises(KeyboardInterrupt, match=r"after step 3 of 5.*resume=True"):
        run.train(fruit, callbacks=[At(3, press_ctrl_c)])
    assert "press Ctrl-C again to stop now" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not run.is_trained
    kept = complete_checkpoints(run.run_dir / "checkpoints")
    assert [path.name for path in kept] == ["checkpoint-3"]
    assert not is_finished(kept[0])
    run.train(fruit, resume=True)
    whole.train(fruit)
    assert same(weights(run), weights(whole))


def test_ctrl_c_twice_stops_at_once(tiny_model, fruit):
    steps = []

    def press_twice(model):
        press_ctrl_c()
        press_ctrl_c()
        steps.append("went on")

    run = make(tiny_model)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, callbacks=[At(2, press_twice)])
    assert steps == []
    assert not run.run_dir.exists()


def test_ctrl_c_keeps_the_run_that_was_there(trained, fruit):
    run = training_run(load=trained)
    before = run.predict("cat")
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, overwrite=True, callbacks=[At(1, press_ctrl_c)])
    assert training_run(load=trained, verify=True).predict("cat") == before


def test_training_in_a_thread_leaves_ctrl_c_alone(tiny_model, fruit):
    run, failed = make(tiny_model, max_steps=1), []

    def train():
        try:
            run.train(fruit)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert failed == []
    assert run.is_trained


# ---- Resuming what was finished, moved or rotated ---------------------------------------------------


class AtTheEnd(TrainerCallback):
    def on_train_end(self, args, state, control, model=None, **kwargs):
        with torch.no_grad():
            model.classifier.bias.fill_(7)


def test_a_training_broken_off_after_its_last_step_takes_no_further_step(
    tiny_model, fruit, monkeypatch
):
    # 4 steps of an epoch of 5: the Trainer itself would take the fifth one.
    arguments = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    run, whole = make(tiny_model, **arguments), make(tiny_model, "whole", **arguments)
    with monkeypatch.context() as patch:
        patch.setattr("clx.ml.training.train.write_run", lambda *args: press_ctrl_c())
        with pytest.raises(KeyboardInterrupt):
            run.train(fruit)
    assert is_finished(run.run_dir / "checkpoints" / "checkpoint-4")
    assert run.train(fruit, resume=True, callbacks=[AtTheEnd()]).steps == 4
    whole.train(fruit, callbacks=[AtTheEnd()])
    assert weights(run)["classifier.bias"].tolist() == [7, 7]
    assert same(weights(run), weights(whole))


@pytest.mark.filterwarnings("ignore:greater_is_better:clx.errors.ClxWarning")
def test_the_best_checkpoint_is_found_again_after_a_move(tiny_model, fruit, tmp_path):
    evaluated = fruit_frame(12)
    arguments = {"max_steps": 6, "learning_rate": 1e-2, "eval_strategy": "steps", "eval_steps": 1}
    arguments |= {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}
    arguments |= {"metric_for_best_model": "eval_f1_macro", "greater_is_better": False}
    whole = make(tiny_model, "run", **arguments)
    whole.train(fruit, evaluated)
    parent = tmp_path / "first"
    broken = training_run(
        "classification",
        "run",
        run_dir_parent=parent,
        base_model_name=tiny_model,
        training_args={**ARGS, **arguments},
    )
    with pytest.raises(KeyboardInterrupt):
        broken.train(fruit, evaluated, callbacks=[At(5, press_ctrl_c)])
    names = [path.name for path in complete_checkpoints(broken.run_dir / "checkpoints")]
    assert len(names) == 2, "the best one and the last one"
    moved = parent.rename(tmp_path / "second")
    again = training_run(
        "classification",
        "run",
        run_dir_parent=moved,
        base_model_name=tiny_model,
        training_args={**ARGS, **arguments},
    )
    again.train(fruit, evaluated, resume=True)
    assert same(weights(whole), weights(again))


def test_an_old_checkpoint_goes_only_after_the_new_one_is_marked(tiny_model, fruit):
    """With save_total_limit=1 a kill between the two would leave none."""
    seen = []

    class Look(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            # Called before the new one is marked.
            folder = run.run_dir / "checkpoints"
            seen.append([path.name for path in complete_checkpoints(folder)])

    run = make(tiny_model, save_strategy="steps", save_steps=1, save_total_limit=1)
    run.train(fruit, callbacks=[Look()])
    assert seen == [[], *([f"checkpoint-{step}"] for step in (1, 2, 3, 4))]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}}', "[" * 100_000])
def test_a_mark_that_is_none_marks_nothing(tmp_path, text):
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / MARK).write_text(text)
    (tmp_path / "checkpoint-best").mkdir()
    assert complete_checkpoints(tmp_path) == []


# ---- A loss that is no number -----------------------------------------------------------------------


def poison(value):
    def action(model):
        with torch.no_grad():
            next(model.parameters()).fill_(value)

    return action


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_no_number_stops_at_once_with_step_and_causes(trained, fruit, value):
    before = training_run(load=trained).predict("cat")
    run = training_run(
        "classification",
        trained.name,
        run_dir_parent=trained.parent,
        base_model_name=training_run(load=trained).base_model_name,
        training_args={**ARGS, "learning_rate": 0.5, "max_grad_norm": 0.0},
    )
    with pytest.raises(TrainingError, match=r"nan at step 3 of 5") as caught:
        run.train(fruit, overwrite=True, callbacks=[At(2, poison(value))])
    said = str(caught.value)
    assert "learning_rate 0.5 is high" in said
    assert "max_grad_norm 0" in said
    assert training_run(load=trained, verify=True).predict("cat") == before


def test_weights_spoilt_by_the_last_step_are_not_kept(tiny_model, fruit):
    run = make(tiny_model)
    with pytest.raises(TrainingError, match=r"not finite numbers at step 5 of 5"):
        run.train(fruit, callbacks=[At(5, poison(float("nan")))])
    assert not run.run_dir.exists()


def test_base_model_of_nan_is_named_as_the_cause(tiny_model, fruit, tmp_path):
    import shutil

    from safetensors.torch import save_file

    folder = shutil.copytree(tiny_model, tmp_path / "nan")
    tensors = {k: v * float("nan") for k, v in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=r"step 1 .*\n.*base model has weights that are not"):
        make(folder).train(fruit)
    # A probe of NaN is found on no device: what the solver then says differs.
    with pytest.raises(ConfigError, match=r"weights .* are not finite numbers"):
        make(folder).train(fruit, fine_tune=False)


class OwnLoss(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs)
        loss = torch.log(outputs.loss * 0 - 1)
        return (loss, outputs) if return_outputs else loss


class TaskWithOwnLoss(ClassificationRun):
    name = "own-loss"
    trainer_class = OwnLoss


def test_loss_of_the_tasks_own_is_named_as_the_cause(tiny_model, fruit):
    run = TaskWithOwnLoss("x", base_model_name=tiny_model, training_args=ARGS)
    with pytest.raises(TrainingError, match=r"the loss is OwnLoss's own"):
        run.train(fruit)


# ---- Memory -----------------------------------------------------------------------------------------


def test_out_of_memory_in_training_suggests_a_batch_size(tiny_model, fruit):
    def fail(model):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with pytest.raises(OutOfMemoryError) as caught:
        make(tiny_model).train(fruit, callbacks=[At(1, fail)])
    said = str(caught.value)
    assert "batches of 8" in said
    assert "'per_device_train_batch_size': 4, 'gradient_accumulation_steps': 2" in said
    assert "Tried to allocate 2.00 GiB" in said
    assert isinstance(caught.value, MemoryError)


@pytest.mark.parametrize(
    ("what", "said", "helps"),
    [
        ("train", "CUDA out of memory. Tried to allocate 2.00 GiB.", True),
        ("find_label_errors", "DefaultCPUAllocator: can't allocate memory: 9 bytes", False),
    ],
)
def test_out_of_memory_of_features_names_no_batch_size(
    tiny_model, fruit, monkeypatch, what, said, helps
):
    def fail(module, rows):
        if len(rows["input_ids"]) > 2:
            raise RuntimeError(said)

    def load_model(run, *args):
        model = original(run, *args)
        model.register_forward_pre_hook(lambda m, _, fed: fail(m, fed), with_kwargs=True)
        return model

    original = ClassificationRun.load_model
    monkeypatch.setattr(ClassificationRun, "load_model", load_model)
    with pytest.raises(OutOfMemoryError, match="reading the features of texts") as caught:
        getattr(make(tiny_model), what)(fruit)
    assert "batch" not in str(caught.value)
    assert "max_length" in str(caught.value)
    assert ("device='cpu'" in str(caught.value)) == helps


def test_out_of_memory_in_prediction_suggests_a_batch_size(trained, monkeypatch):
    run = training_run(load=trained)
    run.predict("cat")

    def fail(*args, **kwargs):
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        )

    monkeypatch.setattr(type(run.model), "forward", fail)
    with pytest.raises(OutOfMemoryError, match="batch_size=8"):
        run.predict([f"cat {number}" for number in range(20)], batch_size=16)


def test_other_errors_are_not_taken_for_memory():
    assert not is_out_of_memory(RuntimeError("size mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))
    with pytest.raises(KeyError), memory_for_prediction(1):
        raise KeyError("x")


# ---- Disks ------------------------------------------------------------------------------------------


def test_little_space_is_warned_of_before_the_training(tiny_model, fruit, monkeypatch):
    real = disk_space.shutil.disk_usage

    def nearly_full(path):
        return real(path)._replace(free=1000)

    monkeypatch.setattr(disk_space.shutil, "disk_usage", nearly_full)
    run = make(tiny_model, max_steps=1)
    with pytest.warns(
        ClxWarning, match=rf"writes about .* kB, but only 1\.0 kB are free in {run.run_dir.parent}"
    ):
        run.train(fruit)


def test_space_for_checkpoints_counts(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(100))
    assert training_bytes(tmp_path, {"save_strategy": "no"}) == 100
    assert training_bytes(tmp_path, {"save_strategy": "steps", "save_total_limit": 2}) == 1000


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        OSError(122, "Disk quota exceeded"),
    ],
)
def test_what_libraries_say_of_a_full_disk(tmp_path, error):
    with (
        pytest.raises(
            DiskFullError, match=r"The disk of .* is full: about 2\.0 MB are needed, and .* free"
        ),
        full_disk_named(tmp_path, 2_000_000),
    ):
        raise error


def test_torch_that_wrote_too_little_is_a_full_disk_only_when_it_is(tmp_path, monkeypatch):
    said = "[enforce fail at inline_container.cc:672] . unexpected pos 6144 vs 6036"
    with pytest.raises(RuntimeError, match="unexpected pos"), full_disk_named(tmp_path):
        raise RuntimeError(said)
    monkeypatch.setattr(disk_space, "_free", lambda folder: 0)
    with pytest.raises(DiskFullError), full_disk_named(tmp_path):
        raise RuntimeError(said)
