"""Decide which trainings are the same: ignore config entries that do not affect the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.ml.task.legacy_names import PAIRS

PASSING_OPTIONS = frozenset({"report_to", "strict_data", "strict_length", "lora_merge"})
"""Options that log a training, stop it, or add files beside the model."""

PASSING_ARGUMENTS = frozenset(
    {
        "report_to",
        "run_name",
        "project",
        "trackio_space_id",
        "disable_tqdm",
        "log_level",
        "log_level_replica",
        "log_on_each_node",
        "logging_strategy",
        "logging_steps",
        "logging_first_step",
        "skip_memory_metrics",
    }
)
"""Training arguments that only say what is logged and shown."""

OF_INSTALLATION = frozenset({"clx_version", "task_version"})
"""Entries of a config that say which versions wrote it."""

OF_PLACE = frozenset({"run_name"})
"""Entries of a config that say where the run is, which may have been moved."""


_PASSING = PASSING_OPTIONS | OF_INSTALLATION | OF_PLACE


def identifying(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a config that must be equal for two trainings to be the same.

    A training or a tuning may go on with another tracker, or with other progress bars.
    """
    kept = {k: v for k, v in config.items() if k not in _PASSING}
    arguments = kept.get("training_args")
    if isinstance(arguments, Mapping):
        kept["training_args"] = {
            PAIRS.get(k, k): v for k, v in arguments.items() if k not in PASSING_ARGUMENTS
        }
    return kept
