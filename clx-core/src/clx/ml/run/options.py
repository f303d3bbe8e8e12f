"""The options of a run: checked together when it is made, kept in the config, read back."""

from __future__ import annotations

import copy
import inspect
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clx import __version__
from clx.errors import ClxError, ConfigError, PluginError, RunDirError
from clx.ml.data.windows import long_text_problems
from clx.ml.plugins.entry_points import distribution_of
from clx.ml.run_directory.config import (
    LEARNED,
    SCHEMA_VERSION,
    TEMPERATURE,
    contradictions,
    json_problems,
    options_of,
    raise_config_problems,
    run_name_problems,
)
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.author_code import author_code
from clx.ml.task.checks import BASE_OPTIONS, attribute_name, check_task
from clx.ml.task.quality_options import quality_problems
from clx.ml.task.tokenize_arguments import tokenize_args_problems
from clx.ml.task.training_args import check_training_args
from clx.problems import cell, did_you_mean, raise_problems
from clx.settings import runs_dir

if TYPE_CHECKING:
    from clx.ml.run.loaded import Components

_DICTS = ("tokenize_args", "model_args")
_NOT_COMPARED = ("training_args", "device")


class CheckedWhenMade(type):
    """Checks a run when its whole ``__init__`` has run: authors set attributes after ``super()``."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Make a run; all wrong options are raised together, before anything is loaded."""
        base = base_class(cls)
        if cls is base:
            raise ConfigError(f"{cls.__name__} is the base class of tasks: make a run of a task")
        check_task(cls, base, f"The class {cls.__module__}:{cls.__qualname__}")
        accepted = accepted_options(cls)
        unknown = [
            f"there is no option {name!r}{did_you_mean(name, accepted)}"
            for name in options
            if name not in accepted
        ]
        run = super().__call__(*args, **{k: v for k, v in options.items() if k in accepted})
        run._finish(unknown, {name for name, value in options.items() if value is not None})
        return run

    def _open_saved(cls, directory: RunDir, config: Mapping[str, Any], device: str | None) -> Any:
        """Make the run that a config describes; what today's task does not know is only kept.

        Raises:
            RunDirError: the config's values are not ones that the task takes.
        """
        check_task(cls, base_class(cls), f"The class {cls.__module__}:{cls.__qualname__}")
        options = options_of(config)
        # Trust is the caller's to give, never a directory's.
        options.pop("trust_remote_code", None)
        accepted = accepted_options(cls)
        attrs = {attribute_name(attr) for attr in cls.add_config_attrs}  # type: ignore[attr-defined]
        known = {key: value for key, value in options.items() if key in accepted}
        try:
            run = type.__call__(cls, **known)
        except ClxError:
            raise
        except Exception as error:
            raise RunDirError(f"The config of {directory.path} cannot be used: {error}") from error
        for key in (attrs & set(options)) - accepted:
            setattr(run, key, options[key])
        learned = config.get(LEARNED)
        extra = {key: value for key, value in options.items() if key not in accepted | attrs}
        run._open(directory, learned if isinstance(learned, dict) else {}, extra, device)
        return run


def base_class(cls: type) -> type:
    """Return ``TrainingRun``: the topmost class that the metaclass made."""
    return next(klass for klass in reversed(cls.__mro__) if isinstance(klass, CheckedWhenMade))


def accepted_options(cls: Any) -> set[str]:
    """Return the names that a task class takes as keyword arguments."""
    names = {attribute_name(attr) for attr in cls.add_config_attrs}
    for klass in cls.__mro__:
        if "__init__" not in vars(klass):
            continue
        parameters = list(inspect.signature(klass.__init__).parameters.values())[1:]
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            # Arguments of the classes above cannot reach them; config attributes are set anyway.
            return names
    return names


def plain_name(name: Any) -> Any:
    """Return a path as the str that the config keeps, and anything else as it is."""
    return os.fspath(name) if isinstance(name, os.PathLike) else name


def _metric_name(metric: Any) -> str:
    name = getattr(metric, "name", None)
    return name if isinstance(name, str) else type(metric).__name__


class RunOptions:
    """The bookkeeping of a run's options. Private: a task neither calls nor overrides it."""

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]]
    add_config_attrs: ClassVar[list[str]]
    check_config: Any
    base_model_name: Any
    tokenizer_name: Any
    strict_data: Any
    class_weights: Any
    label_texts: Any
    trust_remote_code: Any
    tokenize_args: dict[str, Any]
    model_args: dict[str, Any]
    training_args: Any
    device: Any
    _components: Components

    def _set_place(self, run_name: str | None, run_dir_parent: Any) -> None:
        self.run_name = (
            time.strftime(f"{self.name}-%Y%m%d-%H%M%S") if run_name is None else run_name
        )
        self._wrong_parent = None
        if run_dir_parent is not None and not isinstance(run_dir_parent, str | os.PathLike):
            self._wrong_parent, run_dir_parent = run_dir_parent, None
        parent = runs_dir() if run_dir_parent is None else Path(run_dir_parent).expanduser()
        self.run_dir_parent = parent.absolute()
        self._run_dir = self.run_dir_parent / str(self.run_name)
        self._device_is_stored = False
        self._adopted = self._was_opened = False
        self._extra_config: dict[str, Any] = {}

    def _set_config_attrs(self, values: dict[str, Any]) -> None:
        for attr in map(attribute_name, self.add_config_attrs):
            default = copy.deepcopy(getattr(type(self), attr, None))
            if attr in values or attr not in vars(self):
                setattr(self, attr, values.get(attr, default))

    def _set_metrics(self, metrics: Any) -> None:
        """Keep the names for the config, and what was given for this process alone."""
        self._metrics_resolved: Any = None
        is_list = isinstance(metrics, list | tuple)
        self._metric_sources: list[Any] = list(metrics) if is_list else []
        self.metrics: Any = metrics
        if is_list:
            self.metrics = [m if isinstance(m, str) else _metric_name(m) for m in metrics]

    def _resolve_metrics(self) -> None:
        """Load the metrics that the caller named, so that a wrong name fails before a training."""
        if self._metric_sources and self._metrics_resolved is None:
            from clx.ml.evaluate_metrics import resolve_metrics

            self._metrics_resolved = resolve_metrics(self._metric_sources)

    def _finish(self, problems: list[str], given: set[str]) -> None:
        """Check everything, after the last ``__init__``."""
        if not hasattr(self, "_components"):
            raise PluginError(
                f"The __init__ of {type(self).__qualname__} does not call super().__init__(...)"
            )
        self._given = given
        problems = [*problems, *run_name_problems(self.run_name), *self._option_problems()]
        arguments, wrong = check_training_args(self.training_args, self.device)
        raise_config_problems(
            [*problems, *wrong], f"The run {cell(self.run_name)} of the task {self.name!r}"
        )
        self.training_args = arguments
        self._constructed = copy.deepcopy(self._options())

    def _open(
        self,
        directory: RunDir,
        learned: Mapping[str, Any],
        extra: dict[str, Any],
        device: str | None,
    ) -> None:
        """Take the place of a saved run, which may have been moved, and check its options."""
        self.run_dir_parent, self.run_name = directory.path.parent, directory.path.name
        self._run_dir = directory.path
        self._extra_config = extra
        self._given = set()
        # Naming a metric loads its code: what a directory names is never run.
        self._metric_sources = []
        wrong: list[str] = []
        if not isinstance(self.training_args, dict):
            wrong = [f"training_args must be a dict, but is {cell(self.training_args)}"]
            self.training_args = {}
        raise_problems(
            RunDirError,
            f"The config of {directory.path} cannot be used:",
            wrong + self._option_problems(),
            "Restore it from a copy or train again.",
        )
        self._adopted = self._was_opened = True
        # Another training learns anew what this one has learnt from its data.
        learned = {k: v for k, v in learned.items() if k in self._option_names()}
        self._constructed = copy.deepcopy({**self._options(), **learned})
        self._device_is_stored = device is None
        self.device = self.device if device is None else device
        self._components.opened(directory)

    def _option_problems(self) -> list[str]:
        problems = []
        for name in _DICTS:
            if not isinstance(getattr(self, name), dict):
                problems.append(f"{name} must be a dict, but is {cell(getattr(self, name))}")
        if isinstance(self.tokenize_args, dict):
            problems += tokenize_args_problems(self.tokenize_args)
        if "trust_remote_code" in (self.model_args if isinstance(self.model_args, dict) else ()):
            problems.append(
                "model_args must not have trust_remote_code, which is never kept: pass "
                "trust_remote_code=True beside it"
            )
        if self._wrong_parent is not None:
            problems.append(f"run_dir_parent must be a path, but is {cell(self._wrong_parent)}")
        if not isinstance(self.base_model_name, str) or not self.base_model_name:
            problems.append(
                f"base_model_name must be a Hub id or a folder, but is {cell(self.base_model_name)}"
            )
        if self.tokenizer_name is not None and not isinstance(self.tokenizer_name, str):
            problems.append(
                f"tokenizer_name must be a Hub id or a folder, but is {cell(self.tokenizer_name)}"
            )
        for name in ("strict_data", "trust_remote_code"):
            if not isinstance(getattr(self, name), bool):
                problems.append(f"{name} must be true or false, but is {cell(getattr(self, name))}")
        if self.metrics is not None and not isinstance(self.metrics, list):
            problems.append(f"metrics must be a list, but is {cell(self.metrics)}")
        for metric in self._metric_sources:
            if not isinstance(metric, str) and not callable(getattr(metric, "compute", None)):
                problems.append(
                    f"metrics has {cell(metric)}, which is no name and has no compute(...)"
                )
        if self.device is not None and not isinstance(self.device, str):
            problems.append(f"device must be a str such as 'cpu', but is {cell(self.device)}")
        problems += quality_problems(self) + long_text_problems(self)
        with author_code(self, "check_config"):
            problems += self.check_config()
        unnamed = {
            key: value
            for key, value in self._options().items()
            if key != "training_args" and not any(said.startswith(key) for said in problems)
        }
        return problems + json_problems(unnamed)

    def _option_names(self) -> tuple[str, ...]:
        return (*BASE_OPTIONS, *map(attribute_name, self.add_config_attrs))

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._option_names()}

    def _config_to_save(self) -> dict[str, Any]:
        """Return what ``config.json`` holds."""
        distribution, version = distribution_of(type(self).__module__)
        return {
            "schema_version": SCHEMA_VERSION,
            "clx_version": __version__,
            "task": self.name,
            "task_distribution": distribution,
            "task_version": version,
            "run_name": self.run_name,
            **self._options(),
            LEARNED: {
                name: made_with
                for name, made_with in self._constructed.items()
                if made_with != getattr(self, name)
            },
            **self._extra_config,
        }

    def _restore_constructed(self) -> None:
        """Return to the options that the run was made with, before what data or disk added."""
        for name, value in copy.deepcopy(self._constructed).items():
            setattr(self, name, value)
        self._extra_config.pop(TEMPERATURE, None)
        self._adopted = False

    def _adopt_saved(self) -> None:
        """Take over the options of the trained run of this name, unless they contradict.

        Raises:
            ConfigError: what the caller asked for is not what was trained.
        """
        if self._adopted:
            return
        stored = RunDir(self._run_dir).read_config()
        problems = contradictions(
            self._constructed, stored, [k for k in self._given if k not in _NOT_COMPARED]
        )
        if stored["task"] not in (self.name, *self.aliases):
            problems = [f"it is a run of the task {stored['task']!r}, not {self.name!r}"]
        raise_problems(
            ConfigError,
            f"The trained run in {self._run_dir} is another one:",
            problems,
            "Open it with training_run(load=...), train with overwrite=True, or take another name.",
        )
        options, names = options_of(stored), self._option_names()
        for key in names:
            if key in options and key != "device":
                setattr(self, key, options[key])
        self._extra_config = {k: v for k, v in options.items() if k not in names}
        self._adopted = True
