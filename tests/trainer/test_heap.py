"""Memory that a training on a CPU has freed goes back to the system."""

import ctypes
import gc
import os
import sys
from pathlib import Path

import pytest
import torch

from clx.ml import training_run
from clx.ml.trainer.callbacks import EVERY, trim_heap

MB = 2**20


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's heap"
)
def test_pieces_of_the_heap_that_nothing_uses_are_given_back():
    # Of a block of memory each second piece stays in use: the heap cannot shrink from its end.
    pieces = [torch.ones(12_500) for _ in range(4000)]
    used = pieces[::2]
    del pieces
    gc.collect()
    before = resident()
    trim_heap()
    assert before - resident() > 50 * MB
    assert float(sum(piece[0] for piece in used)) == len(used)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="only done on a CPU")
def test_a_training_and_an_evaluation_give_back(tiny_model, fruit, monkeypatch):
    times = []
    monkeypatch.setattr("clx.ml.trainer.callbacks.trim_heap", lambda: times.append(1))
    run = training_run(
        "classification",
        "given",
        base_model_name=tiny_model,
        training_args={
            "max_steps": 2 * EVERY,
            "per_device_eval_batch_size": 1,
            "disable_tqdm": True,
        },
    )
    run.train(fruit)
    assert len(times) == 2
    run.evaluate(fruit)
    assert len(times) == 2 + len(fruit) // EVERY
