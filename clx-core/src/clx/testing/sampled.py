"""The task under test before it is trained: its sample, its inputs, and a tiny model."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml.run.run import TrainingRun
from clx.ml.task.checks import task_problems
from clx.ml.task.names import attribute_name
from clx.ml.task.predicting import pipeline_task, predicts
from clx.testing.outcomes import NotReachedError
from clx.testing.sample import sample_problem
from clx.testing.tiny_model import make_tiny_model

if TYPE_CHECKING:
    import pandas as pd


class Sampled:
    """One task class, with rows in its format and a model to train.

    Args:
        task: the class.
        sample: rows in the task's format, or None to use what its ``sample_data`` returns.
        options: constructor options that every run of the task needs.
        config_values: values for ``add_config_attrs`` other than their defaults, where the kit does
            not find any that the task accepts.
        base_model_name: the folder of a small model, for a task that does not work with a BERT.
    """

    def __init__(
        self,
        task: Any,
        sample: pd.DataFrame | None = None,
        options: Mapping[str, Any] | None = None,
        config_values: Mapping[str, Any] | None = None,
        base_model_name: str | Path | None = None,
    ) -> None:
        self.task = task
        self.options = dict(options or {})
        self.config_values = {attribute_name(k): v for k, v in (config_values or {}).items()}
        self._sample = sample
        self._base_model = base_model_name
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
    def _given_inputs(self) -> Any:
        # A sample that replaces the author's has other texts.
        return self.task.sample_inputs() if self.predicts and self._sample is None else None

    @functools.cached_property
    def predicts(self) -> bool:
        """Whether the task predicts; some only train."""
        try:
            return predicts(self.new_run())
        except Exception:
            return predicts(self.task)

    @functools.cached_property
    def sample_problem(self) -> str | None:
        """Why the checks cannot use the sample, or None if they can."""
        self._need_valid_task()
        columns = self.text_columns if self.predicts else []
        return sample_problem(self.task.__name__, self._given, columns, self._given_inputs)

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
        """The arguments of ``predict``: the author's ``sample_inputs``, or the sample's texts."""
        rows = self._rows
        if self._given_inputs is not None:
            return list(self._given_inputs)
        columns = [rows[name].tolist() for name in self.text_columns]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def input_of(self, text: str, mask: str | None) -> Any:
        """Return an input of ``predict`` with this text in each of its columns.

        The fill-mask pipeline gets the tokenizer's mask before it.
        """
        if pipeline_task(self.new_run()) == "fill-mask":
            text = f"{mask} {text}"
        return text if len(self.text_columns) == 1 else (text,) * len(self.text_columns)

    @functools.cached_property
    def base_model(self) -> str:
        """The folder of the base model; the kit's tiny model is made on first use."""
        if self._base_model is not None:
            return str(self._base_model)
        rows = self._rows
        columns = [name for name in self.text_columns if name in rows.columns]
        cells = [
            *rows[columns or list(rows.columns)].to_numpy().ravel(),
            *(self._given_inputs or ()),
        ]
        with without_clx_warnings():
            return str(make_tiny_model(self.folder / "tiny", _texts_in(cells)))

    def new_run(self, place: str = "runs", **options: Any) -> TrainingRun:
        """Return an untrained run of the task."""
        given = {"run_dir_parent": self.folder / place, "base_model_name": "clx-testing/none"}
        self._need_valid_task()
        run: TrainingRun = self.task("checked", **{**given, **self.options, **options})
        return run

    def _need_valid_task(self) -> None:
        if task_problems(self.task, TrainingRun):
            raise NotReachedError("it is not a valid task; see the check `attributes`")


@contextlib.contextmanager
def without_clx_warnings() -> Iterator[None]:
    """Suppress clx's warnings about a small sample and a tiny model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClxWarning)
        yield


def _texts_in(cells: Iterable[Any]) -> list[str]:
    """Return the strings in cells, also those in lists and tuples."""
    texts = []
    for given in cells:
        if isinstance(given, str):
            texts.append(given)
        elif isinstance(given, list | tuple):
            texts += _texts_in(given)
    return texts
