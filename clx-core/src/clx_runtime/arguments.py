"""The arguments of a prediction."""

from __future__ import annotations

from typing import Any

from clx_runtime.errors import ConfigError
from clx_runtime.problems import cell

MAX_BATCH_SIZE = 1_000_000


def check_batch_size(batch_size: Any) -> int | None:
    """Return the batch size, or None, which leaves it to the device.

    Raises:
        ConfigError: it is not a whole number from 1 to ``MAX_BATCH_SIZE``.
    """
    if batch_size is None:
        return None
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(
            f"batch_size must be a whole number of at least 1, but is {cell(batch_size)}"
        )
    if batch_size > MAX_BATCH_SIZE:
        raise ConfigError(f"batch_size must be at most {MAX_BATCH_SIZE}, but is {cell(batch_size)}")
    return batch_size


def check_min_score(min_score: Any) -> float | None:
    """Return the minimum score, or None if there is no minimum.

    Raises:
        ConfigError: it is not a number from 0 to 1.
    """
    is_number = isinstance(min_score, int | float) and not isinstance(min_score, bool)
    if min_score is not None and not (is_number and 0 <= min_score <= 1):
        raise ConfigError(f"min_score must be a number from 0 to 1, but is {cell(min_score)}")
    return min_score  # type: ignore[no-any-return]
