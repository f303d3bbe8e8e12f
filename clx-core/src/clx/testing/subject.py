"""The task under test: one training run that all checks share, and its use in a new process."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import NotPublishedError
from clx.ml.run.run import TrainingRun
from clx.ml.run.saved import open_saved
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import CONFIG, RunDir
from clx.ml.run_directory.staging import staged
from clx.ml.task.checks import task_problems
from clx.ml.task.names import attribute_name
from clx.testing.fresh import ask
from clx.testing.locations import source_file
from clx.testing.option_values import ChangedOptions, change_options
from clx.testing.outcomes import CheckFailedError, NotReachedError, describe_error
from clx.testing.sampled import Sampled, without_clx_warnings

if TYPE_CHECKING:
    from clx.ml.results.outcome import TrainingResult

STEPS = 24
TRAINING_ARGS = {
    "learning_rate": 5e-3,
    "per_device_train_batch_size": 4,
    "logging_steps": 1,
    "eval_on_start": True,
    "eval_strategy": "steps",
    "save_strategy": "steps",
    "load_best_model_at_end": False,
    "disable_tqdm": True,
}


class Subject(Sampled):
    """One task class while the checks inspect it.

    Args:
        task: the class.
        *given: what else :class:`Sampled` takes.
        steps: the number of training steps; an evaluation and a checkpoint happen after half of them.
        **options: the same by name.

    Attributes:
        causes: the check that reported each exception of the task.
    """

    def __init__(self, task: Any, *given: Any, steps: int = STEPS, **options: Any) -> None:
        super().__init__(task, *given, **options)
        self.steps = steps
        self.causes: dict[tuple[str, str, str], str] = {}
        self._trained: tuple[TrainingRun, TrainingResult] | Exception | None = None
        self._predicted: list[Any] | Exception | None = None

    def train(self, place: str = "runs", **call: Any) -> tuple[TrainingRun, TrainingResult]:
        """Train a run on the sample, with the sample as eval data."""
        half = self.steps // 2
        arguments = {
            **TRAINING_ARGS,
            "max_steps": self.steps,
            "eval_steps": half,
            "save_steps": half,
        }
        options = {"base_model_name": self.base_model, "training_args": arguments}
        try:
            # Label names mean nothing to a random model, and next to the few rows of a sample they
            # would dominate the training.
            run = self.new_run(place, **options, label_texts=None)
        except TypeError:
            # The task passes this option itself.
            run = self.new_run(place, **options)
        with without_clx_warnings():
            return run, run.train(self.sample, self.sample, **call)

    # ---- The training run that checks share ------------------------------------------------------

    def train_once(self) -> tuple[TrainingRun, TrainingResult]:
        """Return the trained run and its result, or raise what the training raised, each time."""
        if self._trained is None:
            try:
                self._trained = self.train()
            except Exception as error:
                self._trained = error
        if isinstance(self._trained, Exception):
            raise self._trained
        return self._trained

    @property
    def trained(self) -> tuple[TrainingRun, TrainingResult]:
        """The trained run and its result, for checks that need one.

        Raises:
            NotReachedError: the training failed.
        """
        try:
            return self.train_once()
        except Exception as error:
            raise NotReachedError("the task does not train; see the check `learns`") from error

    def require_published(self) -> None:
        """Fail if the training did not publish a run that does not open with its model."""
        try:
            self.train_once()
        except NotPublishedError as error:
            raise CheckFailedError(describe_error(error)) from error
        except Exception:
            # The check `learns` reports it.
            return

    @property
    def run_dir(self) -> Path:
        """The directory of the trained run."""
        return self.trained[0].run_dir

    def opened(self, folder: Path | None = None) -> TrainingRun:
        """Return the trained run as a user opens it."""
        directory = RunDir(folder or self.run_dir)
        run: TrainingRun = open_saved(TrainingRun, self.task, directory)
        return run

    def predict_once(self) -> list[Any]:
        """Return the opened run's predictions for the inputs, or raise what predicting raised."""
        if self._predicted is None:
            run = self.opened()
            try:
                self._predicted = self.predict(run, self.inputs)
            except Exception as error:
                self._predicted = error
        if isinstance(self._predicted, Exception):
            raise self._predicted
        return self._predicted

    @property
    def predictions(self) -> list[Any]:
        """The predictions of the opened run for the inputs, for checks that need them.

        Raises:
            NotReachedError: the task does not predict, or not these inputs.
        """
        if not self.predicts:
            raise NotReachedError("this task does not predict")
        try:
            return self.predict_once()
        except Exception as error:
            raise NotReachedError(
                "the task does not predict its sample; see the check `predicts`"
            ) from error

    def is_closed(self, stage: str) -> bool:
        """Return whether a failure keeps the later checks from reading ``stage``."""
        if stage == "run":
            return bool(task_problems(self.task, TrainingRun))
        if stage == "training":
            return isinstance(self._trained, Exception)
        # The checks of the sample and of the predictions find nothing else.
        return True

    def predict(self, run: TrainingRun, inputs: Any, **call: Any) -> list[Any]:
        """Return predictions, without the warnings about long texts."""
        with without_clx_warnings():
            return run.predict(inputs, **call)

    @functools.cached_property
    def changed(self) -> ChangedOptions:
        """The task's own options with values other than their defaults."""
        return change_options(
            [attribute_name(name) for name in self.task.add_config_attrs],
            self.config_values,
            self.new_run,
            lambda: self.train_once()[0],
        )

    # ---- A new process ---------------------------------------------------------------------------

    @functools.cached_property
    def fresh(self) -> dict[str, Any]:
        """The report of a new process about the moved run, and about a run with changed options."""
        import json

        home = self.run_dir
        moved = Path(tempfile.mkdtemp(dir=self.folder)) / "to another place"
        shutil.copytree(home, moved)
        values = self.changed.values
        run = self.new_run("changed", base_model_name=self.base_model, **values)
        with staged(RunDir(run.run_dir)) as new:
            shutil.copytree(moved, new.path, dirs_exist_ok=True)
            write_json(new.path / CONFIG, dict(run.config))
        predicted = self.predicts and not isinstance(self._predicted, Exception)
        inputs = self.inputs if predicted else []
        # Hide the original from the process, as on another machine.
        hidden = home.rename(home.with_name("hidden"))
        try:
            return ask(
                {
                    "module": self.task.__module__,
                    "file": source_file(self.task),
                    "name": self.task.__qualname__,
                    "keys": list(values),
                    "configs": [str(run.run_dir)],
                    "predict": str(moved) if predicted else None,
                    "inputs": json.loads(json.dumps(inputs)),
                }
            )
        finally:
            hidden.rename(home)
