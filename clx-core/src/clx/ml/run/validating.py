"""Cross-validation: estimate the quality of a model from the options and rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.run.checking import CheckingRun

if TYPE_CHECKING:
    from clx.ml.results.outcome import EvaluationResult


class ValidatingRun(CheckingRun):
    """A run that estimates the quality of its model before the training."""

    def cross_validate(
        self,
        data: Any,
        folds: int = 5,
        fine_tune: bool = True,
        group_column: str | None = None,
        time_column: str | None = None,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> EvaluationResult:
        """Return the metrics of models that did not see the rows that they are scored on.

        The rows are divided into folds, each with its share of every label. For each fold, a model
        is trained on the rows of the other folds, as with ``train(rows, eval_data=0.2)``, and
        predicts the rows of the fold. ``{key}_std`` is the sample standard deviation (``ddof=1``)
        of a metric over the folds. The run does not change, and nothing is written into its
        directory.

        Args:
            data: labeled data, as for :meth:`train`.
            folds: the number of folds, and of models.
            fine_tune: False fits the last layer only, as in :meth:`train`. The base model then
                reads the rows once, which takes seconds instead of minutes.
            group_column: the column of groups, each of which stays in one fold.
            time_column: the column of times. The rows are cut into ``folds + 1`` blocks. Each block
                except the oldest is scored by a model of all older blocks.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: ``folds`` or the columns are not valid, or ``fine_tune=False`` is not
                possible.
            DataFormatError: the data is not in the task's format, or has too few rows, groups or
                times.
            ModelNotFoundError: the base model cannot be found.
        """
        from clx.ml.splits.cross_validate import cross_validate
        from clx.ml.splits.folds import FoldRequest
        from clx.ml.training.data import Data
        from clx.ml.training.processes import REPEAT, all_processes

        self._require_device()
        reading = reading_of(separator, encoding, header)
        together = all_processes(self, REPEAT)
        with together, caller_state_kept(), new_garbage_only(), self._transaction(afresh=True):
            columns = column_names(self, text_column, label_column)
            source = Data(data, reading=reading, columns=columns)
            request = FoldRequest(source, folds, fine_tune, group_column, time_column)
            self._resolve_metrics()
            return cross_validate(self, request)
