"""Let a fast student answer the texts on which it decides like the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.prediction.backends import TORCH, backend_of, check_backend
from clx.ml.prediction.cascaded import cascade_folder, has_cascade, teacher_file
from clx.ml.run.distilling import DistillingRun
from clx.ml.run.predicting import PredictingRun
from clx.ml.run.saved import open_other, opener_of, run_of_config
from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.problems import cell
from clx_runtime.cascade import CASCADE, refuse_min_score

if TYPE_CHECKING:
    from clx.ml.batch.measuring import Predictions
    from clx.ml.distillation.cascade import CascadeModels
    from clx.ml.prediction.predict import CutTexts, Engine
    from clx.ml.results.cascade import CascadeResult
    from clx_runtime.cascade import Cascade
    from clx_runtime.cascade_model import CascadeModel
    from clx_runtime.read import LoadedModel
    from clx_runtime.settings import Settings


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
        """Let a student answer first, and prove on texts that it decides like this run.

        The student answers a text whose margin is large enough, and this run the others. One half of
        the texts chooses the margins, and the other half tests them: a lower Clopper-Pearson bound
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
                with at least 99 % equal decisions, else torch.
            monitor: the share of the student's answers that the teacher repeats in later predictions.
                A ``CascadeWarning`` says when too few are equal. 0 turns this off.
            text_column: as for :meth:`predict_frame`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: it is no student of this run, or an argument has a wrong value.
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
        )
        opener, where = opener_of(CascadingRun, self), RunDir(other.run_dir)
        with caller_state_kept(), only_writer(directory):
            self._clx_loaded.require_same(directory)
            models = self._cascade_models(other, chosen)
            result = with_fast(self, directory, other, where, request, models, opener)
            self._clx_loaded.forget_exports()
            self._clx_loaded.opened(directory)
        return result

    def predict_labels(
        self,
        texts: Any,
        batch_size: int | None = None,
        min_score: float | None = None,
        backend: str | None = None,
    ) -> list[Any]:
        """Return the decision for each text: a name, a list of names, or None to abstain.

        Args:
            texts: as for :meth:`predict`.
            batch_size: as for :meth:`predict`.
            min_score: the score that a label needs; it overrides what the run has learned.
            backend: as for :meth:`predict`.
        """
        refuse_min_score(check_backend(backend), min_score)
        return super().predict_labels(texts, batch_size, min_score, backend)

    def row_function(
        self,
        batch_size: int | None,
        backend: str | None,
        all_scores: bool,
        min_score: float | None,
    ) -> Callable[[list[str], CutTexts], Sequence[Mapping[str, Any]]]:
        """See :meth:`PredictingRun.row_function`."""
        refuse_min_score(check_backend(backend), min_score)
        return super().row_function(batch_size, backend, all_scores, min_score)

    def cascade_model(self, monitored: bool = True) -> CascadeModel:
        """Return the student with this run as its teacher, as the server uses them.

        Args:
            monitored: whether the teacher checks a share of the student's answers.

        Raises:
            NotTrainedError: the run has no student: call :meth:`with_fast`.
            ConfigError: the decisions of the run were changed since.
            RunDirError: the run was exported again since, or is damaged.
        """
        from clx_runtime.cascade_model import CascadeModel

        def load(cascade: Cascade, directory: RunDir) -> LoadedModel:
            return self._load_student(cascade.settings, directory)

        fast = self._clx_loaded.fast(self, self._trained_directory, load)
        teacher = partial(self._load_teacher, fast.cascade.teacher, fast.cascade.settings)
        monitor = fast.monitor if monitored and fast.cascade.monitor else None
        return CascadeModel(fast.cascade, fast.model, teacher, monitor)

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

    def _load_student(self, settings: Settings, directory: RunDir) -> LoadedModel:
        from clx_runtime.static_files import is_static

        if is_static(directory.model):
            from clx_runtime.static_model import StaticModel

            return StaticModel(directory.model)
        from clx.ml.prediction.pipe_model import PipeModel

        device = None if self._clx_state.stored_device else self.device
        student = run_of_config(type(self), directory, directory.read_config(), device)
        return PipeModel(student, student.pipe, student.tokenizer, settings)

    def _load_teacher(self, backend: str, settings: Settings) -> LoadedModel:
        if backend == TORCH:
            from clx.ml.prediction.pipe_model import PipeModel

            return PipeModel(self, self.pipe, self.tokenizer, settings)
        device = None if self._clx_state.stored_device else self.device
        return self._clx_loaded.onnx(self, self._trained_directory, backend, device)

    def _ready_backend(self, backend: str | None) -> str:
        if check_backend(backend) != CASCADE:
            return super()._ready_backend(backend)
        directory = self._trained_directory()
        backend_of(directory, CASCADE)
        cascade_folder(directory)
        super()._ready_backend(TORCH)
        return CASCADE

    def _clx_engine(self, backend: str, batch_size: int | None) -> Engine:
        if backend != CASCADE:
            return super()._clx_engine(backend, batch_size)
        from clx_runtime.engine import Engine as ArrayEngine

        return ArrayEngine(self.cascade_model(), batch_size)

    def _backends(self) -> list[str]:
        found = super()._backends()
        return [*found, CASCADE] if has_cascade(self._trained_directory()) else found

    def _predictions(
        self, backend: str, batch_size: int | None, all_scores: bool, min_score: float | None
    ) -> Predictions:
        if backend != CASCADE:
            return super()._predictions(backend, batch_size, all_scores, min_score)
        from clx.ml.batch.measuring import Predictions

        rows = self.row_function(batch_size, backend, all_scores, min_score)
        return Predictions(rows, "cpu", batch_size)
