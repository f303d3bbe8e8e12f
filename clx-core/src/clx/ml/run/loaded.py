"""The parts of a run in memory, loaded on first use: tokenizer, model, pipeline, ONNX sessions."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from clx.errors import RunDirError
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.prediction.onnx_model import OnnxModel
    from clx.ml.task.task import Task


class Loaded:
    """The lazily loaded parts of one run; safe to use from several threads.

    ``directory`` is a function that returns the trained run's directory. It is called only to
    load a part, and raises if there is no trained run.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._identity: str | None = None
        self.forget()

    def forget(self) -> None:
        """Drop all loaded parts: their memory can be freed, and the next use loads them again."""
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._model: PreTrainedModel | None = None
        self._pipe: Pipeline | None = None
        self.forget_exports()

    def forget_exports(self) -> None:
        """Drop the sessions of ONNX Runtime, because the exported files may have changed."""
        self._onnx: dict[str, OnnxModel] = {}

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

    def opened(self, directory: RunDir) -> None:
        """Record the identity of the opened run's content."""
        self._identity = directory.identity()

    def tokenizer(
        self, task: Task, directory: Callable[[], RunDir | None]
    ) -> PreTrainedTokenizerBase:
        """Return the trained run's tokenizer, or the base model's if ``directory`` returns None."""
        with self._lock:
            if self._tokenizer is None:
                from clx.ml.model.loading import load_base_tokenizer
                from clx.ml.model.saved_model import load_saved_tokenizer

                trained = directory()
                if trained is not None:
                    folder = self._checked(task, trained).model
                    self._tokenizer = load_saved_tokenizer(task, folder)
                else:
                    self._tokenizer = load_base_tokenizer(task)
            return self._tokenizer

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
                from clx.ml.machine.devices import choose_device
                from clx.ml.model.saved_model import load_saved_model

                folder = self._checked(task, directory()).model
                model = load_saved_model(task, folder, self.tokenizer(task, directory))
                model.to(choose_device(task.device, stored=stored_device))
                self._model = model
            return self._model

    def pipe(self, task: Task, directory: Callable[[], RunDir], stored_device: bool) -> Pipeline:
        """Return the Hugging Face pipeline over model and tokenizer; see :meth:`model`."""
        with self._lock:
            if self._pipe is None:
                from clx.ml.model.loading import make_pipeline

                model = self.model(task, directory, stored_device)
                self._pipe = make_pipeline(task, model, self.tokenizer(task, directory))
            return self._pipe

    def onnx(
        self, task: Task, directory: Callable[[], RunDir], backend: str, device: str | None
    ) -> OnnxModel:
        """Return the exported model for ``onnx`` or ``onnx-int8``, without importing torch."""
        with self._lock:
            if backend not in self._onnx:
                from clx.ml.prediction.onnx_model import OnnxModel, exported_folder

                folder = exported_folder(self._checked(task, directory()), backend)
                self._onnx[backend] = OnnxModel(folder, backend, device)
            return self._onnx[backend]

    def _checked(self, task: Task, directory: RunDir) -> RunDir:
        """Return the directory after checking that it is safe and still holds the opened run."""
        identity = directory.identity()
        if self._identity not in (None, identity):
            raise RunDirError(
                f"The run in {directory.path} was replaced since it was opened: open it again with "
                f"training_run(load=...) to use the new one."
            )
        self._identity = identity
        directory.check()
        refuse_unsafe(directory, task.trust_remote_code)
        return directory
