"""What ``train`` and ``evaluate`` return: frozen, printable, savable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.results.cards import Card, card_html, frame_table, metrics_table
from clx.ml.results.data_check import DataCheck
from clx.ml.results.decided import decisions
from clx.ml.results.json_tables import json_number, table_to_json
from clx.ml.results.mistakes import confident_mistakes, suspicious_labels
from clx.ml.results.pages import evaluation_report, learned_in_words
from clx.ml.results.row_split import RowSplit
from clx.ml.run_directory.files import write_json, writing
from clx.ml.run_directory.layout import REPORT, RunDir

if TYPE_CHECKING:
    import pandas as pd


def metrics_frame(metrics: Mapping[str, float]) -> pd.DataFrame:
    """Return metrics as a frame with the index ``metric`` and the column ``value``."""
    import pandas as pd

    return pd.DataFrame(
        {"value": list(metrics.values())}, index=pd.Index(list(metrics), name="metric")
    )


@dataclass(frozen=True)
class EvaluationResult:
    """The evaluation of a run on labeled data.

    Attributes:
        metrics: name → number, such as ``accuracy``.
        tables: name → frame; a classification run has ``per_label`` and ``confusion``.
        examples: one row per row of the data, with the same index; columns are the texts and
            ``given``, ``predicted``, ``score``, ``given_score`` and ``correct``. None for a task
            without such rows. Of rows on disk, only those that the report lists have texts.
        rows: the number of evaluated rows.
        truncated: the number of texts that were truncated to the input limit; of rows on disk, in
            a sample.
        seconds: the duration of the evaluation.
        about: the subject of the evaluation: the run's name, its task, base model and directory.
        learned_rows: how many of the rows the run was trained on, None if that is not known. It is an
            estimate for a run that was trained on more than 1,024 texts.
    """

    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    examples: pd.DataFrame | None = field(default=None, repr=False)
    rows: int = 0
    truncated: int = 0
    seconds: float = 0.0
    about: dict[str, str] = field(default_factory=dict, repr=False)
    learned_rows: int | None = None

    @property
    def per_label(self) -> pd.DataFrame | None:
        """Precision, recall, F1 and support per label, None for a task without this table."""
        return self.tables.get("per_label")

    @property
    def confusion(self) -> pd.DataFrame | None:
        """Counts by given label (rows) and predicted label (columns), None for a task without them."""
        return self.tables.get("confusion")

    @property
    def decision_curve(self) -> pd.DataFrame | None:
        """What each limit of the score would give, to choose one by; None for a task without it.

        Classification: ``min_score``, ``coverage``, ``accuracy``, ``rows``. Several labels:
        ``label``, ``threshold``, ``precision``, ``recall``, ``f1``, ``rows``.
        """
        return self.tables.get("decision_curve")

    def to_frame(self) -> pd.DataFrame:
        """Return the metrics as a frame with the index ``metric`` and the column ``value``."""
        return metrics_frame(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "metrics": {name: json_number(value) for name, value in self.metrics.items()},
            "rows": self.rows,
            "truncated": self.truncated,
            "learned_rows": self.learned_rows,
            "seconds": round(self.seconds, 3),
            "tables": {name: table_to_json(table) for name, table in self.tables.items()},
            **self._rows_to_read(),
        }

    def _rows_to_read(self) -> dict[str, Any]:
        if self.examples is None:
            return {}
        return {
            "mistakes": table_to_json(confident_mistakes(self.examples)),
            "suspicious_labels": table_to_json(suspicious_labels(self.examples)),
        }

    def save(self, folder: str | Path) -> Path:
        """Write ``evaluation.json``, ``report.html`` and each table as CSV.

        Args:
            folder: created if it does not exist.

        Returns:
            The folder.

        Raises:
            RunDirError: the folder cannot be written.
        """
        folder = Path(folder)
        values = self.to_dict()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "evaluation.json", values)
            for name, table in self.tables.items():
                table.to_csv(folder / f"{name}.csv")
            page = evaluation_report(self.about, values)
            (folder / REPORT).write_text(page, encoding="utf-8")
        return folder

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        about = dict(self.about)
        name, directory = about.pop("run", "Evaluation"), about.get("Run directory")
        per_label = self.per_label
        tables = [metrics_table(self.metrics)]
        if per_label is not None:
            tables.append(frame_table(per_label, "Labels", "Label"))
        return Card(
            name,
            "Evaluation",
            {
                **about,
                **learned_in_words({"rows": self.rows, "learned_rows": self.learned_rows}),
                **_counts({"rows": self.rows}, {"rows": self.truncated}, self.seconds),
            },
            tables,
            ["save(folder) writes this evaluation with a report."],
            None if directory is None else Path(directory) / REPORT,
        )


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        run_dir: the directory of the trained run.
        metrics: the metrics on the eval data, empty without eval data.
        evaluation: the complete evaluation, None without eval data.
        train_loss: the mean loss over the training steps, NaN if there were none.
        steps: the number of optimizer steps.
        epochs: the number of passes over the training data.
        seconds: the duration of the training, loading and saving included.
        rows: the number of rows of ``train`` and ``eval``.
        truncated: the number of texts of ``train`` and ``eval`` that were truncated to the input
            limit.
        data_check: the findings of the data check before the training.
        kept: the model that was published: ``"probe"`` for a head on the unchanged base model, or the
            epoch after which the fine-tuned model was saved. With eval data, that is the best epoch, or
            the probe if no epoch scores better.
        stopped: why the fine-tuning ended before its planned end: ``"early_stopping"``,
            ``"time_budget"``, ``"end_of_stream"``, or ``"callback"`` for another callback. None if it
            ran to its planned end. A training that Ctrl-C interrupts has no result.
        split: how the eval rows were split from the data, None if they were not.
        tracking: where the training is logged: tracker → its identifiers, such as the ``run_id`` of
            MLflow. Empty without ``report_to``.
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
    data_check: DataCheck = field(default_factory=DataCheck, repr=False)
    kept: str | float | None = None
    stopped: str | None = None
    split: RowSplit | None = field(default=None, repr=False)
    tracking: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Return the eval metrics as a frame with the index ``metric`` and the column ``value``."""
        return metrics_frame(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON (``results.json``).

        :attr:`kept` has the key ``kept_model``, because ``kept`` is the entry of ``results.json`` with
        the scores of a better probe.
        """
        return {
            "metrics": {name: json_number(value) for name, value in self.metrics.items()},
            "train_loss": json_number(self.train_loss),
            "steps": self.steps,
            "epochs": self.epochs,
            "kept_model": self.kept,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            "rows": self.rows,
            "truncated": self.truncated,
            "data_check": self.data_check.to_dict(),
            "split": None if self.split is None else self.split.to_dict(),
            "tracking": self.tracking,
            "evaluation": None if self.evaluation is None else self.evaluation.to_dict(),
        }

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        config, results = self._still_there()
        facts = {
            **_counts(self.rows, self.truncated, self.seconds),
            "Steps": self.steps or None,
            "Training loss": self.train_loss,
            **decisions(config, {**results, **self._brief()}),
        }
        kinds = [finding.kind.replace("_", " ") for finding in self.data_check.findings]
        return Card(
            self.run_dir.name,
            "Training",
            facts,
            [metrics_table(self.metrics)],
            [f"Findings in the data: {', '.join(kinds)}; see data_check."] if kinds else (),
            self.run_dir / REPORT if config else None,
        )

    def _brief(self) -> dict[str, Any]:
        """Return the entries of :meth:`to_dict` that say how the training ended."""
        values = replace(self, evaluation=None).to_dict()
        return {
            name: values[name] for name in ("metrics", "steps", "kept_model", "stopped", "split")
        }

    def _still_there(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the config and the results of the run; empty if another training has replaced it."""
        directory = RunDir(self.run_dir)
        results = directory.read_results()
        own = self._brief()
        if {name: results.get(name) for name in own} != own:
            return {}, {}
        return directory.read_config(), results


def _counts(
    rows: Mapping[str, int], truncated: Mapping[str, int], seconds: float
) -> dict[str, str | float]:
    """Return counts of rows, and the duration, as facts of a card."""
    facts: dict[str, str | float] = {}
    for name, count in rows.items():
        cut = truncated.get(name, 0)
        title = f"{name.capitalize()} rows" if name != "rows" else "Rows"
        facts[title] = f"{count:,}" + (f", {cut:,} of them truncated" if cut else "")
    return {**facts, "Seconds": seconds}
