"""The order of training rows, and the order of evaluated rows given back."""

import numpy as np
import pytest
from datasets import Dataset

from clx.ml.sampling import LengthGroupedSampler, input_lengths, restored, sorted_by_length

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(3, 200, size=1003).tolist()


def batches(sampler, size=16):
    rows = list(sampler)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def test_every_row_once_an_epoch():
    sampler = LengthGroupedSampler(LENGTHS, 16, seed=1)
    assert sorted(sampler) == list(range(1003))
    assert len(sampler) == 1003


def test_batches_hold_like_lengths_and_padding_is_little():
    def padding(order):
        return sum(max(LENGTHS[i] for i in b) * len(b) - sum(LENGTHS[i] for i in b) for b in order)

    grouped = padding(batches(LengthGroupedSampler(LENGTHS, 16, seed=1)))
    shuffled = RANDOM.permutation(1003).tolist()
    assert grouped < 0.15 * padding([shuffled[i : i + 16] for i in range(0, 1003, 16)])


def test_longest_row_comes_first_and_the_incomplete_batch_last():
    sampler = LengthGroupedSampler(LENGTHS, 16, seed=3)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        order = batches(sampler)
        assert LENGTHS[order[0][0]] == max(LENGTHS[i] for b in order[:-1] for i in b)
        assert [len(batch) for batch in order] == [16] * 62 + [11]


def test_order_depends_on_seed_and_epoch_alone():
    one, same, other = (LengthGroupedSampler(LENGTHS, 16, seed=seed) for seed in (1, 1, 2))
    first = list(one)
    assert first == list(same) == list(one)
    assert first != list(other)
    one.set_epoch(1)
    assert first != list(one)
    one.set_epoch(0)
    assert first == list(one)


def test_batches_do_not_come_in_order_of_length():
    order = batches(LengthGroupedSampler(LENGTHS, 16, seed=1))[1:-1]
    means = [np.mean([LENGTHS[i] for i in batch]) for batch in order]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.4


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 32])
def test_few_rows(rows):
    sampler = LengthGroupedSampler(LENGTHS[:rows], 16, seed=1)
    assert sorted(sampler) == list(range(rows))


def test_sorting_a_dataset_and_restoring_its_order():
    rows = [[1] * n for n in (3, 9, 1, 9, 5)]
    dataset = Dataset.from_dict({"input_ids": rows, "labels": [0, 1, 2, 3, 4]})
    assert input_lengths(dataset) == [3, 9, 1, 9, 5]
    ordered, where = sorted_by_length(dataset)
    assert [len(ids) for ids in ordered["input_ids"]] == [9, 9, 5, 3, 1]
    labels = np.array(ordered["labels"])
    assert restored(labels, where).tolist() == [0, 1, 2, 3, 4]
    nested = restored((labels, {"a": labels}, None), where)
    assert nested[0].tolist() == nested[1]["a"].tolist() == [0, 1, 2, 3, 4]
    assert nested[2] is None
