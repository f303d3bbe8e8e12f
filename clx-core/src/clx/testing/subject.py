"""The task under test: its sample, a tiny model, and one training run that all checks share."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, NotPublishedError
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
from clx.testing.sample import sample_problem
from clx.testing.tiny_model import make_tiny_model

if TYPE_CHECKING:
    import pandas as pd

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


class Subject:
    """One task class while the checks inspect it.

    Args:
        task: the class.
        sample: rows in the task's format, or None to use what its ``sample_data`` returns.
        options: constructor options that every run of the task needs.
        config_values: values for ``add_config_attrs`` other than their defaults, where the kit does
            not find any that the task accepts.
        base_model_name: the folder of a small model, for a task that does not work with a BERT.
        steps: the number of training steps; an evaluation and a checkpoint happen after half of them.
    """

    def __init__(
        self,
        task: Any,
        sample: pd.DataFrame | None = None,
        options: Mapping[str, Any] | None = None,
        config_values: Mapping[str, Any] | None = None,
        base_model_name: str | Path | None = None,
        steps: int = STEPS,
    ) -> None:
        self.steps = steps
        self.task = task
        self.options = dict(options or {})
        self.config_values = {attribute_name(k): v for k, v in (config_values or {}).items()}
        self._sample = sample
        self._base_model = base_model_name
        self._trained: tuple[TrainingRun, TrainingResult] | Exception | None = None
        self.class_before = self.class_state()

    def class_state(self) -> dict[str, str]:
        """Return the data attributes of the author's classes, as their ``repr``."""
        return {
            name: repr(value)
            for klass in getattr(self.task, "__mro__", ())
            if not klass.__module__.startswith(("clx.ml.", "builtins"))
            for name, value in vars(klass).items()
            if not name.startswith("__") and not callable(value)
        }

    @property
    def base_model_is_tiny(self) -> bool:
        """Whether the model is the kit's own, whose token limit is known."""
        return self._base_model is None

    def close(self) -> None:
        """Remove the files that the checks wrote."""
        if "folder" in vars(self):
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- Sample and model ------------------------------------------------------------------------

    @functools.cached_property
    def folder(self) -> Path:
        """A folder for runs and models, removed at the end."""
        path = tempfile.mkdtemp(prefix="clx-testing-")
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return Path(path)

    @functools.cached_property
    def _given(self) -> Any:
        return self.task.sample_data() if self._sample is None else self._sample

    @functools.cached_property
    def sample_problem(self) -> str | None:
        """Why the checks cannot use the sample, or None if they can."""
        self._need_valid_task()
        return sample_problem(self.task.__name__, self._given, self.text_columns)

    @functools.cached_property
    def _rows(self) -> pd.DataFrame:
        try:
            usable = self.sample_problem is None
        except Exception:
            # The check of the sample reports what sample_data raised; no other check repeats it.
            usable = False
        if not usable:
            raise NotReachedError("the sample cannot be used; see the check `sample_texts`")
        rows: pd.DataFrame = self._given
        return rows

    @property
    def sample(self) -> pd.DataFrame:
        """A new copy of the author's rows."""
        return self._rows.copy(deep=True)

    @property
    def text_columns(self) -> list[str]:
        """The columns that predictions are made from."""
        return list(self.task.text_columns)

    @property
    def inputs(self) -> list[Any]:
        """The arguments of ``predict`` for the sample's rows."""
        columns = [self._rows[name].tolist() for name in self.text_columns]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def input_of(self, text: str) -> Any:
        """Return an input of ``predict`` with this text in each of its columns."""
        return text if len(self.text_columns) == 1 else (text,) * len(self.text_columns)

    @functools.cached_property
    def base_model(self) -> str:
        """The folder of the base model; the kit's tiny model is made on first use."""
        if self._base_model is not None:
            return str(self._base_model)
        texts = [
            text for name in self.text_columns for text in self._rows[name] if isinstance(text, str)
        ]
        with without_clx_warnings():
            return str(make_tiny_model(self.folder / "tiny", texts))

    def new_run(self, place: str = "runs", **options: Any) -> TrainingRun:
        """Return an untrained run of the task."""
        given = {"run_dir_parent": self.folder / place, "base_model_name": "clx-testing/none"}
        self._need_valid_task()
        run: TrainingRun = self.task("checked", **{**given, **self.options, **options})
        return run

    def _need_valid_task(self) -> None:
        if task_problems(self.task, TrainingRun):
            raise NotReachedError("it is not a valid task; see the check `attributes`")

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

    @functools.cached_property
    def predictions(self) -> list[Any]:
        """The predictions of the opened run for the sample."""
        return self.predict(self.opened(), self.inputs)

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
        """What a new process reports about the moved run, and about one with changed options."""
        import json

        home = self.run_dir
        moved = Path(tempfile.mkdtemp(dir=self.folder)) / "to another place"
        shutil.copytree(home, moved)
        values = self.changed.values
        run = self.new_run("changed", base_model_name=self.base_model, **values)
        with staged(RunDir(run.run_dir)) as new:
            shutil.copytree(moved, new.path, dirs_exist_ok=True)
            write_json(new.path / CONFIG, dict(run.config))
        inputs = self.inputs
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
                    "predict": str(moved),
                    "inputs": json.loads(json.dumps(inputs)),
                }
            )
        finally:
            hidden.rename(home)


@contextlib.contextmanager
def without_clx_warnings() -> Iterator[None]:
    """Suppress clx's warnings about a small sample and a tiny model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClxWarning)
        yield
