"""Estimate what a prediction or a training will cost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from clx.errors import NotTrainedError
from clx.ml.data.frames import to_frame
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import own_text_columns
from clx.ml.data.texts import frame_inputs
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.prediction.backends import EXPORTED, TORCH
from clx.ml.prediction.cascaded import has_cascade
from clx.ml.run.batching import BatchingRun
from clx.ml.run_directory.students import is_student
from clx_runtime.arguments import check_batch_size, check_min_score
from clx_runtime.cascade import CASCADE
from clx_runtime.static_files import STATIC
from clx_runtime.texts import columns_to_read

if TYPE_CHECKING:
    from clx.ml.batch.measuring import Predictions
    from clx.ml.results.estimates import Estimate
    from clx.ml.results.training_estimates import TrainingEstimate


class EstimatingRun(BatchingRun):
    """A run that estimates the cost of its predictions and its training."""

    def estimate(
        self,
        source: Any,
        target: str | os.PathLike[str] | None = None,
        text_column: str = "text",
        columns: Iterable[str] | None = None,
        batch_size: int | None = None,
        all_scores: bool = False,
        min_score: float | None = None,
        backend: str | None = None,
        prefix: str = "",
        shards: int | None = None,
        part_rows: int | None = None,
        *,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> Estimate:
        """Return what the prediction of a source will cost on this machine. Nothing is written.

        The rows of parquet files are counted in their footers, and other files by reading them. For
        text files of more than 32 MB, the number follows from the number of bytes. Each backend that
        the run has predicts sampled texts for two seconds, in a process of its own.

        Args:
            source: as for :meth:`predict_file`, or a list of such sources; or a DataFrame or another
                table, as for :meth:`predict_frame`.
            target: the name of the output, whose suffix says its format; None stands for parquet.
            text_column: as for :meth:`predict_file`.
            columns: as for :meth:`predict_file`.
            batch_size: as for :meth:`predict_file`.
            all_scores: as for :meth:`predict_file`.
            min_score: as for :meth:`predict_file`.
            backend: the backend to measure; None measures all that the run has.
            prefix: as for :meth:`predict_file`.
            shards: the number of shards to divide the rows into, each on a machine like this one.
            part_rows: the most rows of a part, as for ``clx.batch.predict_parts``.
            separator: as for :meth:`predict_file`.
            encoding: as for :meth:`predict_file`.
            header: as for :meth:`predict_file`.

        Raises:
            ConfigError: an argument is not valid.
            DataFormatError: the source cannot be read, lacks a column of texts, or has no rows.
            NotTrainedError: there is no trained model, or no export for the backend.
        """
        from clx.ml.batch.estimate import (
            PARQUET,
            EstimateRequest,
            check_count,
            estimate_prediction,
            rows_of_sources,
            rows_of_texts,
        )
        from clx.ml.batch.plan import PART_ROWS
        from clx.ml.data.tables.formats import target_format

        ready = self._ready_backend(backend)
        chosen = None if backend is None else ready
        reading = reading_of(separator, encoding, header)
        read = tuple(columns_to_read(own_text_columns(self), text_column))
        sources = _sources(source)
        form = PARQUET if target is None else target_format(os.fspath(target))
        request = EstimateRequest(
            _name(sources),
            read,
            None if columns is None else tuple(columns),
            prefix,
            form=form if sources or target is not None else None,
            part_rows=check_count(part_rows, "part_rows") or PART_ROWS,
            shards=check_count(shards, "shards"),
        )
        asked = (check_batch_size(batch_size), all_scores, check_min_score(min_score))
        engines = {
            name: partial(self._predictions, name, *asked)
            for name in (self._backends() if chosen is None else [chosen])
        }
        if sources:
            rows = rows_of_sources(sources, read, reading)
        else:
            frame = to_frame(source, "data", reading, labeled=False)
            rows = rows_of_texts(frame_inputs(frame, read))
        return estimate_prediction(self, request, rows, engines)

    def estimate_training(
        self,
        train_data: Any,
        eval_data: Any = None,
        fine_tune: bool = True,
        time_budget: str | float | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        folds: int | None = None,
        *,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> TrainingEstimate:
        """Return what a training will cost on this machine, stage by stage. Nothing is written.

        The data is read and checked as :meth:`train` does. A thousand rows are tokenized, and the
        base model makes a few steps with them, which are dropped. The arguments are those of
        :meth:`train`.

        Args:
            train_data: as for :meth:`train`.
            eval_data: as for :meth:`train`.
            fine_tune: as for :meth:`train`.
            time_budget: as for :meth:`train`.
            group_column: as for :meth:`train`.
            time_column: as for :meth:`train`.
            folds: include a cross-validation with this number of folds.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: an argument is not valid, or the training arguments do not fit the data.
            DataFormatError: the data is not in the task's format.
            ModelNotFoundError: the base model cannot be found.
        """
        from clx.ml.batch.training_estimate import TrainingRequest, estimate_training
        from clx.ml.training.data import Data

        reading = reading_of(separator, encoding, header)
        self._require_device()
        data = Data(train_data, eval_data, group_column, time_column, reading)
        with caller_state_kept(), new_garbage_only(), self._transaction(afresh=True):
            self._resolve_metrics()
            request = TrainingRequest(data, fine_tune, time_budget, folds)
            return estimate_training(self, request)

    def _backends(self) -> list[str]:
        """Return the backends that the run has."""
        from clx.ml.prediction.exported import exported_folder

        if is_student(self._trained_directory()):
            return [STATIC]
        found = [TORCH]
        for name in EXPORTED:
            try:
                exported_folder(self._trained_directory(), name)
            except NotTrainedError:
                continue
            found.append(name)
        return [*found, CASCADE] if has_cascade(self._trained_directory()) else found

    def _predictions(
        self, backend: str, batch_size: int | None, all_scores: bool, min_score: float | None
    ) -> Predictions:
        """Load a backend, and return what predicts with it."""
        from clx.ml.batch.measuring import Predictions

        rows = self.row_function(batch_size, backend, all_scores, min_score)
        if backend == TORCH:
            return Predictions(rows, self.pipe.device.type, batch_size)
        if backend == STATIC:
            return Predictions(rows, self._student().device, batch_size)
        if backend == CASCADE:
            return Predictions(rows, self.cascade_model().device, batch_size)
        device = None if self._clx_state.stored_device else self.device
        model = self._clx_loaded.onnx(self, self._trained_directory, backend, device)
        return Predictions(rows, model.device, batch_size)


def _sources(source: Any) -> list[str]:
    """Return the names of sources, empty for a table."""
    given = source if isinstance(source, list | tuple) else [source]
    if given and all(isinstance(each, str | os.PathLike) for each in given):
        return [os.fspath(each) for each in given]
    return []


def _name(sources: Sequence[str]) -> str:
    """Return one name for sources, which a shell may have made of a glob."""
    if not sources:
        return "data"
    return sources[0] if len(sources) == 1 else f"{sources[0]} and {len(sources) - 1} more"
