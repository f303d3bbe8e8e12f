"""TensorBoard: event files in the ``logs`` of the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from clx.ml.run_directory.layout import LOGS, RunDir
from clx.ml.tracking.trackers import FINAL, Beginning, by_section

ELSEWHERE = "TENSORBOARD_LOGGING_DIR"
"""The variable of transformers for another folder, in which each run gets a folder of its name."""


class TensorBoard:
    """Writes scalars, the parameters as a table, and both for the tab HParams."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._parameters: Mapping[str, Any] = {}

    def begin(self, beginning: Beginning) -> dict[str, Any]:
        """Open an event file; a resumed training hides the steps that it repeats."""
        elsewhere = os.environ.get(ELSEWHERE)
        folder = beginning.folder
        if elsewhere:
            folder = Path(elsewhere).expanduser() / beginning.run_name
        purge = beginning.step + 1 if beginning.step else None
        self._writer = _summary_writer()(log_dir=str(folder), purge_step=purge)
        self._parameters = beginning.parameters
        rows = "\n".join(f"|{_cell(k)}|{_cell(v)}|" for k, v in beginning.parameters.items())
        self._writer.add_text("parameters", f"|option|value|\n|-|-|\n{rows}", beginning.step)
        return {"folder": str(folder.absolute()) if elsewhere else LOGS}

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write scalars."""
        for name, number in by_section(numbers).items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()

    def conclude(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the final metrics and close the file, which is then copied into the run."""
        final = {FINAL + name: number for name, number in metrics.items()}
        for name, number in final.items():
            self._writer.add_scalar(name, number, step)
        for summary in _hparams(self._writer)(dict(self._parameters), dict.fromkeys(final, 0.0)):
            self._writer.file_writer.add_summary(summary)
        self.end("")

    def publish(self, run: RunDir) -> None:
        """Do nothing: the event files are beside the report."""

    def end(self, status: str) -> None:
        """Close the event file; TensorBoard knows no status."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _summary_writer() -> Any:
    """Return the class of torch, or of tensorboardX if tensorboard is not installed."""
    try:
        return import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError:
        return import_module("tensorboardX").SummaryWriter


def _hparams(writer: Any) -> Any:
    of_torch = type(writer).__module__.startswith("torch")
    package = "torch.utils.tensorboard" if of_torch else "tensorboardX"
    return import_module(f"{package}.summary").hparams


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
