"""Which share of the parts a worker does."""

import pytest

from clx.errors import ConfigError
from clx.ml.batch.shard import Shard, shard_of


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 100])
def test_the_shards_are_ranges_that_have_every_item_once(count):
    items = list(range(16))
    shares = [Shard(number, count).of(items) for number in range(1, count + 1)]
    assert [item for share in shares for item in share] == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


ARRAY = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4"}


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({**ARRAY, "SLURM_ARRAY_TASK_MIN": "5"}, "3/4"),
        ({**ARRAY, "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2"}, "4/4"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, "1/8"),
        # An array of jobs with one task each.
        ({**ARRAY, "SLURM_ARRAY_TASK_MIN": "5", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, "3/4"),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}, "4/4"),
        ({"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "2"}, "2/2"),
        ({"JOB_COMPLETION_INDEX": "9", "CLX_SHARDS": "10"}, "10/10"),
        ({"JOB_COMPLETION_INDEX": "0", "JOB_COMPLETIONS": "3"}, "1/3"),
        ({"RANK": "0", "WORLD_SIZE": "1"}, "1/1"),
    ],
    ids=str,
)
def test_auto_reads_the_schedulers_variables(environment, shard):
    assert str(shard_of("auto", environment)) == shard


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "none of them is set: write the shard"),
        ({"JOB_COMPLETION_INDEX": "1"}, "set the variable CLX_SHARDS"),
        (
            {"RANK": "1", "WORLD_SIZE": "4", "SKYPILOT_NODE_RANK": "0", "SKYPILOT_NUM_NODES": "2"},
            "ambiguous: torchrun says 2/4, SkyPilot says 1/2",
        ),
        ({"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "2"}, "an array without gaps"),
        ({"RANK": "one", "WORLD_SIZE": "4"}, "needs whole numbers, but finds RANK=one"),
        ({"RANK": "4", "WORLD_SIZE": "4"}, "RANK=4, WORLD_SIZE=4 is not a shard"),
    ],
    ids=str,
)
def test_auto_says_what_it_cannot_read(environment, told):
    with pytest.raises(ConfigError, match=told):
        shard_of("auto", environment)


@pytest.mark.parametrize("value", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", 3])
def test_what_is_no_shard_is_refused(value):
    with pytest.raises(ConfigError, match="shard"):
        shard_of(value, {})
