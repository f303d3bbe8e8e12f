"""Checks of labeled data before a training: findings, and labels that look wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.results.corrections import CONFIDENT
from clx.ml.run.evaluating import EvaluatingRun

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.results.corrections import CorrectedLabels, DistinctRows
    from clx.ml.results.data_check import DataCheck


class CheckingRun(EvaluatingRun):
    """A run that checks data. Nothing is trained."""

    def check(
        self,
        train_data: Any,
        eval_data: Any = None,
        group_column: str | None = None,
        time_column: str | None = None,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> DataCheck:
        """Return findings about the data, such as leaked texts, without training.

        The check finds eval texts that are also (nearly) in the training data, equal texts with
        different labels, repeated rows, labels with few or no rows, empty texts, and truncated
        texts with the share of lost tokens. ``train`` runs the same check and warns; with
        ``strict_data=True`` it raises an error. The arguments are those of :meth:`train` and
        :meth:`evaluate`.

        Raises:
            ConfigError: the share is not between 0 and 1, or the columns do not fit it.
            DataFormatError: the data is not in the task's format.
            ModelNotFoundError: the tokenizer cannot be found.
        """
        from clx.ml.training.data import Data
        from clx.ml.training.training_data import check_run_data

        reading = reading_of(separator, encoding, header)
        with caller_state_kept(), self._transaction(afresh=True):
            columns = column_names(self, text_column, label_column)
            data = Data(train_data, eval_data, group_column, time_column, reading, columns)
            return check_run_data(self, data)

    def find_label_errors(
        self,
        data: Any,
        folds: int = 5,
        top: int | None = None,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> pd.DataFrame:
        """Return the rows whose labels look wrong, the most suspicious first; nothing is trained.

        Linear models on the base model's features score rows that they were not fitted to
        (confident learning). The columns are ``text``, ``given``, ``suggested``, ``score``, the
        probability of the given label, and ``confidence``, that of the suggested one; the index is the
        data's. :meth:`correct_labels` accepts suggestions.

        Args:
            data: labeled data, as for :meth:`train`.
            folds: the number of parts, each scored by models fitted to the others.
            top: the number of rows to return, suspicious or not; None for all suspicious rows.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            DataFormatError: the data is not in the task's format, or has too few rows.
            ConfigError: the task's model has no linear layer for labels.
        """
        from clx.ml.training.data import Data, label_errors

        self._require_device()
        reading = reading_of(separator, encoding, header)
        columns = column_names(self, text_column, label_column)
        with caller_state_kept(), self._transaction(afresh=False):
            # Each text counts as one row, scored by its beginning.
            self.long_text, self.strict_length = "truncate", False
            return label_errors(self, Data(data, reading=reading, columns=columns), folds, top)

    def correct_labels(
        self,
        data: Any,
        found: pd.DataFrame | None = None,
        min_confidence: float = CONFIDENT,
        folds: int = 5,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> CorrectedLabels:
        """Return the data with the suggested labels in the rows where they are confident.

        All rows and columns stay in their order, and the data that is passed does not change. A label
        is replaced in its own column and form; the new column ``original_label`` has the old cell, or
        list of labels, in the corrected rows only. A row that was corrected before keeps its first one.

        Args:
            data: labeled data, as for :meth:`train`.
            found: what :meth:`find_label_errors` returned for the data, or some of its rows. None
                searches now.
            min_confidence: the ``confidence``, from 0 to 1, from which a suggestion is accepted. It must
                also be more probable than the given label.
            folds: as for :meth:`find_label_errors`, without ``found``.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            DataFormatError: the data is not in the task's format or has too few rows, or ``found`` is
                about other data.
            ConfigError: the task cannot write labels, as for spans, or ``min_confidence`` is not valid.
        """
        from clx.ml.training.corrections import correct_labels
        from clx.ml.training.data import Data

        self._require_device()
        reading = reading_of(separator, encoding, header)
        columns = column_names(self, text_column, label_column)
        with caller_state_kept(), self._transaction(afresh=False):
            self.long_text, self.strict_length = "truncate", False
            request = Data(data, reading=reading, columns=columns)
            return correct_labels(self, request, found, min_confidence, folds)

    def drop_duplicates(
        self,
        data: Any,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> DistinctRows:
        """Return the data without rows that repeat the text and the labels of an earlier row.

        Of equal rows, the first one stays. Rows with the same text and different labels all stay, and
        are listed as ``conflicts``. If the task has no labels that clx knows, rows must be equal in all
        columns. The data that is passed does not change, and the arguments are those of
        :meth:`evaluate`.

        Raises:
            DataFormatError: the data is not in the task's format.
            ConfigError: the task has no texts, or reads its data lazily.
        """
        from clx.ml.training.corrections import drop_duplicates
        from clx.ml.training.data import Data

        reading = reading_of(separator, encoding, header)
        columns = column_names(self, text_column, label_column)
        with caller_state_kept(), self._transaction(afresh=True):
            return drop_duplicates(self, Data(data, reading=reading, columns=columns))
