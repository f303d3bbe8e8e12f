"""What a trained run does with labeled data: evaluate, compare and report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.data.frames import to_frame
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.plugins.calls import after_evaluation, report_sections
from clx.ml.run.predicting import PredictingRun
from clx.ml.run_directory.files import writing
from clx.ml.run_directory.layout import REPORT, RunDir
from clx.ml.task.author_code import validate_frame

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.results.comparison import Comparison
    from clx.ml.results.outcome import EvaluationResult


class EvaluatingRun(PredictingRun):
    """A run that measures its model on labeled data."""

    def evaluate(self, data: Any) -> EvaluationResult:
        """Return the metrics of the trained model on labeled data; nothing is written.

        Raises:
            NotTrainedError: there is no trained model.
            DataFormatError: the data is not in the task's format.
        """
        from clx.ml.evaluation.evaluate import evaluate

        self._require_trained()
        frame = self._labeled_frame(data)
        with caller_state_kept():
            evaluation = evaluate(self, self.tokenizer, self.model, frame, self.run_dir)
        after_evaluation(self, evaluation)
        return evaluation

    def compare(self, other: EvaluatingRun, data: Any) -> Comparison:
        """Return a comparison with another trained run of the same task and labels.

        The result has both runs' metrics with their paired bootstrap difference, McNemar's test,
        and the rows that the other run fixes or breaks; ``save(folder)`` writes them with a report.

        Raises:
            ConfigError: the runs are of different tasks or have different labels.
            NotTrainedError: one of the runs has no trained model.
        """
        from clx.ml.evaluation.compare import Contender, compare_runs, refuse_unlike

        runs = (self, other)
        for run in runs:
            run._require_trained()
        frame = self._labeled_frame(data)
        refuse_unlike(self, other)
        one, two = (Contender(run, run.tokenizer, run.model, run.run_dir) for run in runs)
        with caller_state_kept():
            return compare_runs(one, two, frame)

    def report(self, target: str | Path | None = None, data: Any = None) -> Path:
        """Write ``report.html``, one file that needs no network, and return its path.

        Args:
            target: a file, or a folder to write ``report.html`` into; by default the run directory.
            data: labeled data to evaluate on, as for :meth:`evaluate`; by default the report shows
                the evaluation at the end of training.

        Raises:
            NotTrainedError: there is no trained model.
            RunDirError: the target cannot be written.
        """
        from clx.ml.results.pages import run_report

        self._require_trained()
        evaluation = None if data is None else self.evaluate(data)
        path = self.run_dir if target is None else Path(target)
        path = path if path.suffix == ".html" else path / REPORT
        figures = None if evaluation is None else evaluation.to_dict()
        page = run_report(RunDir(self.run_dir), figures, report_sections(self, evaluation))
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
        return path

    def _labeled_frame(self, data: Any) -> pd.DataFrame:
        frame = to_frame(data)
        validate_frame(self, frame, "data")
        return frame
