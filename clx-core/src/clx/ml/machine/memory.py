"""Turn running out of memory into an error that says what would fit."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from clx.errors import OutOfMemoryError

SHORTER = "truncate texts earlier: tokenize_args={'max_length': …}"

CHECKPOINTING = ("activation_checkpointing", "gradient_checkpointing")
"""The new and the old name of one training argument: versions of transformers have one or both."""

SMALL_BATCH = 8
"""The number of rows to suggest if no batch size was given."""

_MESSAGES = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_cpu")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that the machine or a device has run out of memory."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(message in text for message in _MESSAGES)


def memory_for_training(
    arguments: Mapping[str, Any], all_weights: bool = False
) -> AbstractContextManager[None]:
    """Turn running out of memory in a training into an error that says which batch size to try.

    Args:
        arguments: the training arguments.
        all_weights: whether all weights are trained, so that ``lora=True`` would help.

    Raises:
        OutOfMemoryError: it suggests half the batch size and twice the gradient accumulation, which
            together train the same.
    """

    def advise(_: Exception) -> tuple[str, list[str]]:
        batch = int(arguments.get("per_device_train_batch_size", 8))
        accumulate = int(arguments.get("gradient_accumulation_steps", 1))
        ways = [SHORTER]
        if batch > 1:
            ways.insert(
                0,
                f"training_args={{'per_device_train_batch_size': {batch // 2}, "
                f"'gradient_accumulation_steps': {accumulate * 2}}}, which takes about half the memory "
                f"and trains the same",
            )
        if not any(arguments.get(name) for name in CHECKPOINTING):
            ways.append(
                "training_args={'gradient_checkpointing': True}, which takes less memory and is slower"
            )
        if all_weights:
            ways.append("lora=True, which trains few of the weights")
        return f"training with batches of {batch}", ways

    return _memory_named(advise)


def memory_for_features() -> AbstractContextManager[None]:
    """Turn running out of memory while reading the features of texts into an error.

    Raises:
        OutOfMemoryError: it suggests no batch size, because the caller cannot set one here.
    """
    return _memory_named(
        lambda error: ("reading the features of texts", [SHORTER, _smaller_model(error)])
    )


def memory_for_prediction(
    batch_size: int | None, way: str = "batch_size={}"
) -> AbstractContextManager[None]:
    """Turn running out of memory in a prediction into an error that says which batch size to try.

    Args:
        batch_size: the number of rows in a batch; None if a token budget chose it.
        way: how the caller sets the batch size, with ``{}`` for the number.

    Raises:
        OutOfMemoryError: it suggests half the batch size.
    """

    def advise(error: Exception) -> tuple[str, list[str]]:
        rows = SMALL_BATCH if batch_size is None else batch_size // 2
        ways = [way.format(rows)] if rows else []
        what = "a batch" if batch_size is None else f"a batch of {batch_size}"
        return f"predicting {what}", [*ways, _smaller_model(error)]

    return _memory_named(advise)


def with_memory_named(items: Iterable[Any], batch_size: int | None) -> Iterator[Any]:
    """Yield the items; running out of memory in between raises the error of a prediction."""
    with memory_for_prediction(batch_size):
        yield from items


@contextlib.contextmanager
def _memory_named(advise: Callable[[Exception], tuple[str, list[str]]]) -> Iterator[None]:
    """Turn running out of memory into an error; ``advise`` returns what did not fit and what to try."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        what, ways = advise(error)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        lines = "".join(f"\n  - {way}" for way in ways)
        raise OutOfMemoryError(
            f"Out of memory: {what} does not fit ({reason}). Try:{lines}"
        ) from error


def peak_memory() -> int | None:
    """Return the peak of this process's memory in bytes, None where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        # getrusage counts the peak of the process that started this one, too.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return None


def _smaller_model(error: Exception) -> str:
    """Return a remedy: a smaller model or, unless the CPU itself ran out of memory, the CPU."""
    on_cpu = isinstance(error, MemoryError) or "cpu" in str(error).lower()
    return "a smaller model" if on_cpu else "a smaller model, or device='cpu'"
