"""Estimate what a training costs, stage by stage, from a rehearsal on a few rows."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.batch.estimate import NOISE, WIDEST, check_count
from clx.ml.batch.rehearsal import Rate, Rehearsed, rehearse
from clx.ml.batch.tokens import SampledTexts, sampled_texts
from clx.ml.data.check.check import check_splits
from clx.ml.data.lengths import input_limit
from clx.ml.data.splits import Split, tokenised_split
from clx.ml.data.texts import row_texts
from clx.ml.machine.disk import training_bytes
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.head.request import MAX_PROBE_ROWS
from clx.ml.plugins.calls import proposed_arguments
from clx.ml.results.training_estimates import Stage, TrainingEstimate
from clx.ml.run_directory.config import raise_config_problems
from clx.ml.task.lora_options import require_peft, uses_lora
from clx.ml.task.training_args import check_training_args
from clx.ml.training.data import Data, validated_frames
from clx.ml.training.defaults import PATIENCE, choose_arguments
from clx.ml.training.job import Call, Job
from clx.ml.training.setting import setting_of
from clx.ml.training.time_budget import RESERVE_S, RESERVE_SHARE, seconds_of

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task

SAMPLED_ROWS = 1024
"""The most rows that are tokenized and measured."""

DISK_RATE = 200e6
"""The speed of a disk, in bytes per second."""

PUBLISH = (1.5, 6.0)
"""The seconds for the report, the model card and the check of a published run, besides its weights."""


@dataclass(frozen=True)
class TrainingRequest:
    """The arguments of ``estimate_training``, which describes them."""

    data: Data
    fine_tune: bool = True
    time_budget: Any = None
    folds: int | None = None


@dataclass(frozen=True)
class Planned:
    """The size of a training.

    Attributes:
        rows: the tokenized rows of each split.
        tokens: the mean number of tokens of a tokenized row.
        arguments: the complete training arguments.
        prepare: the seconds of reading, tokenizing and checking the data.
    """

    rows: Mapping[str, int]
    tokens: float
    arguments: dict[str, Any]
    prepare: float

    @property
    def batch_size(self) -> int:
        """The rows per step."""
        return int(self.arguments["per_device_train_batch_size"]) * int(
            self.arguments.get("gradient_accumulation_steps", 1)
        )

    def steps(self) -> int:
        """Return the planned number of steps."""
        most = int(self.arguments.get("max_steps") or -1)
        per_epoch = math.ceil(self.rows["train"] / self.batch_size)
        epochs = float(self.arguments["num_train_epochs"])
        return most if most > 0 else math.ceil(per_epoch * epochs)

    def every(self) -> int:
        """Return the number of steps between two evaluations, 0 if there are none."""
        strategy = str(self.arguments.get("eval_strategy", "no"))
        if "eval" not in self.rows or strategy.endswith("no"):
            return 0
        if strategy.endswith("steps"):
            return max(1, int(self.arguments.get("eval_steps") or 1))
        return math.ceil(self.rows["train"] / self.batch_size)


def estimate_training(task: Task, request: TrainingRequest) -> TrainingEstimate:
    """Return what a training costs; see ``TrainingRun.estimate_training``.

    Args:
        task: the task, whose options the data may change.
        request: the arguments of the call.
    """
    budget, folds = seconds_of(request.time_budget), check_count(request.folds, "folds", 2)
    given, problems = check_training_args(task.training_args, task.device, task)
    if request.fine_tune:
        require_peft(task)
    elif task.head_init != "probe":
        raise ConfigError("fine_tune=False needs head_init='probe'")
    raise_config_problems(problems, f"The training of {task.run_name!r}")
    began = time.perf_counter()
    frames, _ = validated_frames(task, request.data)
    reading = time.perf_counter() - began
    base = resolve_base_model(
        task.base_model_name, near=Path(task.run_dir_parent), trusted=task.trust_remote_code
    )
    sample, tokenizing = _sample(task, frames)
    proposed = proposed_arguments(task, given, len(frames["train"]), "eval" in frames)
    splits = [sample, *([] if "eval" not in frames else [sample])]
    setting = setting_of(task, base, splits, proposed)
    # In windows, a text may be several rows.
    share = len(sample.dataset) / len(sample.frame)
    rows = {name: round(len(frame) * share) for name, frame in frames.items()}
    arguments = choose_arguments(proposed, replace(setting, rows=rows["train"]))
    texts = _texts(task, sample)
    prepare = reading + tokenizing * sum(map(len, frames.values())) / len(sample.frame)
    planned = Planned(rows, texts.computed(len(sample.frame))[0] / share, arguments, prepare)
    judged = task.label_texts is not None
    with tempfile.TemporaryDirectory(prefix="clx-estimate-") as folder:
        call = Call(request.fine_tune, resumable=False)
        sampled = replace(sample, name="train")
        job = Job(task, base, task.tokenizer, [sampled], arguments, Path(folder), None, call)
        found = rehearse(job, min(rows["train"], MAX_PROBE_ROWS), judged)
    needed = training_bytes(base, arguments if request.fine_tune else {}, not uses_lora(task))
    return _estimate(planned, found, (texts, needed), budget, folds)


def _sample(task: Task, frames: Mapping[str, pd.DataFrame]) -> tuple[Split, float]:
    """Return tokenized rows of the training data, and the seconds that they took with the check."""
    frame = frames["train"]
    step = max(1, len(frame) // SAMPLED_ROWS)
    began = time.perf_counter()
    tokenizer = task.tokenizer
    split = tokenised_split(task, tokenizer, "train", frame.iloc[::step][:SAMPLED_ROWS])
    check_splits(task, [split], input_limit(task, tokenizer), False)
    return split, time.perf_counter() - began


def _texts(task: Task, split: Split) -> SampledTexts:
    texts = row_texts(split.frame, task.text_columns) or ["?"] * len(split.frame)
    found = sampled_texts(task, [texts])
    if split.lengths is None:
        return found
    return replace(found, counts=dict(zip(texts, split.lengths, strict=True)))


def _estimate(
    planned: Planned,
    found: Rehearsed,
    about: tuple[SampledTexts, int],
    budget: float | None,
    folds: int | None,
) -> TrainingEstimate:
    texts, disk = about
    stages, steps = _stages(planned, found, budget)
    low, high = sum(each.low for each in stages), sum(each.high for each in stages)
    if budget is not None:
        high = max(min(high, budget), min(low, budget))
        low = min(low, high)
    if folds is not None:
        stages.append(_cross_validation(planned, found, budget, folds))
        low, high = low + stages[-1].low, high + stages[-1].high
    per_epoch = math.ceil(planned.rows["train"] / planned.batch_size)
    return TrainingEstimate(
        rows=dict(planned.rows),
        tokens=texts.tokens(),
        steps=steps,
        epochs=steps / per_epoch,
        batch_size=planned.batch_size,
        evaluations=steps // planned.every() if planned.every() else 0,
        stages=tuple(stages),
        low=low,
        high=high,
        memory=found.memory,
        disk=disk,
        time_budget=budget,
    )


def _stages(planned: Planned, found: Rehearsed, budget: float | None) -> tuple[list[Stage], int]:
    """Return the stages of one training, and its number of steps."""
    rows, tokens = planned.rows["train"], planned.tokens
    prepare = planned.prepare + found.load
    stages = [_stage("prepare", prepare, 0.2, "read, tokenize and check the data, load the model")]
    if found.features is not None:
        read = found.features.token_seconds * tokens * min(rows, MAX_PROBE_ROWS)
        low, high = _range(read, found.features.error)
        what = "features of the rows, and a linear layer fitted to them"
        stages.append(Stage("probe", low + 0.4 * found.fit, high + 1.3 * found.fit, what))
    evaluation = found.evaluation.token_seconds * tokens * planned.rows.get("eval", 0)
    publish = found.weights / DISK_RATE
    steps, every = (0, 0) if found.step is None else (planned.steps(), planned.every())
    if found.step is not None:
        step = found.step.token_seconds * tokens * planned.batch_size
        if budget is not None:
            left = budget * (1 - RESERVE_SHARE) - RESERVE_S - evaluation * 4
            left -= sum(each.high + each.low for each in stages) / 2
            steps = min(steps, max(0, int(left / step)))
            every = min(every, -(-steps // 2)) if every else 0
        stages += _tuning(
            steps, every, found.step, step, (evaluation, 3 * found.weights / DISK_RATE)
        )
    elif evaluation:
        stages.append(
            _stage("evaluations", evaluation, found.evaluation.error, "1 of the eval rows")
        )
    low, high = PUBLISH
    stages.append(Stage("publish", low + publish, high + 2 * publish, "calibrate, write and check"))
    return stages, steps


def _tuning(
    steps: int, every: int, rate: Rate, step: float, evaluation: tuple[float, float]
) -> list[Stage]:
    """Return the stages of the fine-tuning: its steps, and its evaluations with their checkpoints."""
    count = steps // every if every else 0
    # At the earliest, the first evaluation is the best one.
    earliest = min(steps, every * (PATIENCE + 1)) if every else steps
    low, high = _range(step * steps, rate.error)
    what = f"{steps:,} steps"
    if earliest < steps:
        what += f"; stops after {earliest:,} if the first evaluation stays the best"
    stages = [Stage("fine-tuning", low * earliest / max(1, steps), high, what)]
    if evaluation[0]:
        # The probe is scored before the training, and the model after it.
        fewest = (earliest // every if every else 0) + 2
        low, high = _range(evaluation[0], 0.1)
        what = f"{count + 2} of the eval rows, {count} with a checkpoint"
        stages.append(
            Stage(
                "evaluations",
                fewest * low + (fewest - 2) * evaluation[1] / 2,
                (count + 2) * high + count * evaluation[1] * 2,
                what,
            )
        )
    return stages


def _cross_validation(
    planned: Planned, found: Rehearsed, budget: float | None, folds: int
) -> Stage:
    """Return the stage of a cross-validation: a training for each fold, with a fifth set aside."""
    total = sum(planned.rows.values())
    kept = total * (folds - 1) / folds
    fold = replace(planned, rows={"train": round(0.8 * kept), "eval": round(0.2 * kept)}, prepare=0)
    stages, _ = _stages(fold, found, None)
    stages = [each for each in stages if each.name != "publish"]
    predict = found.evaluation.token_seconds * planned.tokens * total / folds
    low = folds * (sum(each.low for each in stages) + predict)
    high = folds * (sum(each.high for each in stages) + predict)
    return Stage("cross-validation", low, high, f"{folds} trainings, each without one fold")


def _stage(name: str, seconds: float, error: float, what: str) -> Stage:
    return Stage(name, *_range(seconds, error), what)


def _range(seconds: float, error: float) -> tuple[float, float]:
    """Return the range of a duration with this relative standard error."""
    spread = min(WIDEST, NOISE + 2 * error)
    return seconds * (1 - spread), seconds * (1 + spread)
