"""The order of rows in a Trainer: batches of similar length for training, sorted for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import EvalPrediction, Trainer

from clx.ml.data.lazy_dataset import LazyDataset
from clx.ml.data.lengths import input_lengths
from clx.ml.trainer.lazy_order import AT_ONCE, LazySampler, longest_first
from clx.ml.trainer.sampling import (
    LengthGroupedSampler,
    length_order,
    positions,
    restored,
)

_OWN_EVALUATION = (
    "_get_eval_sampler",
    "get_eval_dataloader",
    "get_test_dataloader",
    "evaluation_loop",
)

JOINED_BATCHES = 256
"""The batches of very many rows whose scores are joined with the earlier ones at once."""


class _InOrder(torch.utils.data.Sampler[int]):
    """Yields the row numbers that it was given."""

    def __init__(self, rows: Sequence[int] | np.ndarray[Any, Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[int]:
        for start in range(0, len(self.rows), AT_ONCE):
            yield from map(int, self.rows[start : start + AT_ONCE])


class RowOrder:
    """Mixed into a task's Trainer.

    Attributes:
        group_by_length: whether training batches hold rows of similar length.
        sort_evaluation: whether evaluation takes the longest rows first. Its output, and the input of
            ``compute_metrics``, are in the order of the data nevertheless.
        own_order: whether the task's Trainer orders training rows itself.
    """

    group_by_length = True
    sort_evaluation = True
    own_order = False

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = train_dataset if train_dataset is not None else self.train_dataset  # type: ignore[attr-defined]
        args = self.args  # type: ignore[attr-defined]
        seed = args.seed if args.data_seed is None else args.data_seed
        if isinstance(dataset, LazyDataset) and self._is_random:
            sizes = dataset.lengths if self.group_by_length else None
            return LazySampler(len(dataset), sizes, args.train_batch_size * args.world_size, seed)
        is_measured = self.group_by_length and hasattr(dataset, "column_names")
        lengths = input_lengths(dataset) if is_measured else None
        if lengths is None:
            return super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        return LengthGroupedSampler(lengths, args.train_batch_size * args.world_size, seed)

    @property
    def _is_random(self) -> bool:
        """Whether rows are in a random order of clx: by length, or by nothing."""
        args = self.args  # type: ignore[attr-defined]
        return not self.own_order and (
            self.group_by_length or args.train_sampling_strategy == "random"
        )

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        order = self._evaluation_order(eval_dataset)
        if order is None:
            return super()._get_eval_sampler(eval_dataset)  # type: ignore[misc]
        return _InOrder(order)

    def _evaluation_order(self, dataset: Any) -> Sequence[int] | np.ndarray[Any, Any] | None:
        """Return the row numbers, longest row first; None to keep the order of the data."""
        args = self.args  # type: ignore[attr-defined]
        # With these options the original order cannot be restored.
        is_fixed = args.batch_eval_metrics or not args.eval_do_concat_batches
        if not self.sort_evaluation or is_fixed:
            return None
        if isinstance(dataset, LazyDataset):
            return None if dataset.lengths is None else longest_first(dataset.lengths)
        lengths = input_lengths(dataset) if hasattr(dataset, "column_names") else None
        return None if lengths is None else length_order(lengths)

    def get_eval_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        """Return the batches of an evaluation, which cover all rows."""
        with self._all_rows():
            return super().get_eval_dataloader(*args, **kwargs)  # type: ignore[misc]

    def get_test_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        """Return the batches of a prediction, which cover all rows."""
        with self._all_rows():
            return super().get_test_dataloader(*args, **kwargs)  # type: ignore[misc]

    @contextmanager
    def _all_rows(self) -> Iterator[None]:
        """Apply ``dataloader_drop_last`` to training only: metrics need all rows."""
        args = self.args  # type: ignore[attr-defined]
        before, args.dataloader_drop_last = args.dataloader_drop_last, False
        try:
            yield
        finally:
            args.dataloader_drop_last = before

    def evaluation_loop(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """Evaluate in the order of length, and return everything in the order of the data."""
        with self._joined_rarely(getattr(dataloader, "dataset", None)):
            return self._in_order(dataloader, *args, **kwargs)

    @contextmanager
    def _joined_rarely(self, dataset: Any) -> Iterator[None]:
        """Let the Trainer join the scores of many batches at once: it copies all of them each time."""
        args = self.args  # type: ignore[attr-defined]
        before = args.eval_accumulation_steps
        if before is None and isinstance(dataset, LazyDataset):
            args.eval_accumulation_steps = JOINED_BATCHES
        try:
            yield
        finally:
            args.eval_accumulation_steps = before

    def _in_order(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        order = self._evaluation_order(getattr(dataloader, "dataset", None))
        if order is None:
            return super().evaluation_loop(dataloader, *args, **kwargs)  # type: ignore[misc]
        where = positions(order) if isinstance(order, list) else np.argsort(order)
        compute = self.compute_metrics  # type: ignore[has-type]
        if compute is not None:
            self.compute_metrics = lambda prediction: compute(_in_data_order(prediction, where))
        try:
            output = super().evaluation_loop(dataloader, *args, **kwargs)  # type: ignore[misc]
        finally:
            self.compute_metrics = compute
        return output._replace(
            predictions=restored(output.predictions, where),
            label_ids=restored(output.label_ids, where),
        )


def _in_data_order(prediction: EvalPrediction, where: Any) -> EvalPrediction:
    return EvalPrediction(
        predictions=restored(prediction.predictions, where),
        label_ids=restored(prediction.label_ids, where),
        inputs=restored(prediction.inputs, where),
        losses=restored(prediction.losses, where),
    )


def trainer_type(task_trainer: type, group_by_length: bool, *mixed_in: type) -> type[Trainer]:
    """Return a subclass of the task's Trainer with our order of rows, unless it has its own.

    Args:
        task_trainer: the task's class.
        group_by_length: whether training batches may hold rows of similar length.
        mixed_in: more base classes.
    """
    own_evaluation = any(_overrides(task_trainer, name) for name in _OWN_EVALUATION)
    own_order = _overrides(task_trainer, "_get_train_sampler")
    order = {
        "group_by_length": group_by_length and not own_order,
        "own_order": own_order,
        "sort_evaluation": not own_evaluation,
    }
    return type(task_trainer.__name__, (*mixed_in, RowOrder, task_trainer), order)


def _overrides(task_trainer: type, name: str) -> bool:
    return getattr(task_trainer, name) is not getattr(Trainer, name)
