"""Out of memory: say what would have fitted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clx.errors import OutOfMemoryError

_SAID = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_cpu")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory, of the machine or a device, is used up."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(said in text for said in _SAID)


SHORTER = "tokenize_args={'max_length': …} cuts texts shorter"

SMALL_BATCH = 8
"""Rows to try where no batch size was given."""


@contextlib.contextmanager
def memory_for_training(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Turn running out of memory into an error that says which batch to try.

    Raises:
        OutOfMemoryError: with half the batch size, and the accumulation that keeps the training equal.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        batch = int(arguments.get("per_device_train_batch_size", 8))
        accumulate = int(arguments.get("gradient_accumulation_steps", 1))
        ways = [SHORTER]
        if batch > 1:
            ways.insert(
                0,
                f"training_args={{'per_device_train_batch_size': {batch // 2}, "
                f"'gradient_accumulation_steps': {accumulate * 2}}} takes about half of it and trains "
                f"the same",
            )
        if not arguments.get("gradient_checkpointing"):
            ways.append("training_args={'gradient_checkpointing': True} takes less and is slower")
        raise OutOfMemoryError(
            _message(f"training with batches of {batch}", error, ways)
        ) from error


@contextlib.contextmanager
def memory_for_features() -> Iterator[None]:
    """Turn running out of memory into an error for texts whose features are read.

    Raises:
        OutOfMemoryError: with what does not depend on a batch size: there is none to set.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        what = "reading the features of texts"
        raise OutOfMemoryError(_message(what, error, [SHORTER, _less(error)])) from error


@contextlib.contextmanager
def memory_for_prediction(batch_size: int | None, way: str = "batch_size={}") -> Iterator[None]:
    """Turn running out of memory into an error that says which batch size to try.

    Args:
        batch_size: rows of a batch; None where a budget of tokens chose them.
        way: how the caller sets it.

    Raises:
        OutOfMemoryError: with half the batch size.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        rows = SMALL_BATCH if batch_size is None else batch_size // 2
        ways = [way.format(rows)] if rows else []
        ways.append(_less(error))
        what = "a batch" if batch_size is None else f"batches of {batch_size}"
        raise OutOfMemoryError(_message(what, error, ways)) from error


def _less(error: Exception) -> str:
    """Return what takes less memory of the device that is full: of the CPU no other one has more."""
    of_cpu = isinstance(error, MemoryError) or "cpu" in str(error).lower()
    return "a smaller model" if of_cpu else "a smaller model, or device='cpu'"


def _message(what: str, error: Exception, ways: list[str]) -> str:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    lines = "".join(f"\n  - {way}" for way in ways)
    return f"Out of memory: {what} does not fit ({said}). Try:{lines}"


def with_memory_named(items: Iterable[Any], batch_size: int | None) -> Iterator[Any]:
    """Yield the items; running out of memory on the way is the error of a batch size."""
    with memory_for_prediction(batch_size):
        yield from items
