"""The engines of a run's backends, and the conversion of their outputs to predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clx.ml.machine.devices import choose_device
from clx.ml.machine.memory import with_memory_named
from clx.ml.plugins.calls import observed
from clx.ml.prediction.backends import EXPORTED, TORCH, backend_of, check_backend
from clx.ml.prediction.pipe_arguments import refuse_unknown
from clx.ml.prediction.predict import CutTexts, predict_texts, predict_windows
from clx.ml.run.old_names import OldNames
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.students import is_student, refuse_student
from clx.ml.task.predicting import require_prediction
from clx_runtime.arguments import check_batch_size
from clx_runtime.forks import not_forked
from clx_runtime.static_files import STATIC
from clx_runtime.texts import as_text_rows, as_texts

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedModel

    from clx.ml.prediction.predict import Engine
    from clx.ml.prediction.windows import ArrayRule, Window
    from clx_runtime.static_model import StaticModel


class EngineRun(OldNames):
    """A run with the engines of its backends. :class:`PredictingRun` adds the verbs."""

    def _predict(
        self,
        texts: Any,
        batch_size: int | None,
        backend: str | None,
        predict_args: dict[str, Any],
        cut: CutTexts | None = None,
    ) -> Iterator[Any]:
        """See :meth:`predict_iter`; ``cut`` records which texts were truncated."""
        size = check_batch_size(batch_size)
        check_backend(backend)
        candidates = as_texts(as_text_rows(texts, self.text_columns))
        chosen = self._ready_backend(backend)
        arguments = {**self.predict_args, **predict_args}

        def engine() -> Engine:
            return self._checked_engine(chosen, size, predict_args)

        def predictions(some: Iterable[Any]) -> Iterator[Any]:
            return predict_texts(self, some, engine, arguments, cut)

        return with_memory_named(observed(self, candidates, size, predictions), size)

    def _predict_windows(
        self,
        texts: Iterable[Any],
        batch_size: int | None,
        backend: str,
        rule: ArrayRule,
        cut: CutTexts | None = None,
    ) -> Iterator[Window]:
        """Yield the predictions of some texts at a time, as arrays if the engine gives arrays.

        Args:
            texts: the texts, or rows of several, not checked.
            batch_size: as for :meth:`predict`.
            backend: the backend that the run is ready for.
            rule: how the task decides on arrays.
            cut: records which texts were truncated.
        """
        size, arguments = check_batch_size(batch_size), dict(self.predict_args)
        windows = predict_windows(
            self, texts, lambda: self._checked_engine(backend, size, {}), arguments, rule, cut
        )
        return with_memory_named(windows, size)

    def _require_device(self) -> None:
        """Raise if this machine lacks the device, or warn if only the run's config names it."""
        choose_device(self.device, stored=self._clx_state.stored_device)

    def _require_ready(self) -> None:
        """Raise before data is read if the run has no model or this machine lacks the device."""
        self._backend_here(None)

    def _ready_backend(self, backend: str | None) -> str:
        """Return the backend, after the checks that the task predicts, and of :meth:`_require_ready`."""
        check_backend(backend)
        require_prediction(self)
        return self._backend_here(backend)

    def _backend_here(self, backend: str | None) -> str:
        self._require_trained()
        chosen = backend_of(RunDir(self.run_dir), backend)
        # The config may name the device of another machine; the run then uses a different one.
        if self.device in (None, "cpu") or self._clx_state.stored_device:
            return chosen
        if chosen == TORCH:
            choose_device(self.device)
        elif chosen != STATIC:
            from clx_runtime.sessions import refuse_missing_device

            refuse_missing_device(chosen, str(self.device))
        return chosen

    def _checked_engine(
        self, backend: str, batch_size: int | None, given: dict[str, Any]
    ) -> Engine:
        """Return the engine, after checking that the pipeline knows the arguments of a call."""
        pipe = self._pipe_of(backend)
        if pipe is not None:
            refuse_unknown(self, pipe, given)
        return self._clx_engine(backend, batch_size)

    def _pipe_of(self, backend: str) -> Pipeline | None:
        """Return the pipeline that a backend runs, None if it runs without one."""
        if backend == TORCH:
            return self.pipe
        if backend not in EXPORTED:
            return None
        device = None if self._clx_state.stored_device else self.device
        return self._clx_loaded.onnx_pipe(self, self._trained_directory, backend, device)

    def _clx_engine(self, backend: str, batch_size: int | None) -> Engine:
        pipe = self._pipe_of(backend)
        if pipe is not None:
            with not_forked():
                from clx.ml.prediction.pipe_engine import torch_engine
            return torch_engine(self, pipe, self.tokenizer, batch_size)
        from clx_runtime.engine import Engine as LoadedEngine

        if backend == STATIC:
            return LoadedEngine(self._student(), batch_size)
        device = None if self._clx_state.stored_device else self.device
        model = self._clx_loaded.onnx(self, self._trained_directory, backend, device)
        return LoadedEngine(model, batch_size)

    def _student(self) -> StaticModel:
        """Return the static student that this run is."""
        device = None if self._clx_state.stored_device else self.device
        return self._clx_loaded.static(self, self._trained_directory, device)

    def _refuse_if_student(self, what: str) -> None:
        """Refuse what needs a transformers model, if this is an opened static student.

        Raises:
            ConfigError: the message names the teacher.
        """
        if self._clx_state.adopted and self.is_trained:
            refuse_student(RunDir(self.run_dir), what)

    def _scorer(self) -> PreTrainedModel | StaticModel:
        """Return what scores labeled rows: the model, or the static student."""
        return self._student() if is_student(self._trained_directory()) else self.model
