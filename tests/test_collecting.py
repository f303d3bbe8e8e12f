"""Garbage collections that look at new objects only."""

import gc
import weakref

from clx.ml.collecting import new_garbage_only


class Cycle:
    def __init__(self):
        self.me = self


def test_new_garbage_is_collected_and_old_objects_are_not_looked_at():
    before = len(gc.get_objects())
    with new_garbage_only():
        assert len(gc.get_objects()) < before / 10
        new = weakref.ref(Cycle())
        gc.collect()
        assert new() is None
        old = weakref.ref(Cycle())
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert old() is None


def test_what_others_froze_stays_frozen():
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        with new_garbage_only():
            assert gc.get_freeze_count() == count
        assert gc.get_freeze_count() == count
    finally:
        gc.unfreeze()
