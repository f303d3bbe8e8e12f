"""The options and the config of a run that is edited."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

from clx.ml.run_directory.config import LEARNED, SCHEMA_VERSION
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.options import options_of_task
from clx.ml.task.task import Task


@contextlib.contextmanager
def options_restored_on_error(task: Task) -> Iterator[None]:
    """Let the block change the options of a task; they are as before if it raises."""
    before = copy.deepcopy(options_of_task(task))
    try:
        yield
    except BaseException:
        for name, value in before.items():
            setattr(task, name, value)
        raise


def edited_config(
    place: RunDir, values: Mapping[str, Any], made_with: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the config of a run with changed values; every other entry is kept.

    Args:
        place: the run. A config of an older schema is converted to the current one.
        values: the new values of options.
        made_with: for some of them, the value that a new training starts with.
    """
    config = place.read_config()
    learned = config.get(LEARNED)
    learned = dict(learned) if isinstance(learned, dict) else {}
    for name, first in made_with.items():
        learned.pop(name, None)
        if first != values[name]:
            learned[name] = first
    return {**config, "schema_version": SCHEMA_VERSION, **values, LEARNED: learned}
