"""Choose a base model and options by measurement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.run.validating import ValidatingRun

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.selection.candidates import Candidate


class SelectingRun(ValidatingRun):
    """A run that measures which base model and which options suit the data."""

    def compare_bases(
        self,
        data: Any,
        bases: Any = None,
        folds: int = 3,
        metric: str | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> pd.DataFrame:
        """Return base models with their scores and costs on the data, the best first.

        Each base model reads the texts once. A linear layer is fitted to its features, and scored
        by cross-validation. Nothing is trained, and the run does not change. The features are kept
        in the cache folder, so that a second comparison only fits the linear layers.

        The columns are ``base``, the metric with ``_low`` and ``_high`` (its 95 % bootstrap
        interval), ``seconds_per_1000`` (the seconds in which the model reads 1,000 of the texts),
        and ``parameters``. ``frame.attrs["recommended"]`` is the fastest base whose score is within
        one standard error of the best. A base that cannot be measured is left out with a warning,
        and with its reason in ``frame.attrs["left_out"]``.

        Args:
            data: labeled data, as for :meth:`train`.
            bases: Hub ids, presets (``"small"``, ``"fast"``, ``"best"``, ``"multilingual"``),
                folders, and saved runs by name or directory. None stands for the run's base model
                and the presets.
            folds: the number of folds.
            metric: a metric of the task to compare by. None takes the accuracy, or ``f1_micro``
                for several labels per row; for imbalanced labels, the task's metric for these.
            group_column: as for :meth:`cross_validate`.
            time_column: as for :meth:`cross_validate`.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: an argument is wrong, or the task's model has no linear layer for labels.
            DataFormatError: the data is not in the task's format, or has too few rows.
            ModelNotFoundError: none of the base models can be found.
            ModelError: none of the base models can be measured.
        """
        from clx.ml.selection.bases import BasesRequest, compare_bases
        from clx.ml.splits.folds import FoldRequest
        from clx.ml.training.data import Data

        self._require_device()
        reading = reading_of(separator, encoding, header)
        with caller_state_kept(), new_garbage_only(), self._transaction(afresh=True):
            columns = column_names(self, text_column, label_column)
            source = Data(data, reading=reading, columns=columns)
            request = FoldRequest(source, folds, False, group_column, time_column)
            self._resolve_metrics()
            return compare_bases(self, BasesRequest(bases, request, metric), self._with_base)

    @contextlib.contextmanager
    def _with_base(self, candidate: Candidate) -> Iterator[None]:
        """Use another base model, with its own tokenizer, until the block ends."""
        with self._transaction(afresh=False):
            self.base_model_name, self.tokenizer_name = str(candidate.folder), None
            if candidate.is_run:
                # Its head is for other labels.
                self.model_args = {**self.model_args, "ignore_mismatched_sizes": True}
            yield
