"""What ``train`` and ``evaluate`` return: frozen, printable, savable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.run_dir import write_json

if TYPE_CHECKING:
    import pandas as pd


def metrics_frame(metrics: Mapping[str, float]) -> pd.DataFrame:
    """Return metrics as a frame with the index ``metric`` and the column ``value``."""
    import pandas as pd

    return pd.DataFrame(
        {"value": list(metrics.values())}, index=pd.Index(list(metrics), name="metric")
    )


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as ``{"index": […], "columns": […], "rows": [[…]]}`` of plain values."""
    return {
        "index": [str(label) for label in table.index],
        "columns": [str(column) for column in table.columns],
        "rows": table.astype(object).to_numpy().tolist(),
    }


@dataclass(frozen=True)
class EvaluationResult:
    """How good a run is on some labelled data.

    Attributes:
        metrics: name → number, such as ``accuracy``.
        tables: name → frame; a classification run has ``per_label`` and ``confusion``.
        examples: a row each, on the data's index: text, given, predicted, score, given_score and
            correct; None for a task that has no such rows.
        rows: how many rows were evaluated.
        truncated: how many of their texts were cut to the input limit.
        seconds: how long it took.
    """

    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    examples: pd.DataFrame | None = field(default=None, repr=False)
    rows: int = 0
    truncated: int = 0
    seconds: float = 0.0

    @property
    def per_label(self) -> pd.DataFrame | None:
        """Precision, recall, F1 and support a label, None for a task that has no such table."""
        return self.tables.get("per_label")

    @property
    def confusion(self) -> pd.DataFrame | None:
        """Counts, a row a label and a column a prediction; None for a task without them."""
        return self.tables.get("confusion")

    def to_frame(self) -> pd.DataFrame:
        """Return the metrics as a frame with the index ``metric`` and the column ``value``."""
        return metrics_frame(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "metrics": self.metrics,
            "rows": self.rows,
            "truncated": self.truncated,
            "seconds": round(self.seconds, 3),
            "tables": {name: table_to_json(table) for name, table in self.tables.items()},
        }

    def save(self, folder: str | Path) -> Path:
        """Write ``evaluation.json`` and each table as csv into ``folder``; return the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "evaluation.json", self.to_dict())
        for name, table in self.tables.items():
            table.to_csv(folder / f"{name}.csv")
        return folder


@dataclass(frozen=True)
class TrainingResult:
    """What a training led to.

    Attributes:
        run_dir: where the trained run is.
        metrics: the metrics on the eval data, empty when there was none.
        evaluation: all of the evaluation, None when there was no eval data.
        train_loss: the mean loss over the training steps.
        steps: optimiser steps taken.
        epochs: passes over the training data.
        seconds: how long the training took, loading and saving included.
        rows: how many rows there were, for ``train`` and ``eval``.
        truncated: how many texts were cut to the input limit, for ``train`` and ``eval``.
    """

    run_dir: Path
    metrics: dict[str, float]
    evaluation: EvaluationResult | None = field(default=None, repr=False)
    train_loss: float = float("nan")
    steps: int = 0
    epochs: float = 0.0
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    truncated: dict[str, int] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Return the eval metrics as a frame with the index ``metric`` and the column ``value``."""
        return metrics_frame(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON (``results.json``)."""
        return {
            "metrics": self.metrics,
            "train_loss": self.train_loss if self.train_loss == self.train_loss else None,
            "steps": self.steps,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "rows": self.rows,
            "truncated": self.truncated,
            "evaluation": None if self.evaluation is None else self.evaluation.to_dict(),
        }
