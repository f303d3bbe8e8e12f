"""The parts of a run in memory, loaded on first use: tokenizer, model, pipeline, sessions, student."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clx.errors import RunDirError
from clx.ml.machine.forks import ready_after_fork
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe
from clx.ml.run_directory.students import is_student, refuse_student
from clx_runtime.cpus import chosen_threads
from clx_runtime.forks import not_forked, renew_after_fork

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task
    from clx_runtime.cascade import Cascade
    from clx_runtime.cascade_monitor import Monitor
    from clx_runtime.exported_model import ExportedModel
    from clx_runtime.read import LoadedModel
    from clx_runtime.static_model import StaticModel


@dataclass(frozen=True)
class FastStudent:
    """The student of a cascade.

    Attributes:
        cascade: when it answers.
        model: the loaded student.
        monitor: counts how often the teacher's decision differs.
    """

    cascade: Cascade
    model: LoadedModel
    monitor: Monitor


class Loaded:
    """The lazily loaded parts of one run; safe to use from several threads.

    ``directory`` is a function that returns the trained run's directory. It is called only to
    load a part, and raises if there is no trained run.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._identity: str | None = None
        self._left: list[ExportedModel] = []
        self._onnx: dict[tuple[str, int | None], ExportedModel] = {}
        self._onnx_pipes: dict[ExportedModel, Pipeline] = {}
        self.forget()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, and the sessions of backends, whose threads a forked process lacks."""
        self._lock = threading.RLock()
        # Keep the old sessions: freeing one would wait for its threads.
        self._left, self._onnx = [*self._left, *self._onnx.values()], {}

    def forget(self) -> None:
        """Drop all loaded parts: their memory can be freed, and the next use loads them again."""
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._model: PreTrainedModel | None = None
        self._pipe: Pipeline | None = None
        self._static: StaticModel | None = None
        self.forget_exports()

    def forget_exports(self) -> None:
        """Drop the sessions of backends, because the exported files may have changed."""
        self._onnx, self._onnx_pipes = {}, {}
        self._fast: FastStudent | None = None

    def release(self) -> None:
        """Drop all loaded parts, and collect reference cycles, such as those of a Trainer."""
        self.forget()
        gc.collect()

    def free(self) -> None:
        """Drop all loaded parts, and free the memory of a loaded model at once."""
        if self._model is None:
            self.forget()
        else:
            self.release()

    def take_from(self, other: Loaded) -> None:
        """Share the loaded parts of another copy of the same run."""
        with other._lock:
            if other._identity == self._identity:
                self._tokenizer, self._model = other._tokenizer, other._model
                self._pipe, self._onnx = other._pipe, dict(other._onnx)
                self._static, self._fast = other._static, other._fast

    @property
    def identity(self) -> str | None:
        """The identity of the run that these parts belong to, None if it is not known yet."""
        return self._identity

    def require_same(self, directory: RunDir) -> None:
        """Raise unless the directory still holds the opened run.

        Raises:
            RunDirError: another run took its place.
        """
        self._identity = self.same_identity(directory)

    def opened(self, directory: RunDir) -> None:
        """Record the identity of the opened run's content."""
        self._identity = directory.identity()

    def tokenizer(
        self, task: Task, directory: Callable[[], RunDir | None]
    ) -> PreTrainedTokenizerBase:
        """Return the trained run's tokenizer, or the base model's if ``directory`` returns None."""
        with self._lock:
            if self._tokenizer is None:
                with _loading():
                    self._tokenizer = self._new_tokenizer(task, directory())
            return self._tokenizer

    @property
    def tokenizer_in_use(self) -> PreTrainedTokenizerBase | None:
        """The loaded tokenizer, None if there is none."""
        return self._tokenizer

    def use_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Use a tokenizer that another process has loaded."""
        self._tokenizer = tokenizer

    def _new_tokenizer(self, task: Task, trained: RunDir | None) -> PreTrainedTokenizerBase:
        from clx.ml.model.loading import load_base_tokenizer
        from clx.ml.model.saved_model import load_saved_tokenizer

        if trained is not None and is_student(trained):
            from clx.ml.model.static_tokenizer import static_tokenizer

            return static_tokenizer(self._checked(task, trained).model)
        if trained is not None:
            return load_saved_tokenizer(task, self._checked(task, trained).model)
        return load_base_tokenizer(task)

    def model(
        self, task: Task, directory: Callable[[], RunDir], stored_device: bool
    ) -> PreTrainedModel:
        """Return the trained model on the run's device.

        Args:
            task: the run.
            directory: returns the trained run's directory; see the class.
            stored_device: whether ``task.device`` comes from a config, so this machine may lack it.
        """
        with self._lock:
            if self._model is None:
                with _loading():
                    self._model = self._new_model(task, directory, stored_device)
            ready_after_fork(self._model.device.type)
            return self._model

    def _new_model(
        self, task: Task, directory: Callable[[], RunDir], stored_device: bool
    ) -> PreTrainedModel:
        from clx.ml.machine.devices import choose_device
        from clx.ml.model.saved_model import load_saved_model

        refuse_student(directory(), "run.model")
        folder = self._checked(task, directory()).model
        device = choose_device(task.device, stored=stored_device)
        model = load_saved_model(task, folder, self.tokenizer(task, directory))
        model.to(device)
        return model

    def pipe(self, task: Task, directory: Callable[[], RunDir], stored_device: bool) -> Pipeline:
        """Return the Hugging Face pipeline over model and tokenizer; see :meth:`model`."""
        with self._lock:
            refuse_student(directory(), "run.pipe")
            model = self.model(task, directory, stored_device)
            if self._pipe is None:
                with _loading():
                    from clx.ml.model.loading import make_pipeline

                    self._pipe = make_pipeline(task, model, self.tokenizer(task, directory))
            return self._pipe

    def onnx(
        self, task: Task, directory: Callable[[], RunDir], backend: str, device: str | None
    ) -> ExportedModel:
        """Return the exported model for a backend, without importing torch."""
        with self._lock:
            key = (backend, chosen_threads())
            if key not in self._onnx:
                with not_forked():
                    from clx.ml.prediction.exported import exported_folder
                    from clx_runtime.exported_model import ExportedModel
                    from clx_runtime.exports import export_in

                    folder = exported_folder(self._checked(task, directory()), backend)
                    self._onnx[key] = ExportedModel(export_in(folder), backend, device)
            return self._onnx[key]

    def onnx_pipe(
        self, task: Task, directory: Callable[[], RunDir], backend: str, device: str | None
    ) -> Pipeline | None:
        """Return the task's own pipeline over an exported model, None if clx_runtime predicts alone."""
        with self._lock:
            exported = self.onnx(task, directory, backend, device)
            if not exported.settings.outputs:
                return None
            if exported not in self._onnx_pipes:
                with _loading():
                    from clx.ml.run.exported_pipes import pipe_over

                    tokenizer = self.tokenizer(task, directory)
                    pipe = pipe_over(exported, task, directory(), tokenizer)
                    self._onnx_pipes[exported] = pipe
            return self._onnx_pipes[exported]

    def fast(
        self,
        task: Task,
        directory: Callable[[], RunDir],
        load: Callable[[Cascade, RunDir], LoadedModel],
    ) -> FastStudent:
        """Return the student that answers first.

        Args:
            task: the run.
            directory: returns the trained run's directory; see the class.
            load: loads the student in a directory.
        """
        with self._lock:
            if self._fast is None:
                from clx.ml.prediction.cascaded import cascade_of
                from clx_runtime.cascade_monitor import Monitor

                checked = self._checked(task, directory())
                cascade = cascade_of(checked)
                refuse_unsafe(checked.fast, False, checked.fast.read_config())
                self._fast = FastStudent(cascade, load(cascade, checked.fast), Monitor(cascade))
            return self._fast

    def static(
        self, task: Task, directory: Callable[[], RunDir], device: str | None
    ) -> StaticModel:
        """Return the static student, without importing torch."""
        with self._lock:
            if self._static is None:
                with not_forked():
                    from clx_runtime.static_model import StaticModel

                    self._static = StaticModel(self._checked(task, directory()).model, device)
            return self._static

    def _checked(self, task: Task, directory: RunDir) -> RunDir:
        """Return the directory after checking that it is safe and still holds the opened run."""
        self._identity = self.same_identity(directory)
        directory.check()
        refuse_unsafe(directory, task.trust_remote_code)
        return directory

    def same_identity(self, directory: RunDir) -> str:
        """Return the identity of a directory's content.

        Raises:
            RunDirError: it is not the run that was opened.
        """
        identity = directory.identity()
        if self._identity not in (None, identity):
            raise RunDirError(
                f"The run in {directory.path} was replaced since it was opened: open it again with "
                f"training_run(load=...) to use the new one."
            )
        return identity


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Load a part with torch's defaults; a fork waits, because a child must not get half of it."""
    ready_after_fork()
    with not_forked():
        from clx.ml.machine.torch_defaults import torch_defaults

        with torch_defaults():
            yield
