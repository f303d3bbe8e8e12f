"""Write a trained run into a new run directory."""

from __future__ import annotations

import platform
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.lora.base import named_base
from clx.ml.plugins.calls import report_sections
from clx.ml.results.outcome import TrainingResult
from clx.ml.results.pages import run_report
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import (
    CONFIG,
    ENVIRONMENT,
    LOGS,
    OUR_NAMES,
    REPORT,
    RESULTS,
    RunDir,
)
from clx.ml.run_directory.marks import IDENTITY
from clx.ml.task.author_code import author_code
from clx.ml.training import keep_probe, plan
from clx.ml.training.following import FOLLOWED
from clx.ml.training.model_card import model_card
from clx.ml.training.published_check import refused, score_difference

if TYPE_CHECKING:
    from datasets import Dataset

    from clx.ml.task.task import Task
    from clx.ml.training.fit import Fitted
    from clx.ml.training.job import Job

OF_TRAINING = frozenset({IDENTITY, FOLLOWED, plan.FILE, keep_probe.WEIGHTS})
"""The files that clx keeps beside the checkpoints of a training."""

PACKAGES = (
    "clx-core",
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "tokenizers",
    "safetensors",
    "peft",
    "numpy",
    "pandas",
)


def write_run(
    new: RunDir,
    job: Job,
    fitted: Fitted,
    result: TrainingResult,
    config: dict[str, Any],
    known: dict[str, Any],
) -> None:
    """Write config, model, results, environment, card, logs and report of a trained run.

    Args:
        new: the empty directory that will replace ``result.run_dir``. It also gets the files that the
            user keeps there.
        job: the training.
        fitted: the trained model.
        result: the result of the training.
        config: the content of ``config.json``.
        known: the entries of ``results.json`` about the data.

    Raises:
        NotPublishedError: plain transformers reads a model that differs from the trained one.
    """
    task, work_dir = job.task, job.work_dir
    write_json(new.path / CONFIG, config)
    with quiet_transformers():
        fitted.model.save_pretrained(new.model)
        job.tokenizer.save_pretrained(new.model)
        with refused(new, RunDir(result.run_dir), job):
            fitted.head.score_difference = _score_difference(task, fitted, new, job.train.dataset)
    results = _results(result, fitted, known)
    card = model_card(task, config, results)
    (new.model / "README.md").write_text(card, encoding="utf-8")
    if fitted.adapter is not None:
        fitted.adapter.write(fitted.model, named_base(job.base), new.adapter)
    write_json(new.path / RESULTS, results)
    write_json(new.path / ENVIRONMENT, environment(task))
    _copy_logs(work_dir, new.path / LOGS)
    _write_extra(task, new.extra)
    page = run_report(new, sections=report_sections(task, result.evaluation), name=task.run_name)
    (new.path / REPORT).write_text(page, encoding="utf-8")
    carry_over(result.run_dir, new.path)


def _copy_logs(work_dir: Path, target: Path) -> None:
    """Copy the logs of a training, and the files that callbacks wrote beside them.

    Callbacks such as codecarbon's write to the Trainer's output folder, which is removed later.
    """
    for path in sorted(work_dir.iterdir()):
        if path.name in OF_TRAINING or path.name.startswith("checkpoint-"):
            continue
        _copy(path, target if path.name == LOGS else target / path.name)


def _copy(path: Path, target: Path) -> None:
    """Copy a file or a folder; links stay links."""
    target.parent.mkdir(exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(path, target, follow_symlinks=False)


def _write_extra(task: Task, folder: Path) -> None:
    """Let the task write its own files; remove the folder if it stays empty."""
    folder.mkdir()
    with author_code(task, "save_extra"):
        task.save_extra(folder)
    if not any(folder.iterdir()):
        folder.rmdir()


def _score_difference(task: Task, fitted: Fitted, new: RunDir, rows: Dataset) -> float | None:
    from transformers import PreTrainedModel

    if fitted.head.layer is None or not isinstance(fitted.model, PreTrainedModel):
        return None
    return score_difference(fitted.model, new.model, rows, task.load_data_collator())


def _results(result: TrainingResult, fitted: Fitted, extra: dict[str, Any]) -> dict[str, Any]:
    finished = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return {**result.to_dict(), "finished": finished, **fitted.to_dict(), **extra}


def carry_over(old: Path, new: Path) -> None:
    """Copy the files that the user put into the run directory."""
    for path in old.iterdir() if old.is_dir() else ():
        if path.name not in OUR_NAMES:
            _copy(path, new / path.name)


def environment(task: Task) -> dict[str, Any]:
    """Return the versions, the platform and the seed of a training."""
    import torch

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "seed": task.training_args.get("seed", 42),
        "versions": {name: version for name in PACKAGES if (version := installed_version(name))},
    }


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
