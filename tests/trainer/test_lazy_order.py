"""The order of rows that are not in memory: the one of rows in memory, without lists."""

import numpy as np
import pytest

from clx.ml.data import row_pass
from clx.ml.trainer.lazy_order import LazySampler
from clx.ml.trainer.sampling import LengthGroupedSampler


@pytest.mark.parametrize("rows", [1, 7, 8, 1000, 5003])
@pytest.mark.parametrize("on_disk", [False, True])
def test_order_by_length_is_that_of_rows_in_memory(rows, on_disk, monkeypatch):
    monkeypatch.setattr(row_pass, "IN_MEMORY", 0 if on_disk else 10**6)
    lengths = np.random.default_rng(0).integers(1, 60, rows).astype(np.int32)
    lazy = LazySampler(rows, lengths, 8, seed=3)
    known = LengthGroupedSampler(lengths.tolist(), 8, seed=3)
    for epoch in range(3):
        lazy.set_epoch(epoch)
        known.set_epoch(epoch)
        assert list(lazy) == list(known)


def test_random_order_is_a_permutation_and_another_one_each_epoch():
    sampler = LazySampler(10_000, None, 8, seed=3)
    first = list(sampler)
    assert sorted(first) == list(range(10_000))
    assert list(sampler) == first
    # A buffer would leave early rows early.
    assert abs(np.mean(first[:1000]) - 5000) < 500
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(sampler) == list(range(10_000))
