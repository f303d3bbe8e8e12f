"""Check a written run before it replaces the old one: it must open, and score like the trained model.

A model that cannot be loaded again would otherwise replace a good run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import set_seed

from clx.errors import ModelError, NotPublishedError
from clx.ml.data.splits import tokenised_split
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.layer import model_batches
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.marks import complete_checkpoints
from clx.ml.run_directory.staging import set_aside

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task
    from clx.ml.training.job import Job

ROWS = 16
SEED = 0
LIMIT = 1e-3
"""The largest allowed difference of a probability, or of a score relative to its size."""

Reopen = Callable[[RunDir, str], Any]
"""Opens a run directory on a device, as a user would: returns the run, a task with its model."""


@contextlib.contextmanager
def refused(new: RunDir, place: RunDir, job: Job) -> Iterator[None]:
    """If the block raises, set the new run aside and report where it is.

    Args:
        new: the written run.
        place: where it would have been published.
        job: the training.

    Raises:
        NotPublishedError: the block failed.
    """
    try:
        yield
    except Exception as error:
        was_there = place.is_complete()
        kept = set_aside(new, place)
        again = "train again"
        if complete_checkpoints(place.checkpoints):
            again += " (resume=True continues from the last checkpoint)"
        said = str(error) or type(error).__name__
        raise NotPublishedError(
            f"The training of {job.task.run_name!r} is complete, but its run could not be opened, so it "
            f"was not published: {said.replace(str(new.path), str(kept))}\n"
            f"{f'The earlier run in {place.path} is unchanged. ' * was_there}The files of the new one "
            f"are in {kept} until a training of this run succeeds. Correct the task "
            f"{job.task.name!r}, whose load_model() must return the same model from the saved files, "
            f"and {again}."
        ) from error


def check_opens(new: RunDir, job: Job, model: PreTrainedModel, reopen: Reopen) -> None:
    """Open a written run as a user would, and compare its scores with those of the trained model.

    Args:
        new: the complete run.
        job: the training, whose first rows are scored.
        model: the trained model, in evaluation mode.
        reopen: opens a run directory.

    Raises:
        ClxError: the run cannot be opened, or it scores differently.
    """
    frame = job.train.frame
    sample = frame.iloc[:: max(1, len(frame) // ROWS)].iloc[:ROWS]
    try:
        expected = _scores(job.task, job.tokenizer, model, sample)
    except Exception:
        # A model that needs more than its inputs, such as labels, cannot be compared this way.
        expected = None
    with quiet_transformers():
        run, loaded = _loaded(new, model.device, reopen)
    if expected is None:
        return
    problem = _difference(expected, _scores(run, run.tokenizer, loaded, sample))
    if problem is None:
        return
    # Rows that are random in spite of the seed cannot be compared. Loading compared the weights.
    if _difference(expected, _scores(job.task, job.tokenizer, model, sample)) is None:
        raise ModelError(problem)


def _difference(expected: list[torch.Tensor], found: list[torch.Tensor]) -> str | None:
    """Return how the scores of the opened model differ, None if only rounding differs."""
    if [each.shape for each in found] != [each.shape for each in expected]:
        return "the opened model returns scores of a different shape than the trained model"
    for one, two in zip(expected, found, strict=True):
        if not torch.allclose(one, two, rtol=LIMIT, atol=LIMIT, equal_nan=True):
            return (
                f"the opened model does not score like the trained model: a score differs by "
                f"{float((one - two).abs().max()):.2g}"
            )
    return None


def _loaded(new: RunDir, device: torch.device, reopen: Reopen) -> tuple[Any, PreTrainedModel]:
    """Return the opened run and its model, on the CPU if the device has no memory for a second one."""
    try:
        run = reopen(new, str(device))
        return run, run.model
    except torch.OutOfMemoryError:
        run = reopen(new, "cpu")
        return run, run.model


def _scores(
    task: Task, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, frame: pd.DataFrame
) -> list[torch.Tensor]:
    """Return the model's scores for rows, one tensor per batch."""
    # Some collators draw random numbers, such as the one that masks tokens.
    set_seed(SEED)
    rows = tokenised_split(task, tokenizer, "train", frame).dataset
    # A long text may have hundreds of windows.
    rows = rows.select(range(min(len(rows), ROWS)))
    found = []
    with torch.no_grad():
        for _, fed in model_batches(model, rows, task.load_data_collator()):
            outputs = model(**fed)
            scores = outputs.logits if hasattr(outputs, "logits") else outputs[0]
            found.append(scores.float().cpu())
    return found


def score_difference(
    model: PreTrainedModel,
    folder: Path,
    rows: Dataset,
    collator: Callable[[list[dict[str, Any]]], Any],
) -> float:
    """Return the largest difference in a probability between plain transformers and the trained model.

    Args:
        model: the model in memory, in evaluation mode.
        folder: the folder that ``save_pretrained`` wrote.
        rows: tokenized rows, of which a sample is predicted.
        collator: combines rows into a batch.

    Raises:
        ModelError: the difference is larger than rounding explains.
    """
    loaded = type(model).from_pretrained(folder, local_files_only=True, use_safetensors=True)
    loaded.to(model.device).eval()
    sample = rows.select(range(0, len(rows), max(1, len(rows) // ROWS)))
    largest = 0.0
    with torch.no_grad():
        for _, fed in model_batches(model, sample, collator):
            both = [_probabilities(each(**fed).logits, model) for each in (model, loaded)]
            largest = max(largest, float((both[0] - both[1]).abs().max()))
    if not largest <= LIMIT:
        raise ModelError(
            f"The saved model does not score like the trained model: a probability differs by "
            f"{largest:.2g}. Train with pooling='model', and please report the base model"
        )
    return largest


def _probabilities(logits: torch.Tensor, model: PreTrainedModel) -> torch.Tensor:
    if model.config.problem_type == "regression":
        return logits.float()
    if model.config.problem_type == "multi_label_classification":
        return logits.float().sigmoid()
    return logits.float().softmax(dim=-1)
