"""The built-in metrics logger: one JSON line per logging step in ``logs/metrics.jsonl``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.plugins.hookspecs import hookimpl
from clx.ml.run_directory.layout import LOGS, METRICS_LOG

if TYPE_CHECKING:
    from clx.ml.task.task import Task


@hookimpl
def clx_trainer_callbacks(run: Task, work_dir: Path) -> list[Any]:
    """Return the callback that logs a training."""
    from transformers import TrainerCallback

    path = work_dir / LOGS / METRICS_LOG

    class MetricsLog(TrainerCallback):  # type: ignore[misc]
        """Append the values that the Trainer logs, with the step and epoch."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Append one line; NaN and infinity become null."""
            if not state.is_world_process_zero or not logs:
                return
            line = {"step": state.global_step, "epoch": state.epoch}
            line |= {key: _number(value) for key, value in logs.items() if key != "epoch"}
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    return [MetricsLog()]


def _number(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | str | bool) else str(value)
