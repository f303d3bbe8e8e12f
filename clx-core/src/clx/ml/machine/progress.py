"""A progress bar over the parts of a long call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from clx.ml.machine.distributed import is_main_process

T = TypeVar("T")


def with_progress(
    items: Sequence[T], what: str, unit: str, arguments: Mapping[str, Any]
) -> Iterator[T]:
    """Yield the items behind a progress bar, which only the main process shows.

    Args:
        items: the parts.
        what: what the bar is called.
        unit: what an item is called.
        arguments: training arguments, whose ``disable_tqdm`` hides the bar.
    """
    from tqdm.auto import tqdm

    hidden = bool(arguments.get("disable_tqdm")) or not is_main_process()
    yield from tqdm(items, desc=what, unit=unit, disable=hidden)
