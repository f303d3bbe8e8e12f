"""What the kill trials kill, what is there before, and what has to hold after."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import datasets
import pyarrow.parquet  # noqa: F401
import torch
import transformers
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback  # noqa: F401

import clx.ml.evaluation.evaluate
import clx.ml.prediction.predict_file as predict_file_module
import clx.ml.training.train  # noqa: F401
from clx.errors import NotTrainedError, ResumeError, RunDirError, RunExistsError
from clx.ml import training_run
from conftest import fruit_frame, make_tiny_model
from crash.faults import in_fork

torch.set_num_threads(1)
warnings.simplefilter("ignore")
transformers.logging.set_verbosity_error()
datasets.disable_progress_bars()

OLD, NEW = 1, 2
PART_ROWS = 4
EXPORTED = ["the cat", "a grape", "the dog eats a melon"]
ROWS = 14


class Tag(TrainerCallback):
    """Writes the tag into the weights."""

    def __init__(self, tag):
        self.tag = tag

    def on_train_end(self, args, state, control, model=None, **kwargs):
        with torch.no_grad():
            model.classifier.bias.fill_(self.tag)


def make(parent, tag, **changes):
    arguments = {"max_steps": 2, "seed": tag, "per_device_train_batch_size": 4}
    arguments |= {"disable_tqdm": True, "save_strategy": "no", **changes}
    return training_run(
        "classification",
        "run",
        run_dir_parent=parent,
        base_model_name=parent.parent / "model",
        label_names=[f"a{tag}", f"b{tag}"],
        training_args=arguments,
    )


def data(tag):
    frame = fruit_frame(8 + tag)
    return frame.assign(
        label=[("a" if label == "animal" else "b") + str(tag) for label in frame["label"]]
    )


def train(parent, tag, **options):
    make(parent, tag).train(data(tag), callbacks=[Tag(tag)], **options)


LONG = {"max_steps": -1, "num_train_epochs": 3, "save_strategy": "steps", "save_steps": 1}
LONG |= {"save_total_limit": 2, "logging_steps": 1}


def train_long(parent, resume=False):
    make(parent, NEW, **LONG).train(data(NEW), resume=resume, callbacks=[Tag(NEW)])


def evaluate(parent):
    result = training_run(load=parent / "run").evaluate(data(OLD))
    result.save(parent / "evaluation")


def predict_file(parent, **options):
    predict_file_module.PART_ROWS = PART_ROWS
    run = training_run(load=parent / "run")
    run.predict_file(parent / "in.csv", parent / "out.jsonl", **options)


def ask(function, *args):
    """Run in a process of its own, and raise here what was raised there."""
    said, status = in_fork(function, *args)
    if status != 0:
        raise AssertionError(f"{function.__name__}: {said}")
    return said


def export(parent):
    """Export as one that had been exported on other texts and without eight bits."""
    training_run(load=parent / "run").export("onnx", texts=EXPORTED)


# ---- What is there ------------------------------------------------------------------------------------


def tag_of(parent):
    """Return the tag of the run that is there, None for none; everything has to have the same one."""
    try:
        run = training_run(load=parent / "run", verify=True)
    except RunDirError as error:
        if "no trained run" in str(error) or "no run" in str(error).lower():
            return None
        raise
    scores = run.predict(["the cat", "a grape"])
    folder = run.run_dir
    results = json.loads((folder / "results.json").read_text())
    tags = {
        "config": [int(name[1:]) for name in run.config["label_names"]],
        "scores": [int(name[1:]) for name in scores[0]],
        "model": [int(name[1:]) for name in run.model.config.id2label.values()],
        "weights": load_file(folder / "model" / "model.safetensors")["classifier.bias"]
        .int()
        .tolist(),
        "rows": results["rows"]["train"] - 8,
        "seed": json.loads((folder / "environment.json").read_text())["seed"],
        "arguments": run.training_args["seed"],
    }
    found = {
        tag for value in tags.values() for tag in (value if isinstance(value, list) else [value])
    }
    assert len(found) == 1, f"a mix: {tags}"
    return found.pop()


def weights_of(parent):
    tensors = load_file(parent / "run" / "model" / "model.safetensors")
    return {name: value.flatten().tolist() for name, value in sorted(tensors.items())}


def exported_by(parent):
    """Return how many texts the export that is there was compared on, None where none is.

    Its files have to be of one export, and answer as the run's weights do.
    """
    run = training_run(load=parent / "run", verify=True)
    texts = list(fruit_frame(ROWS)["text"])
    try:
        scores = run.predict(texts, backend="onnx")
    except NotTrainedError as error:
        if "was not exported" in str(error):
            return None
        raise
    expected = run.predict(texts, backend="torch")
    far = max(
        abs(one[label] - other[label])
        for one, other in zip(scores, expected, strict=True)
        for label in one
    )
    assert far < 1e-5, f"ONNX answers otherwise: {far}"
    assert run.predict_labels(texts, backend="onnx") == run.predict_labels(texts)
    folder = run.run_dir / "onnx"
    report = json.loads((folder / "report.json").read_text())
    files = {"settings.json", "report.json", "tokenizer.json", "model.onnx"}
    if "onnx-int8" in report["checks"]:
        files.add("model.int8.onnx")
        assert len(run.predict(texts, backend="onnx-int8")) == ROWS
    found = {path.name for path in folder.iterdir()}
    assert found == files, f"files of two exports: {found}"
    return report["texts"]


def leftovers(parent):
    expected = {"run", "in.csv", "out.jsonl", "evaluation", ".run.lock"}
    inside = {p.name for p in (parent / "run").iterdir() if p.name.startswith(".")}
    return sorted({path.name for path in parent.iterdir()} - expected | inside | temporary())


def temporary():
    """Return the files in the system's temporary folder; an empty folder may stay there."""
    return {path.name for path in Path(tempfile.gettempdir()).rglob("*") if path.is_file()}


# ---- Scenarios: what is there before, what is killed, what must hold after --------------------------


def empty(place, parent):
    parent.mkdir()


def with_old(place, parent):
    shutil.copytree(place / "old", parent)


def with_export(place, parent):
    shutil.copytree(place / "exported", parent)


def after_first(place, parent):
    said = ask(tag_of, parent)
    if said is None:
        ask(train, parent, NEW)
        assert ask(tag_of, parent) == NEW
    else:
        assert said == NEW, said
        ask(overwrite_new, parent)
    assert leftovers(parent) == [], leftovers(parent)


def overwrite_new(parent):
    train(parent, NEW, overwrite=True)


def after_overwrite(place, parent):
    said = ask(tag_of, parent)
    assert said in (OLD, NEW), said
    if random.random() < 0.3:
        ask(overwrite_new, parent)
        assert ask(tag_of, parent) == NEW
        assert leftovers(parent) == [], leftovers(parent)


def resume_long(parent):
    try:
        train_long(parent, resume=True)
    except ResumeError as error:
        # It was killed before it began, or after it was published.
        if "no unfinished training" in str(error):
            train_long(parent)


def after_long(place, parent):
    assert ask(tag_of, parent) in (None, NEW)
    ask(resume_long, parent)
    assert ask(tag_of, parent) == NEW
    assert ask(weights_of, parent) == json.loads((place / "long.json").read_text())
    if leftovers(parent):
        # Killed while the old content was removed: who starts afresh sweeps it.
        ask(overwrite_new, parent)
        assert ask(tag_of, parent) == NEW
    assert leftovers(parent) == [], leftovers(parent)


def before_resume(place, parent):
    shutil.copytree(place / "begun", parent)


def resume(parent):
    train_long(parent, resume=True)


def after_evaluate(place, parent):
    assert ask(tag_of, parent) == OLD
    assert leftovers(parent) == [], leftovers(parent)


def after_export(place, parent):
    assert ask(tag_of, parent) == OLD
    assert ask(exported_by, parent) in (1, None, len(EXPORTED))
    if random.random() < 0.3:
        # A training sweeps what is left, and removes the export of what it replaces.
        ask(overwrite_new, parent)
        assert ask(tag_of, parent) == NEW
        assert ask(exported_by, parent) is None
        assert not (parent / "run" / "onnx").exists()
    ask(export, parent)
    assert ask(exported_by, parent) == len(EXPORTED)
    assert leftovers(parent) == [], leftovers(parent)


def resume_predict(parent):
    predict_file(parent, resume=True)


def predict_again(parent):
    """Resume; where all was done already that is an error, and starting afresh is what is left."""
    try:
        predict_file(parent, resume=True)
    except RunExistsError:
        predict_file(parent, overwrite=True)


def after_predict(place, parent):
    expected = (place / "expected.jsonl").read_text()
    target = parent / "out.jsonl"
    if target.exists():
        assert target.read_text() == expected, "a target that is not complete"
    ask(predict_again, parent)
    assert target.read_text() == expected, "rows lost, doubled or out of order"
    assert leftovers(parent) == [], leftovers(parent)
    assert ask(tag_of, parent) == OLD


SCENARIOS = {
    "first training": (empty, lambda parent: train(parent, NEW), after_first, 3),
    "overwrite=True": (with_old, overwrite_new, after_overwrite, 5),
    "training with checkpoints": (empty, train_long, after_long, 3),
    "resume=True": (before_resume, resume, after_long, 2),
    "evaluate": (with_old, evaluate, after_evaluate, 2),
    "export": (with_old, export, after_export, 1),
    "export, again": (with_export, export, after_export, 2),
    "predict_file": (with_old, predict_file, after_predict, 3),
    "predict_file, resumed": (with_old, resume_predict, after_predict, 1),
}


def prepare(place):
    """Make what the scenarios begin with; in a process of its own, since this one is forked."""
    make_tiny_model(place / "model")
    old = place / "old"
    old.mkdir()
    train(old, OLD)
    fruit_frame(ROWS).to_csv(old / "in.csv", index=False)
    predict_file(old)
    (old / "out.jsonl").rename(place / "expected.jsonl")
    shutil.copytree(old, place / "exported")
    training_run(load=place / "exported" / "run").export("onnx", texts=["cat"], int8=False)
    (place / "whole").mkdir()
    train_long(place / "whole")
    (place / "long.json").write_text(json.dumps(weights_of(place / "whole")))

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 4:
                raise KeyboardInterrupt

    (place / "begun").mkdir()
    try:
        make(place / "begun", NEW, **LONG).train(data(NEW), callbacks=[Tag(NEW), Stop()])
    except KeyboardInterrupt:
        return
