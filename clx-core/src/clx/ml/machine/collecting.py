"""Garbage collection that looks at new objects only, for as long as a training takes."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def new_garbage_only() -> Iterator[None]:
    """Leave what is there already out of garbage collections.

    A full collection walks a million objects of torch and transformers, none of which is garbage,
    and a training has several: accelerate begins with one, and ours frees the Trainer's cycles.
    Nothing is lost by it: what becomes garbage meanwhile is found by the next full collection.
    """
    if gc.get_freeze_count():
        # Somebody else froze objects, and they would be let loose with ours.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
