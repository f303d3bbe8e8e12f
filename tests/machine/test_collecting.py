"""Memory: garbage collections that look at new objects only, and runs that let go of their models."""

import gc
import weakref

import pytest

from clx.ml import training_run
from clx.ml.machine.collecting import new_garbage_only


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
        # Some end meanwhile, with whatever other threads let go of; let loose, none would be counted.
        most = gc.get_freeze_count() // 2
        with new_garbage_only():
            assert gc.get_freeze_count() > most
        assert gc.get_freeze_count() > most
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("use", ["predict", "evaluate", "predict_frame", "report"])
def test_a_run_that_nobody_has_any_more_frees_its_model_at_once(trained, fruit, use):
    """A loop over many runs would fill memory if it took a full garbage collection."""
    run = training_run(load=trained)
    model = weakref.ref(run.model)
    gc.collect()
    gc.disable()
    try:
        if use == "predict":
            run.predict(["a cat", "grape"])
        elif use == "report":
            run.report(data=fruit)
        else:
            getattr(run, use)(fruit)
        del run
        assert model() is None
    finally:
        gc.enable()


def test_a_trained_run_frees_it_too(tiny_model, fruit):
    run = training_run(
        "classification",
        "freed",
        base_model_name=tiny_model,
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    run.train(fruit, fruit)
    model = weakref.ref(run.model)
    gc.collect()
    gc.disable()
    try:
        run.predict(["a cat"])
        del run
        assert model() is None
    finally:
        gc.enable()
