"""What a run has in memory: tokenizer, model and pipeline, loaded when first asked for."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING

from clx.errors import NotTrainedError, RunDirError
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.prediction.onnx_model import OnnxModel
    from clx.ml.run.run import TrainingRun


class Components:
    """The lazily loaded parts of one run.

    They come from the run directory once there is a trained run in it; before, only a tokenizer
    can be had, that of the base model.
    """

    def __init__(self, run: TrainingRun) -> None:
        # Not a cycle: a run that nobody has any more frees its model at once.
        self._run_ref = weakref.ref(run)
        self._lock = threading.RLock()
        self._identity: str | None = None
        self.forget()

    @property
    def _run(self) -> TrainingRun:
        run = self._run_ref()
        if run is None:
            raise RuntimeError("The run whose model this is was deleted; a copy of a run has none")
        return run

    def forget(self) -> None:
        """Drop everything loaded, so that memory is free and the next use reads the run again."""
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._model: PreTrainedModel | None = None
        self._pipe: Pipeline | None = None
        self.forget_exports()

    def forget_exports(self) -> None:
        """Drop the sessions of ONNX Runtime: there may be other files now."""
        self._onnx: dict[str, OnnxModel] = {}

    def release(self) -> None:
        """Forget, and free what only reference cycles still hold: a Trainer has some."""
        self.forget()
        gc.collect()

    def free(self) -> None:
        """Forget, and free at once a model that was loaded."""
        if self._model is None:
            self.forget()
        else:
            self.release()

    def opened(self, directory: RunDir) -> None:
        """Remember which content the run was opened with."""
        self._identity = directory.identity()

    def use_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Make a tokenizer the run's own for the training in progress."""
        self._tokenizer = tokenizer

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the trained run, else of the base model."""
        with self._lock:
            if self._tokenizer is None:
                from clx.ml.model.base_models import resolve_base_model
                from clx.ml.model.loading import load_tokenizer
                from clx.ml.model.saved_model import load_saved_tokenizer

                run = self._run
                if run.is_trained:
                    self._tokenizer = load_saved_tokenizer(run, self._checked().model)
                else:
                    name = run.tokenizer_name or run.base_model_name
                    folder = resolve_base_model(name, weights=False)
                    self._tokenizer = load_tokenizer(run, folder)
            return self._tokenizer

    @property
    def model(self) -> PreTrainedModel:
        """The trained model, on the device of the run."""
        with self._lock:
            if self._model is None:
                from clx.ml.machine.devices import choose_device
                from clx.ml.model.saved_model import load_saved_model

                folder = self._checked().model
                model = load_saved_model(self._run, folder, self.tokenizer)
                model.to(choose_device(self._run.device, stored=self._run._device_is_stored))
                self._model = model
            return self._model

    @property
    def pipe(self) -> Pipeline:
        """The Hugging Face pipeline over model and tokenizer."""
        with self._lock:
            if self._pipe is None:
                from clx.ml.model.loading import make_pipeline

                self._pipe = make_pipeline(self._run, self.model, self.tokenizer)
            return self._pipe

    def onnx(self, backend: str) -> OnnxModel:
        """Return the exported model for ``onnx`` or ``onnx-int8``; torch is not imported for it."""
        with self._lock:
            if backend not in self._onnx:
                from clx.ml.prediction.onnx_model import OnnxModel, exported_folder

                folder = exported_folder(self._checked(), backend)
                run = self._run
                device = None if run._device_is_stored else run.device
                self._onnx[backend] = OnnxModel(folder, backend, device)
            return self._onnx[backend]

    def _checked(self) -> RunDir:
        run = self._run
        if not run.is_trained:
            raise NotTrainedError(
                f"The run {run.run_name!r} has no trained model ({run.run_dir}). Call "
                f"run.train(data) first, or open a trained run with training_run(load=...)."
            )
        run._adopt_saved()
        directory = RunDir(run.run_dir)
        identity = directory.identity()
        if self._identity not in (None, identity):
            raise RunDirError(
                f"The run in {run.run_dir} was replaced since it was opened: open it again with "
                f"training_run(load=...) to use the new one."
            )
        self._identity = identity
        directory.check()
        refuse_unsafe(directory, run.trust_remote_code)
        return directory
