"""Let a fast student answer the texts on which it decides like the run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.prediction.backends import TORCH
from clx.ml.prediction.cascaded import teacher_file
from clx.ml.run.distilling import DistillingRun
from clx.ml.run.predicting import PredictingRun
from clx.ml.run.saved import open_other, opener_of
from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.problems import cell

if TYPE_CHECKING:
    from clx.ml.distillation.cascade import CascadeModels
    from clx.ml.results.cascade import CascadeResult


class CascadingRun(DistillingRun):
    """A run that can have a student answer first."""

    def with_fast(
        self,
        student: PredictingRun | str | os.PathLike[str],
        min_agreement: float = 0.99,
        data: Any = None,
        teacher: str | None = None,
        *,
        monitor: float = 0.01,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> CascadeResult:
        """Let a student answer first, and show on texts that it decides like this run.

        The student answers a text whose margin is large enough, and this run answers the rest. One half
        of the texts chooses the margins, and the other half tests them: a lower Clopper-Pearson bound
        of the share of all decisions that are equal to those of torch must be at least
        ``min_agreement``, with 95 % confidence. The student is copied into the run directory, and
        ``predict(..., backend="cascade")`` uses it. A new training removes it.

        Args:
            student: a run that :meth:`distill` made of this one, its directory, or its name. A name is
                looked up beside this run, then in the default folder.
            min_agreement: the share of equal decisions to reach.
            data: texts that the student has not learned from, as for :meth:`predict_frame`; others
                are left out. With labels, the result has accuracies too.
            teacher: the backend that answers what the student leaves. None takes the fastest export
                with at least 99 % equal decisions, or torch if there is none or if the export decides
                otherwise on so many texts of ``data`` that hardly any are left for the student.
            monitor: the share of the student's answers that the teacher repeats in later predictions.
                A ``CascadeWarning`` says when too few are equal. 0 turns this off.
            text_column: as for :meth:`predict_frame`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: it is not a student of this run, or an argument has a wrong value.
            CascadeError: there are too few texts, or no margin reaches ``min_agreement``. The run is
                unchanged.
            DataFormatError: the data cannot be read, or lacks a column.
            NotTrainedError: there is no trained model, or no export for the teacher.
            RunBusyError: another process is writing into the run.
        """
        from clx.ml.distillation.cascade import CascadeRequest, with_fast
        from clx.ml.distillation.cascade_arguments import checked_arguments, chosen_teacher
        from clx.ml.distillation.cascade_texts import CascadeData

        checked_arguments(min_agreement, data, monitor)
        reading = reading_of(separator, encoding, header)
        directory = self._trained_directory()
        refuse_downloaded(directory)
        chosen = chosen_teacher(directory, teacher)
        self._ready_backend(chosen)
        columns = column_names(self, text_column, label_column)
        other = self._as_student(student)
        other._require_ready()
        request = CascadeRequest(
            float(min_agreement),
            CascadeData(data, text_column, columns, reading),
            chosen,
            teacher_file(directory, chosen),
            float(monitor),
            torch_instead=teacher is None,
        )
        opener, where = opener_of(CascadingRun, self), RunDir(other.run_dir)
        with caller_state_kept(), only_writer(directory):
            self._clx_loaded.require_same(directory)
            models = self._cascade_models(other, chosen)
            result = with_fast(self, directory, other, where, request, models, opener)
            self._clx_loaded.forget_exports()
            self._clx_loaded.opened(directory)
        return result

    # ---- Skeleton --------------------------------------------------------------------------------

    def _as_student(self, student: Any) -> PredictingRun:
        """Return a student that is given as itself, by its directory, or by its name."""
        if isinstance(student, PredictingRun):
            return student
        if not isinstance(student, str | os.PathLike):
            raise ConfigError(
                f"with_fast(student, ...) needs a run, its name or its directory, but student is "
                f"{cell(student)}"
            )
        device = None if self._clx_state.stored_device else self.device
        return open_other(self, os.fspath(student), device, "students")

    def _cascade_models(self, student: PredictingRun, teacher: str) -> CascadeModels:
        """Return functions that load the models that ``with_fast`` measures."""
        from clx.ml.distillation.cascade import CascadeModels
        from clx.ml.distillation.cascade_settings import cascade_settings

        settings, function = cascade_settings(self, self.pipe, self.tokenizer)
        return CascadeModels(
            settings,
            function,
            partial(self._load_student, settings),
            partial(self._load_teacher, TORCH, settings),
            partial(self._load_teacher, teacher, settings),
        )
