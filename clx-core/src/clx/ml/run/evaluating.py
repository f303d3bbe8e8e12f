"""The use of labeled data by a trained run: evaluate, compare and report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.frames import TEST
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names, validated_frame
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.plugins.calls import after_evaluation, report_sections
from clx.ml.results.cards import card_html
from clx.ml.run.card import run_card
from clx.ml.run.predicting import PredictingRun
from clx.ml.run.saved import open_other
from clx.ml.run_directory.files import writing
from clx.ml.run_directory.layout import REPORT, RunDir
from clx.problems import cell

if TYPE_CHECKING:
    from clx.ml.results.comparison import Comparison
    from clx.ml.results.outcome import EvaluationResult


class EvaluatingRun(PredictingRun):
    """A run that measures its model on labeled data."""

    def evaluate(
        self,
        data: Any,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> EvaluationResult:
        """Return the metrics of the trained model on labeled data; nothing is written.

        Args:
            data: labeled data, as for :meth:`train`. From a ``DatasetDict``, the split ``test`` is
                read.
            text_column: the column of texts; ``"text"`` stands for the run's own.
            label_column: the column of labels; None stands for the run's own.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            NotTrainedError: there is no trained model.
            DataFormatError: the data is not in the task's format.
        """
        from clx.ml.evaluation.disk_rows import rows_to_evaluate
        from clx.ml.evaluation.evaluate import evaluate

        reading = reading_of(separator, encoding, header)
        self._require_ready()
        columns = column_names(self, text_column, label_column)
        rows = rows_to_evaluate(self, data, "data", reading, columns, TEST)
        with caller_state_kept():
            evaluation = evaluate(self, self.tokenizer, self._scorer(), rows, self.run_dir)
        after_evaluation(self, evaluation)
        return evaluation

    def compare(
        self,
        other: EvaluatingRun | str | Path,
        data: Any,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> Comparison:
        """Return a comparison with another trained run of the same task and labels.

        The result has both runs' metrics with their paired bootstrap difference, McNemar's test,
        and the rows that the other run fixes or breaks; ``save(folder)`` writes them with a report.
        The data and how to read it are given as for :meth:`evaluate`.

        Args:
            other: the other run, its directory, or its name. A name is looked up beside this run, then
                in the default folder.
            data: labeled data, as for :meth:`evaluate`.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: the runs have different tasks or different labels.
            NotTrainedError: one of the runs has no trained model.
            RunNotFoundError: there is no run of that name.
        """
        from clx.ml.evaluation.compare import Contender, compare_runs, refuse_unlike

        reading = reading_of(separator, encoding, header)
        self._require_ready()
        other = self._as_run(other)
        other._require_ready()
        runs = (self, other)
        columns = column_names(self, text_column, label_column)
        frame = validated_frame(self, data, "data", reading, columns, TEST)
        refuse_unlike(self, other)
        one, two = (Contender(run, run.tokenizer, run._scorer(), run.run_dir) for run in runs)
        with caller_state_kept():
            return compare_runs(one, two, frame)

    def _as_run(self, other: Any) -> EvaluatingRun:
        """Return a run that is given as itself, by its directory, or by its name."""
        if isinstance(other, EvaluatingRun):
            return other
        if not isinstance(other, str | os.PathLike):
            raise ConfigError(
                f"compare(other, data) needs another run, its name or its directory, but other is "
                f"{cell(other)}"
            )
        device = None if self._clx_state.stored_device else self.device
        return open_other(self, os.fspath(other), device)

    def report(
        self,
        target: str | Path | None = None,
        data: Any = None,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> Path:
        """Write ``report.html``, one file that needs no network, and return its path.

        Args:
            target: a file, or a folder to write ``report.html`` into; by default the run directory.
            data: labeled data to evaluate on, as for :meth:`evaluate`; by default the report shows
                the evaluation at the end of training.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            NotTrainedError: there is no trained model.
            RunDirError: the target cannot be written.
        """
        from clx.ml.results.pages import run_report

        self._require_trained()
        evaluation = None
        if data is not None:
            evaluation = self.evaluate(
                data,
                text_column=text_column,
                label_column=label_column,
                separator=separator,
                encoding=encoding,
                header=header,
            )
        path = self.run_dir if target is None else Path(target)
        path = path if path.suffix == ".html" else path / REPORT
        figures = None if evaluation is None else evaluation.to_dict()
        page = run_report(RunDir(self.run_dir), figures, report_sections(self, evaluation))
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        return card_html(self, lambda: run_card(self.run_name, self.run_dir, self.config))
