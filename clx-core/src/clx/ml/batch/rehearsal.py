"""Measure the repeated stages of a training on a few of its rows. Nothing is kept.

The model is the one that the training would load. The steps change a copy in memory, which is dropped.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.batch.tokens import relative_error, spread
from clx.ml.data.lengths import input_lengths
from clx.ml.machine.memory import peak_memory
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.layer import collect_features, find_head, first_rows
from clx.ml.model.head.logistic import LogisticProblem
from clx.ml.model.head.newton import is_small
from clx.ml.model.head.validation import C_VALUES, MAX_CHOICE_ROWS, MIN_SPLIT_ROWS
from clx.ml.trainer.trainer import Fitting, make_trainer, predict_before_training, preserve_forward
from clx.ml.training.heads import base_model
from clx.ml.training.plan import dropout_to_leave_out
from clx_runtime.batches import batches

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, Trainer

    from clx.ml.training.job import Job

SECONDS = 2.0
"""How long the steps are measured. Features and evaluations take half as long."""

FEATURE_TOKENS = 4096
EVALUATED_ROWS = 64

CALLS = 130
"""The number of times that the search for a probe computes the loss (77 labels, MiniLM)."""

CALLS_OF_NEWTON = 40
"""The same for Newton's method, whose calls are more expensive."""


@dataclass(frozen=True)
class Rate:
    """A speed in tokens per second.

    Attributes:
        token_seconds: the seconds per token.
        error: its relative standard error.
    """

    token_seconds: float = 0.0
    error: float = 0.0


@dataclass(frozen=True)
class Rehearsed:
    """What was measured.

    Attributes:
        load: the seconds until the model was loaded.
        features: the pass over the rows for the probe; None for a model without a head for it.
        fit: the seconds of fitting the probe to all rows.
        step: the forward and backward passes, and the update; None without fine-tuning.
        evaluation: an evaluation.
        weights: the bytes of the weights.
        memory: the peak of this process, with the state of the optimizer, in bytes; None if unknown.
    """

    load: float
    features: Rate | None
    fit: float
    step: Rate | None
    evaluation: Rate
    weights: int
    memory: int | None


def rehearse(job: Job, rows: int, judged: bool) -> Rehearsed:
    """Load the base model and measure the parts of a training.

    Args:
        job: a training on a sample of the rows.
        rows: the number of rows that the probe would be fitted to.
        judged: whether texts that describe the labels are tried too, which doubles the search.
    """
    began = time.perf_counter()
    model = base_model(job, dropout_to_leave_out(job, None))
    load = time.perf_counter() - began
    dataset, collator = job.train.dataset, job.task.load_data_collator()
    with preserve_forward(model), quiet_transformers():
        arguments = {**job.arguments, "report_to": "none", "disable_tqdm": True}
        # The Trainer refuses arguments about an evaluation without eval rows.
        fitting = Fitting(dataset, dataset)
        trainer = make_trainer(job.task, job.tokenizer, model, arguments, job.work_dir, fitting)
        lengths = input_lengths(dataset) or [1] * len(dataset)
        layer = find_head(model, first_rows(model, dataset, collator))
        features, fit = None, 0.0
        if layer is not None and job.task.head_init == "probe":

            def read(some: Dataset) -> None:
                collect_features(model, layer, some, collator)

            groups = list(batches(lengths, model.device.type, most_tokens=FEATURE_TOKENS))
            features = _rate(dataset, lengths, spread(groups), read, SECONDS / 2)
            fit = _fit_seconds(rows, layer.in_features, layer.out_features, judged)
        evaluation = _evaluation(trainer, dataset, lengths)
        step = _steps(job, trainer, lengths) if job.call.fine_tune else None
    weights = sum(each.numel() * each.element_size() for each in model.parameters())
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    peak = peak_memory()
    if peak is not None and step is not None:
        # AdamW keeps two numbers per weight, which no step here has made.
        peak += 2 * 4 * trained
    return Rehearsed(load, features, fit, step, evaluation, weights, peak)


def _rate(
    dataset: Dataset,
    lengths: Sequence[int],
    groups: Sequence[list[int]],
    run: Callable[[Dataset], Any],
    seconds: float,
) -> Rate:
    """Return the rate of a function of rows; the first group warms up."""
    run(dataset.select(groups[0]))
    rates: list[tuple[int, float]] = []
    end = time.perf_counter() + seconds
    place = 0
    while not rates or time.perf_counter() < end:
        # With few rows at a time, the fixed cost of a call would dominate.
        group = [row for n in range(4) for row in groups[(place + n) % len(groups)]]
        began = time.perf_counter()
        run(dataset.select(group))
        rates.append((sum(lengths[row] for row in group), time.perf_counter() - began))
        place += 4
    return _joined(rates)


def _joined(rates: Sequence[tuple[int, float]]) -> Rate:
    tokens = sum(tokens for tokens, _ in rates)
    seconds = sum(seconds for _, seconds in rates)
    error = relative_error([each / max(1, count) for count, each in rates])
    return Rate(seconds / max(1, tokens), error if len(rates) > 1 else 0.25)


def _evaluation(trainer: Trainer, dataset: Dataset, lengths: Sequence[int]) -> Rate:
    places = list(range(0, len(dataset), max(1, len(dataset) // EVALUATED_ROWS)))
    began = time.perf_counter()
    predict_before_training(trainer, dataset.select(places), metrics=False)
    taken = time.perf_counter() - began
    return Rate(taken / max(1, sum(lengths[place] for place in places)), 0.25)


def _steps(job: Job, trainer: Trainer, lengths: Sequence[int]) -> Rate:
    """Return the rate of training steps on batches of rows of similar length."""
    model: PreTrainedModel = trainer.model
    size = int(job.arguments["per_device_train_batch_size"])
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    model.train()
    collator, dataset = trainer.data_collator, job.train.dataset
    rates: list[tuple[int, float]] = []
    # The longest batch comes first: it warms up, and takes the most memory.
    end = float("inf")
    for group in itertools.chain(groups[:1], itertools.cycle(spread(groups))):
        began = time.perf_counter()
        inputs = trainer._prepare_inputs(collator([dataset[row] for row in group]))
        with trainer.compute_loss_context_manager(), trainer.accelerator.autocast():
            loss = trainer.compute_loss(model, inputs)
        loss.backward()
        with torch.no_grad():
            # The approximate cost of gradient clipping and of the update.
            for weight in model.parameters():
                if weight.grad is not None:
                    weight.grad.mul_(0.999).square().sum()
        model.zero_grad(set_to_none=True)
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if end == float("inf"):
            end = now + SECONDS
            continue
        rates.append((sum(lengths[row] for row in group), now - began))
        if now > end:
            break
    return _joined(rates)


def _fit_seconds(rows: int, features: int, outputs: int, judged: bool) -> float:
    """Return the seconds that fitting a probe takes, from the time of one loss on these rows."""
    calls = CALLS_OF_NEWTON if is_small(min(rows, features), outputs, False) else CALLS
    # Fewer rows are cross-validated; of more, a fifth is held out once.
    chosen = 4 * rows if rows < MIN_SPLIT_ROWS else round(0.8 * min(rows, MAX_CHOICE_ROWS))
    searches = len(C_VALUES) * (2 if judged else 1)
    found = searches * _loss_seconds(chosen, features, outputs)
    if rows > 0:
        found += 2 * _loss_seconds(rows, features, outputs)
    return calls * found


def _loss_seconds(rows: int, features: int, outputs: int) -> float:
    """Return the seconds in which the loss of a probe and its gradient are computed once."""
    axes = max(1, min(rows, features))
    measured = min(max(rows, 1), 4096)
    inputs = torch.zeros(measured, axes)
    targets = torch.zeros(measured, dtype=torch.long)
    penalty = torch.ones(axes, 1)
    problem = LogisticProblem(inputs, targets, None, penalty, measured)
    solution = torch.zeros(axes + 1, outputs)
    taken = []
    with torch.no_grad(), suppress(RuntimeError):
        for _ in range(4):
            began = time.perf_counter()
            problem(solution)
            taken.append(time.perf_counter() - began)
    return min(taken, default=0.0) * rows / measured
