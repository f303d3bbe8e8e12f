"""What the processes of one training must agree on."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, ConfigError
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.machine.distributed import (
    TIMEOUT_S,
    broadcast,
    is_main_process,
    join,
    process_count,
    process_rank,
)
from clx.ml.machine.launch import launch_problems
from clx.ml.machine.watch import together
from clx.ml.run_directory.config import raise_config_problems
from clx.problems import cell, raise_problems
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from clx.ml.task.task import Task

RESUME = (
    "The run directory is as it was before the training. To continue from the newest checkpoint, start "
    "all processes again with resume=True"
)
REPEAT = "Nothing was written: start all processes again"

BATCH, PROCESSES = "per_device_train_batch_size", "processes"


@contextlib.contextmanager
def all_processes(task: Task, advice: str) -> Iterator[None]:
    """Let the block run in all processes or in none.

    Args:
        task: the task, with the options of the training.
        advice: what the user can do after a process was lost.

    Raises:
        ConfigError: the processes were started in a way that clx does not support.
        TrainingError: another process has ended.
    """
    given = task.training_args if isinstance(task.training_args, dict) else {}
    problems = launch_problems(trains_on_cpu(task.device, given))
    raise_config_problems(problems, f"The training of {task.run_name!r}")
    if process_count() > 1 and str(task.device).startswith("cuda:") and is_main_process():
        warnings.warn(
            f"Each process trains on a GPU of its own; device={task.device!r} is for predictions only",
            ClxWarning,
            stacklevel=user_level(),
        )
    with warnings.catch_warnings(), together(advice):
        if not is_main_process():
            # The main process gives the same warnings.
            warnings.simplefilter("ignore", ClxWarning)
        yield


def join_all(task: Task, arguments: Mapping[str, Any], place: Path | None = None) -> None:
    """Connect the processes of a training, and check that they train the same run.

    Args:
        task: the task.
        arguments: the training arguments that the user set.
        place: the run directory, None if nothing is published.

    Raises:
        ConfigError: the processes have different run directories.
    """
    timeout = float(arguments.get("ddp_timeout") or TIMEOUT_S)
    join(trains_on_cpu(task.device, arguments), timeout)
    own = None if place is None else place.name
    main = broadcast(own)
    if main != own:
        raise ConfigError(
            f"rank 0 trains {main!r}, but rank {process_rank()} trains {own!r}: give the run a name, "
            f"since the default has the time in it"
        )


def require_same(identity: Mapping[str, Any]) -> None:
    """Refuse a training whose processes have different data or options.

    Raises:
        ConfigError: this process and the first one differ.
    """
    mine = json.loads(json.dumps(identity))
    main = broadcast(mine)
    raise_problems(
        ConfigError,
        f"rank {process_rank()} has other data or options than rank 0:",
        [
            f"{where}: {cell(first)} in rank 0, {cell(own)} in rank {process_rank()}"
            for where, first, own in differences(main, mine)
        ],
        "All processes must read the same files and get the same options.",
    )


def require_shared(folder: Path, file: str) -> None:
    """Refuse a training whose processes do not share the folder of the runs.

    Args:
        folder: the folder of checkpoints.
        file: the name of a file that the main process wrote into it.

    Raises:
        ConfigError: this process does not find the file.
    """
    if not is_main_process() and not (folder / file).is_file():
        raise ConfigError(
            f"rank {process_rank()} does not find {folder}, which rank 0 wrote: on several machines, "
            f"run_dir_parent must be a folder that all of them share"
        )


def comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity in which only the rows of all processes in a step count.

    A training that was started with 1 process and batches of 16 is the same as one with 2 processes
    and batches of 8: its rows come in the same order.
    """
    config = dict(identity.get("config", {}))
    arguments = dict(config.get("training_args", {}))
    rest = {key: value for key, value in identity.items() if key != PROCESSES}
    if isinstance(arguments.get(BATCH), int):
        count = int(identity.get(PROCESSES, 1))
        arguments[f"{BATCH} of all processes"] = arguments.pop(BATCH) * count
    return {**rest, "config": {**config, "training_args": arguments}}


def differences(before: Any, after: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted path and both values of each leaf that differs between two JSON values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key), after.get(key), f"{where}.{key}".strip("."))
    elif before != after:
        yield where, before, after
