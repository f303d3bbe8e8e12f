"""Checks of the class itself, without training."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clx import ml
from clx.errors import ClxError
from clx.ml.run.run import TrainingRun
from clx.ml.task.checks import private_names, task_problems
from clx.testing.catalog import check
from clx.testing.locations import source_file
from clx.testing.outcomes import CheckFailedError, CheckWarningError
from clx.testing.subject import Subject

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "validate_data_format": (("frame",), {}),
    "load_model": (("folder",), {}),
    "load_tokenizer": (("folder",), {}),
    "load_data_collator": ((), {}),
    "tokenize": (({},), {}),
    "compute_metrics": (("eval_pred",), {}),
    "post_process_prediction": (("prediction",), {}),
    "read_data": (("frame",), {}),
    "infer_config": (("frame",), {}),
    "check_config": ((), {}),
    "evaluation_tables": (("eval_pred",), {}),
    "evaluation_intervals": (("eval_pred",), {}),
    "evaluation_rows": (("eval_pred",), {}),
    "metric_differences": (("other", "eval_pred", "other_pred"), {}),
    "fit_decisions": (("eval_pred",), {}),
    "apply_decisions": (({},), {}),
    "decision_rule": ((), {}),
    "decide": (("prediction",), {"min_score": None}),
    "prediction_row": (("prediction",), {"all_scores": False, "min_score": None}),
    "prediction_types": ((), {"all_scores": False}),
    "preprocess_logits_for_metrics": (("logits", "labels"), {}),
    "row_labels": (("frame",), {}),
    "label_cells": (("frame", {}), {}),
    "data_findings": (("frame",), {}),
    "save_extra": (("folder",), {}),
}
"""How core calls the methods that a task overrides."""

_PUBLIC = (
    "comparing",
    "data",
    "decisions",
    "evaluate_metrics",
    "intervals",
    "label_lists",
    "labels",
    "metrics",
    "multilabel_metrics",
    "plugins",
    "report",
    "spans",
    "thresholds",
)
PUBLIC_MODULES = frozenset(
    {"clx", "clx.ml", "clx.errors", "clx.problems", "clx.settings", "clx.testing"}
    | {f"clx.ml.{name}" for name in _PUBLIC}
)
"""Modules whose public names are stable; everything else in clx may change in any release."""


@check(
    "The class has everything that a task requires.",
    "clx rejects the class on first use, so nobody can use the task.",
    "class",
    reads="class",
    opens="run",
)
def attributes(subject: Subject) -> None:
    """Report what :func:`clx.ml.task.checks.task_problems` finds."""
    problems = task_problems(subject.task, TrainingRun)
    if problems:
        raise CheckFailedError(
            f"PluginError: {subject.task.__name__} is not a valid task: {'; '.join(problems)}"
        )


@check(
    "Overridden methods accept the arguments that core passes.",
    "The call fails in the middle of training or prediction.",
    "load_model tokenize post_process_prediction",
    reads="class",
)
def signatures(subject: Subject) -> None:
    """Bind core's arguments to each method."""
    wrong = []
    for name, (args, kwargs) in CALLS.items():
        method = inspect.getattr_static(subject.task, name, None)
        if not inspect.isfunction(method):
            continue
        try:
            inspect.signature(method).bind(subject.task, *args, **kwargs)
        except TypeError as error:
            wrong.append(f"{name}{inspect.signature(method)}: {error}")
    if wrong:
        raise CheckFailedError(f"TypeError when clx calls {'; '.join(wrong)}")


@check(
    "The options that all tasks share reach the base class.",
    "A learning rate or token limit that a user sets is silently ignored.",
    "__init__",
    reads="run",
)
def base_options(subject: Subject) -> None:
    """Create a run with these options and compare them."""
    given: dict[str, Any] = {
        "tokenize_args": {"max_length": 48},
        "model_args": {"hidden_dropout_prob": 0.25},
        "training_args": {"seed": 5},
        "tokenizer_name": "clx-testing/other",
        "device": "cpu",
    }
    try:
        run = subject.new_run(**given)
    except (ClxError, TypeError) as error:
        raise CheckFailedError(f"{type(error).__name__}: {error}") from error
    for name, value in given.items():
        kept = getattr(run, name)
        if kept != value:
            raise CheckFailedError(
                f"training_run({subject.task.name!r}, …, {name}={value!r}) has {name} {kept!r}"
            )


@check(
    "The task uses only public names of clx.",
    "The next release of clx may break the task, because only public names are stable.",
    "module",
    reads="run",
)
def public_names(subject: Subject) -> None:
    """Search the source of the task's package."""
    subject.new_run()
    private = {*private_names(TrainingRun), *_private_attributes()}
    own = {name for k in subject.task.__mro__[:-1] if _foreign(k) for name in vars(k)}
    found = [
        f"{path.name}:{line} uses {what}"
        for path in _sources(subject)
        for line, what in _private_uses(path, private - own)
    ]
    if found:
        raise CheckFailedError(
            f"an ImportError or AttributeError after an upgrade of clx: {'; '.join(found)}"
        )


class _Plain(TrainingRun):
    """A task without anything of its own."""

    name = "clx-testing-plain"

    def validate_data_format(self, data: Any) -> None:
        """Accept everything."""

    def load_model(self, model_name: str | None = None) -> Any:
        """Load nothing."""


def _private_attributes() -> list[str]:
    """Return the private attributes that clx itself gives to a run."""
    return [name for name in vars(_Plain("plain")) if name.startswith("_")]


def _foreign(klass: type) -> bool:
    return not klass.__module__.startswith(("clx.ml.", "builtins"))


def _sources(subject: Subject) -> list[Path]:
    """Return the source files of the package that contains the class."""
    file = source_file(subject.task)
    if file is None:
        return []
    package = sys.modules.get(subject.task.__module__.partition(".")[0])
    root = getattr(package, "__path__", None)
    if root is None:
        return [Path(file)]
    return sorted(Path(next(iter(root))).rglob("*.py"))


def _private_uses(path: Path, private: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            is_clx = node.module.split(".")[0] == "clx"
            hidden = [alias.name for alias in node.names if is_clx and alias.name.startswith("_")]
            if node.module == "clx.ml":
                within = Path(ml.__path__[0])
                names += [f"clx.ml.{a.name}" for a in node.names if _is_module(within, a.name)]
        elif isinstance(node, ast.Import):
            names, hidden = [alias.name for alias in node.names], []
        elif isinstance(node, ast.Attribute) and node.attr in private:
            yield node.lineno, node.attr
            continue
        else:
            continue
        for name in [*(n for n in names if _is_private(n)), *hidden]:
            yield node.lineno, name


def _is_module(package: Path, name: str) -> bool:
    return (package / f"{name}.py").is_file() or (package / name / "__init__.py").is_file()


def _is_private(module: str) -> bool:
    return module.split(".")[0] == "clx" and module not in PUBLIC_MODULES


@check(
    "A run keeps the value of each of the task's own options.",
    "A user sets an option, and the run uses another value.",
    "__init__ add_config_attrs",
    reads="run",
)
def own_options(subject: Subject) -> None:
    """Set each name in add_config_attrs to another value."""
    changed = subject.changed
    if changed.lost:
        name = changed.lost[0]
        raise CheckFailedError(
            f"training_run({subject.task.name!r}, …, {name}=…) makes a run whose {name} is still "
            f"{getattr(subject.new_run(**changed.values), name)!r}"
        )
    if changed.not_found:
        raise CheckWarningError(
            f"the kit found no value other than the default for {', '.join(changed.not_found)}, so it "
            f"could not check it: set config_values = {{{changed.not_found[0]!r}: …}}"
        )
