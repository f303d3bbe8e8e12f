"""The engines of a run whose student answers first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clx.ml.prediction.backends import TORCH, backend_of, check_backend
from clx.ml.prediction.cascaded import cascade_folder, check_decisions
from clx.ml.run.engines import EngineRun
from clx.ml.run.saved import run_of_config
from clx.ml.run_directory.layout import RunDir
from clx_runtime.cascade import CASCADE

if TYPE_CHECKING:
    from clx.ml.prediction.predict import Engine
    from clx_runtime.cascade import Cascade
    from clx_runtime.cascade_model import CascadeModel
    from clx_runtime.read import LoadedModel
    from clx_runtime.settings import Settings


class CascadeEngineRun(EngineRun):
    """A run with the engines of its backends and the engine of its cascade."""

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
        check_decisions(self, fast.cascade)
        teacher = partial(self._load_teacher, fast.cascade.teacher, fast.cascade.settings)
        monitor = fast.monitor if monitored and fast.cascade.monitor else None
        return CascadeModel(fast.cascade, fast.model, teacher, monitor)

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
        from clx_runtime.engine import Engine as LoadedEngine

        return LoadedEngine(self.cascade_model(), batch_size)
