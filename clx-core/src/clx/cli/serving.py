"""Saved runs as the server opens them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import RunNotFoundError
from clx_runtime.server.stamps import stamp_of

if TYPE_CHECKING:
    from clx.ml import TrainingRun
    from clx.ml.prediction.served_task import ServedTask
    from clx_runtime.read import LoadedModel


class SavedSource:
    """A run directory, opened with :func:`clx.ml.training_run`.

    Args:
        load: the name or path of a run.
        backend: as for ``predict``.
        device: as for ``training_run``.
        threads: the number of threads for one batch; None leaves it to the backend.

    Raises:
        RunNotFoundError: there is no such run.
    """

    def __init__(
        self, load: str, backend: str | None, device: str | None, threads: int | None
    ) -> None:
        from clx.ml.prediction.backends import check_backend
        from clx.ml.run_directory.finding import find_run, locate

        self.path: Path = locate(load)
        find_run(self.path)
        self.name = self.path.resolve().name
        check_backend(backend)
        self._backend, self._device, self._threads = backend, device, threads

    def open(self) -> ServedTask:
        """See :meth:`Source.open`."""
        from clx.ml import training_run
        from clx.ml.prediction.backends import TORCH, backend_of
        from clx.ml.prediction.served_engines import served_loaded, served_model, served_with_torch
        from clx.ml.run.exported_pipes import pipe_over
        from clx.ml.run_directory.finding import find_run
        from clx.ml.task.predicting import require_prediction
        from clx_runtime.cascade import CASCADE

        run = training_run(load=self.path, device=self._device)
        require_prediction(run)
        directory = find_run(self.path)
        backend = backend_of(directory, self._backend)
        if backend == CASCADE:
            return served_model(run, directory, backend, self._cascade(run))
        if backend != TORCH:
            return served_loaded(
                run,
                directory,
                backend,
                self._device,
                self._threads,
                lambda exported: (
                    pipe_over(exported, run, directory, run.tokenizer),
                    run.tokenizer,
                ),
            )
        self._set_threads()
        # The weights are checked to be those of the run that was opened.
        pipe, tokenizer = run.pipe, run.tokenizer
        return served_with_torch(run, find_run(self.path), pipe, tokenizer)

    def _cascade(self, run: TrainingRun) -> LoadedModel:
        """Return the cascade of a run, whose teacher checks no answers of the student."""
        model = run.cascade_model(monitored=False)
        if run.results["cascade"]["teacher"] == "torch":
            self._set_threads()
            # Load the weights now, and not during a request.
            _ = run.pipe
        return model

    def _set_threads(self) -> None:
        if self._threads is not None:
            import torch

            torch.set_num_threads(self._threads)

    def stamp(self) -> object:
        """See :meth:`Source.stamp`."""
        return stamp_of(self.path)


def sources_of(
    loads: list[str], backend: str | None, device: str | None, threads: int | None
) -> list[SavedSource]:
    """Return the sources of runs.

    Raises:
        RunNotFoundError: a run is missing; the message names all of them.
    """
    sources, missing = [], []
    for load in loads:
        try:
            sources.append(SavedSource(load, backend, device, threads))
        except RunNotFoundError as error:
            missing.append(str(error))
    if missing:
        raise RunNotFoundError("\n".join(missing))
    return sources
