"""Garbage collection that examines only new objects during a training."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def new_garbage_only() -> Iterator[None]:
    """Exclude the objects that exist already from garbage collection.

    A full collection walks a million objects of torch and transformers, none of which is garbage,
    and a training runs several collections: accelerate starts with one, and clx frees the
    Trainer's cycles with another. Nothing leaks: the next full collection after this context finds
    the excluded objects that became garbage.
    """
    if gc.get_freeze_count():
        # Other code froze objects; unfreezing would release them too.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
