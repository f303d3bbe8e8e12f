"""``Run``: the parts of a run: its options, its state, its directory, and its loaded parts."""

from __future__ import annotations

import contextlib
import copy
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, NotTrainedError, PluginError, RunDirError
from clx.ml.plugins.entry_points import distribution_of
from clx.ml.run.loaded import Loaded
from clx.ml.run.state import State, default_name, metric_name, parent_folder
from clx.ml.run_directory.config import (
    OF_TRAINING,
    Origin,
    config_to_write,
    contradictions,
    options_of,
    raise_config_problems,
    run_name_problems,
)
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.constructing import take_own_values
from clx.ml.task.names import attribute_name
from clx.ml.task.options import BY_TASK, OPTIONS, option_names, option_problems, options_of_task
from clx.ml.task.predicting import require_prediction
from clx.ml.task.task import Task
from clx.ml.task.training_args import check_training_args
from clx.problems import cell, raise_problems

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

NOT_COMPARED = frozenset({"training_args", "report_to", "device"})
"""Options that may differ between a run made by name and the trained run of that name."""


class Run(Task):
    """The parts of a run. :class:`clx.ml.TrainingRun` adds the verbs."""

    # Positional only, so that ``options`` does not count as the name of an option.
    def __init__(self, run_name: str | None, options: dict[str, Any], /) -> None:
        self.run_name = default_name(self.name) if run_name is None else run_name
        self.run_dir_parent = parent = parent_folder(options.pop("run_dir_parent"))
        # A wrong parent is reported later, with all other wrong options.
        folder = parent if isinstance(parent, Path) else parent_folder(None)
        self._clx_state = State(folder / str(self.run_name))
        self._clx_loaded = Loaded()
        self._set_metrics(options.pop("metrics"))
        for option in OPTIONS:
            if option.name not in options:
                continue
            value = options[option.name]
            if value is None and option.default is BY_TASK:
                value = getattr(type(self), option.name)
            elif value is None and option.default == {}:
                value = {}
            elif option.convert is not None:
                value = option.convert(value)
            setattr(self, option.name, value)

    def _set_metrics(self, metrics: Any) -> None:
        is_list = isinstance(metrics, list | tuple)
        self._clx_state.metric_sources = tuple(metrics) if is_list else ()
        self.metrics = [metric_name(metric) for metric in metrics] if is_list else metrics

    def _set_config_attrs(self, values: dict[str, Any]) -> None:
        for attr in map(attribute_name, self.add_config_attrs):
            default = copy.deepcopy(getattr(type(self), attr, None))
            if attr in values or attr not in vars(self):
                setattr(self, attr, values.get(attr, default))

    # ---- The parts of a run -----------------------------------------------------------------------

    @property
    def run_dir(self) -> Path:
        """The run directory, which may not exist yet."""
        return self._clx_state.place

    @property
    def extra_dir(self) -> Path:
        """The folder of the files that the task's ``save_extra`` wrote; it may not exist."""
        return RunDir(self.run_dir).extra

    @property
    def is_trained(self) -> bool:
        """Whether there is a trained model in the run directory."""
        return RunDir(self.run_dir).is_complete()

    @property
    def config(self) -> Mapping[str, Any]:
        """The content of ``config.json``, written or to be written; read-only."""
        return types.MappingProxyType(copy.deepcopy(config_to_write(self, self._origin())))

    @property
    def results(self) -> Mapping[str, Any]:
        """The content of ``results.json``; empty before training."""
        return types.MappingProxyType(RunDir(self.run_dir).read_results())

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the trained run, or of the base model before training."""
        return self._clx_loaded.tokenizer(self, self._directory_if_trained)

    @property
    def model(self) -> PreTrainedModel:
        """The trained model in evaluation mode, loaded on first use; a static student has none."""
        return self._clx_loaded.model(self, self._trained_directory, self._clx_state.stored_device)

    @property
    def pipe(self) -> Pipeline:
        """The Hugging Face pipeline; its tokenizer truncates and has ``tokenize_args`` bound."""
        require_prediction(self)
        return self._clx_loaded.pipe(self, self._trained_directory, self._clx_state.stored_device)

    def extra_metrics(
        self, references: Any, predictions: Any, taken: Iterable[str] = ()
    ) -> dict[str, float]:
        """Return the values of the user's ``metrics``, for a task's ``compute_metrics``.

        Args:
            references: label ids, shape (rows,); 0 and 1, shape (rows, labels); or tags by row.
            predictions: in the same form.
            taken: the names of the task's own metrics.

        Raises:
            PluginError: a metric failed; the message names it.
        """
        self._resolve_metrics()
        if not self._clx_state.metrics:
            return {}
        from clx.ml.evaluate_metrics import compute_extra

        return compute_extra(self._clx_state.metrics, references, predictions, tuple(taken))

    def __repr__(self) -> str:
        state = "trained" if self.is_trained else "not trained"
        return (
            f"<{type(self).__name__} {self.name!r} run {self.run_name!r}, {state}: {self.run_dir}>"
        )

    # ---- Made, opened, adopted -------------------------------------------------------------------

    def _finish(self, problems: list[str], given: set[str]) -> None:
        """Check the whole run, after the author's ``__init__``."""
        if not isinstance(vars(self).get("_clx_state"), State):
            raise PluginError(
                f"The __init__ of {type(self).__qualname__} does not call super().__init__(...)"
            )
        take_own_values(self)
        problems = [*problems, *run_name_problems(self.run_name)]
        problems += self._metric_problems() + option_problems(self)
        arguments, wrong = check_training_args(self.training_args, self.device, self)
        raise_config_problems(
            [*problems, *wrong], f"The run {cell(self.run_name)} of the task {self.name!r}"
        )
        self.training_args = arguments
        self._clx_state.given = frozenset(given)
        self._clx_state.made_with = copy.deepcopy(options_of_task(self))

    def _metric_problems(self) -> list[str]:
        return [
            f"metrics has {cell(metric)}, which is not a name and has no compute(...)"
            for metric in self._clx_state.metric_sources
            if not isinstance(metric, str) and not callable(getattr(metric, "compute", None))
        ]

    def _open(
        self,
        directory: RunDir,
        learned: Mapping[str, Any],
        extra: dict[str, Any],
        device: str | None,
    ) -> None:
        """Use the directory of a saved run, which may have been moved, and check its options."""
        self.run_dir_parent, self.run_name = directory.path.parent, directory.path.name
        take_own_values(self)
        wrong: list[str] = []
        stored: Any = self.training_args
        if not isinstance(stored, dict):
            wrong = [f"training_args must be a dict, but is {cell(stored)}"]
            self.training_args = {}
        raise_problems(
            RunDirError,
            f"The config of {directory.path} cannot be used:",
            wrong + option_problems(self),
            "Restore it from a copy or train again.",
        )
        # A new training starts with the original options, and learns these from its own data.
        learned = {key: value for key, value in learned.items() if key in option_names(self)}
        # Metrics that a directory names are not loaded, because loading one runs its code.
        # Training again uses the device that this opening asks for.
        self.device = self.device if device is None else device
        self._clx_state = State(
            directory.path,
            made_with=copy.deepcopy({**options_of_task(self), **learned}),
            extra=extra,
            adopted=True,
            stored_device=device is None,
        )
        self._clx_loaded.opened(directory)

    def _adopt_saved(self) -> None:
        """Adopt the options of the trained run of this name.

        Raises:
            ConfigError: options that the caller gave differ from those of the trained run.
        """
        if self._clx_state.adopted:
            return
        stored = RunDir(self.run_dir).read_config()
        compared = [name for name in self._clx_state.given if name not in NOT_COMPARED]
        problems = contradictions(self._clx_state.made_with, stored, sorted(compared))
        if stored["task"] not in (self.name, *self.aliases):
            problems = [f"it is a run of the task {stored['task']!r}, not {self.name!r}"]
        raise_problems(
            ConfigError,
            f"The trained run in {self.run_dir} is a different run:",
            problems,
            "Open it with training_run(load=...), train with overwrite=True, or choose another name.",
        )
        self._take_over(stored)

    def _take_over(self, config: Mapping[str, Any]) -> None:
        options, names = options_of(config), option_names(self)
        for key in names:
            if key in options and key != "device":
                setattr(self, key, options[key])
        self._clx_state.extra = {key: value for key, value in options.items() if key not in names}
        self._clx_state.adopted = True

    def _require_trained(self) -> None:
        if not self.is_trained:
            raise NotTrainedError(
                f"The run {self.run_name!r} is not trained ({self.run_dir}). Call run.train(data) "
                f"first, or open a trained run with training_run(load=...)."
            )
        self._adopt_saved()

    def _trained_directory(self) -> RunDir:
        self._require_trained()
        return RunDir(self.run_dir)

    def _directory_if_trained(self) -> RunDir | None:
        if self._clx_state.start is not None:
            return self._clx_state.start
        trained = not self._clx_state.from_base and self.is_trained
        return self._trained_directory() if trained else None

    def _origin(self) -> Origin:
        provider = distribution_of(type(self).__module__)
        return Origin(*provider, made_with=self._clx_state.made_with, extra=self._clx_state.extra)

    def _resolve_metrics(self) -> None:
        """Load the metrics that the caller named, so that a wrong name fails before a training."""
        if self._clx_state.metric_sources and self._clx_state.metrics is None:
            from clx.ml.evaluate_metrics import resolve_metrics

            self._clx_state.metrics = resolve_metrics(self._clx_state.metric_sources)

    @contextlib.contextmanager
    def _transaction(
        self, *, afresh: bool, keep: bool = False, start: RunDir | None = None
    ) -> Iterator[None]:
        """Let the block change options and load parts of the base model, then undo the changes.

        Args:
            afresh: start with the options that the run was made with, before data or a saved config
                changed any of them.
            keep: keep the changed options, unless the block raises.
            start: the trained run to start from instead of the base model.
        """
        state, options = self._clx_state, copy.deepcopy(options_of_task(self))
        self._clx_state = replace(state, from_base=True, start=start)
        if afresh:
            self._set_options(self._clx_state.made_with)
            extra = {key: value for key, value in state.extra.items() if key not in OF_TRAINING}
            self._clx_state.extra, self._clx_state.adopted = extra, False
        self._clx_loaded.free()
        kept = False
        try:
            yield
            kept = keep
        finally:
            if kept:
                self._clx_state.from_base, self._clx_state.start = False, None
            else:
                # A training may have failed after it published the run, so read the disk again.
                adopted = state.adopted and not keep
                self._clx_state = replace(state, metrics=self._clx_state.metrics, adopted=adopted)
                self._set_options(options)
            self._clx_loaded.release()

    def _set_options(self, options: Mapping[str, Any]) -> None:
        for name, value in copy.deepcopy(dict(options)).items():
            setattr(self, name, value)
