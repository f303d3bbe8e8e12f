"""The task under test: its sample, a tiny model, and one training that all checks share."""

from __future__ import annotations

import contextlib
import functools
import inspect
import numbers
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml.run.opening import open_saved
from clx.ml.run.run import TrainingRun
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import CONFIG, RunDir
from clx.ml.run_directory.staging import staged
from clx.ml.task.checks import task_problems
from clx.ml.task.names import attribute_name
from clx.problems import cell, names
from clx.testing.fresh import ask
from clx.testing.results import CheckFailedError, NotReachedError
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
CANDIDATES: dict[type, Any] = {
    bool: lambda value: [not value],
    int: lambda value: [value + 1, value - 1, 1, 2],
    float: lambda value: [value / 2, value + 0.25, 0.5, 1.0],
    str: lambda value: [f"{value}-changed", "changed", "a", "b"],
    list: lambda value: [[*value, *value[-1:]], value[:-1], value[::-1], ["changed", "other"]],
    tuple: lambda value: [[*value[::-1]], ["changed", "other"]],
    dict: lambda value: [{**value, "changed": 1}, {}, {"changed": 0.5}],
}
FOR_NONE = ("changed", 7, 0.5, True, ["changed", "other"], [1, 2], {"changed": 0.5})


class Subject:
    """One task class on its way through the checks.

    Args:
        task: the class.
        sample: rows in its format, or None for what its ``sample_data`` returns.
        options: constructor options that every run of it needs.
        config_values: values for ``add_config_attrs`` other than their defaults, where the kit finds
            none that the task takes.
        base_model_name: the folder of a small model, for a task that no BERT fits.
        steps: of the training; half way there is an evaluation and a checkpoint.
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
        """Return what the author's classes hold, as texts."""
        return {
            name: repr(value)
            for klass in getattr(self.task, "__mro__", ())
            if not klass.__module__.startswith(("clx.ml.", "builtins"))
            for name, value in vars(klass).items()
            if not name.startswith("__") and not callable(value)
        }

    @property
    def base_model_is_tiny(self) -> bool:
        """Whether the model is the kit's own, whose limit is known."""
        return self._base_model is None

    def close(self) -> None:
        """Remove what the checks wrote."""
        if "folder" in vars(self):
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- What there is to work with --------------------------------------------------------------

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
        """What keeps the checks from using the sample, None if nothing does."""
        import pandas as pd

        self._need_valid_task()
        sample = self._given
        if not isinstance(sample, pd.DataFrame) or len(sample) < 2:
            return (
                f"the kit needs a sample of at least two rows for {self.task.__name__}, but has "
                f"{cell(sample)}: set `sample` to a DataFrame, or let sample_data() return one"
            )
        return no_texts(sample, self.text_columns)

    @functools.cached_property
    def _rows(self) -> pd.DataFrame:
        try:
            usable = self.sample_problem is None
        except Exception:
            # What sample_data raised is told once, by the check of the sample.
            usable = False
        if not usable:
            raise NotReachedError("the sample cannot be used; see the check `sample_texts`")
        rows: pd.DataFrame = self._given
        return rows

    @property
    def sample(self) -> pd.DataFrame:
        """The author's rows, a copy of one's own."""
        return self._rows.copy(deep=True)

    @property
    def text_columns(self) -> list[str]:
        """The columns that predictions are made from."""
        return list(self.task.text_columns)

    @property
    def inputs(self) -> list[Any]:
        """What ``predict`` takes for the sample's rows."""
        columns = [self._rows[name].tolist() for name in self.text_columns]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def input_of(self, text: str) -> Any:
        """Return an input of ``predict`` with this text in all its columns."""
        return text if len(self.text_columns) == 1 else (text,) * len(self.text_columns)

    @functools.cached_property
    def base_model(self) -> str:
        """The folder of the tiny model, made when it is first asked for."""
        if self._base_model is not None:
            return str(self._base_model)
        texts = [
            text for name in self.text_columns for text in self._rows[name] if isinstance(text, str)
        ]
        with quiet():
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
            # Label names mean nothing to a random model, and would be many of its few examples.
            run = self.new_run(place, **options, label_texts=None)
        except TypeError:
            # The task passes this option itself.
            run = self.new_run(place, **options)
        with quiet():
            return run, run.train(self.sample, self.sample, **call)

    # ---- The training that checks share ----------------------------------------------------------

    def train_once(self) -> tuple[TrainingRun, TrainingResult]:
        """Return the trained run with its result; raise what the training raised, each time."""
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
        """The same, for checks that cannot do without it."""
        try:
            return self.train_once()
        except Exception as error:
            raise NotReachedError("the task does not train; see the check `learns`") from error

    @property
    def run_dir(self) -> Path:
        """The directory of the trained run."""
        return self.trained[0].run_dir

    def opened(self, folder: Path | None = None) -> TrainingRun:
        """Return the trained run as a user opens it."""
        directory = RunDir(folder or self.run_dir)
        return open_saved(self.task, directory, directory.read_config(), None)

    @functools.cached_property
    def predictions(self) -> list[Any]:
        """What the opened run predicts for the sample."""
        return self.predict(self.opened(), self.inputs)

    def predict(self, run: TrainingRun, inputs: Any, **call: Any) -> list[Any]:
        """Return predictions, without the warnings about long texts."""
        with quiet():
            return run.predict(inputs, **call)

    # ---- Options ---------------------------------------------------------------------------------

    @functools.cached_property
    def changed(self) -> tuple[dict[str, Any], list[str], list[str]]:
        """Options other than their defaults: the values, those that got lost, those not found."""
        # The author's values may go together only.
        values: dict[str, Any] = dict(self.config_values)
        run = self.new_run(**values)
        lost = [attr for attr, value in values.items() if getattr(run, attr) != value]
        not_found = []
        for attr in map(attribute_name, self.task.add_config_attrs):
            if attr in values:
                continue
            found, dropped = self._other_value(attr, values)
            if found is not None:
                values[attr] = found[0]
            elif dropped:
                lost.append(attr)
            else:
                not_found.append(attr)
        return values, lost, not_found

    def _other_value(self, attr: str, others: dict[str, Any]) -> tuple[tuple[Any] | None, bool]:
        default = getattr(self.new_run(), attr)
        dropped = False
        for candidate in self._candidates(attr, default):
            try:
                run = self.new_run(**{**others, attr: candidate})
            except Exception:
                # The task does not take this value: another one may do.
                continue
            kept = getattr(run, attr)
            if kept == candidate or (kept != default and not isinstance(candidate, bool)):
                return (candidate,), False
            dropped = True
        return None, dropped

    def _candidates(self, attr: str, default: Any) -> list[Any]:
        learned = None
        with contextlib.suppress(Exception):
            learned = getattr(self.train_once()[0], attr)
        first = [learned] if learned is not None and learned != default else []
        kinds = [make for kind, make in CANDIDATES.items() if type(default) is kind]
        others = kinds[0](default) if kinds else list(FOR_NONE)
        return [value for value in [*first, *others] if value != default]

    # ---- A process of its own --------------------------------------------------------------------

    @functools.cached_property
    def fresh(self) -> dict[str, Any]:
        """What a fresh process says of the moved run, and of one with changed options."""
        import json

        home = self.run_dir
        moved = Path(tempfile.mkdtemp(dir=self.folder)) / "to another place"
        shutil.copytree(home, moved)
        values = self.changed[0]
        run = self.new_run("changed", base_model_name=self.base_model, **values)
        with staged(RunDir(run.run_dir)) as new:
            shutil.copytree(moved, new.path, dirs_exist_ok=True)
            write_json(new.path / CONFIG, dict(run.config))
        inputs = self.inputs
        # The original is away while the process looks, as on another machine.
        hidden = home.rename(home.with_name("hidden"))
        try:
            return ask(
                {
                    "module": self.task.__module__,
                    "file": self.source_file,
                    "name": self.task.__qualname__,
                    "keys": list(values),
                    "configs": [str(run.run_dir)],
                    "predict": str(moved),
                    "inputs": json.loads(json.dumps(inputs)),
                }
            )
        finally:
            hidden.rename(home)

    # ---- Where things are ------------------------------------------------------------------------

    @property
    def source_file(self) -> str | None:
        """The file of the task's class, None for one without."""
        try:
            return inspect.getsourcefile(self.task)
        except (TypeError, OSError):
            return None

    def place_of(self, names: tuple[str, ...]) -> str:
        """Return where the named methods or attributes are, with file and line if that is known."""
        return ", ".join(self._place(name) for name in names)

    def _place(self, name: str) -> str:
        where = f"{self.task.__name__}.{name}"
        if name in ("module", "class"):
            where = self.task.__module__ if name == "module" else self.task.__name__
        owner = next((k for k in self.task.__mro__ if name in vars(k)), None)
        if owner is not None and owner.__module__.startswith("clx.ml."):
            return f"{where} (not overridden)"
        function = getattr(owner, name, None) if owner else None
        with contextlib.suppress(TypeError, OSError):
            target: Any = function if inspect.isroutine(function) else self.task
            file, line = inspect.getsourcefile(target), inspect.getsourcelines(target)[1]
            return f"{where} ({file}:{line})"
        return where


def no_texts(sample: pd.DataFrame, columns: Sequence[str]) -> str | None:
    """Return why no predictions can be made from these columns of a sample, None if they can."""
    read = f"predictions are made from the columns in text_columns ({names(columns)})"
    for name in columns:
        if name not in sample.columns:
            return (
                f"{read}, and the sample has no column {name!r}, only "
                f"{names(str(column) for column in sample.columns)}: let text_columns name the "
                f"columns of texts, or sample_data() (the kit's `sample`) have them"
            )
        for row, value in zip(sample.index, sample[name], strict=True):
            if not isinstance(value, str):
                return (
                    f"{read}, whose cells have to be str, and in the sample's column {name!r} is "
                    f"{cell(value)} in row {cell(row)}: let text_columns name a column of texts, and "
                    f"sample_data() (the kit's `sample`) have one; words, for instance, are joined"
                )
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out clx's warnings about a sample that is small and a model that is tiny."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClxWarning)
        yield


def same(one: Any, other: Any, tolerance: float = 1e-4) -> bool:
    """Return whether two predictions are equal, numbers within the tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[k], other[k], tolerance) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in pairs)
    if isinstance(one, numbers.Real) and isinstance(other, numbers.Real):
        # numpy's numbers too: that they are no JSON is for another check to say.
        return abs(float(one) - float(other)) <= tolerance * max(1.0, abs(float(one)))
    return bool(one == other)


def fail(saw: str) -> CheckFailedError:
    """Return the error of a failed check."""
    return CheckFailedError(saw)
