"""What a class needs to be a task; one error lists everything that is wrong with it."""

from __future__ import annotations

from typing import Any

from clx.errors import PluginError
from clx.ml.task.constructing import constructor_problems
from clx.ml.task.names import TASK_NAME, attribute_name
from clx.ml.task.options import OPTIONS
from clx.ml.task.predicting import pipeline_args_problem
from clx.problems import cell, raise_problems

MUST_IMPLEMENT = ("validate_data_format", "load_model")

RESERVED = frozenset(
    [option.name for option in OPTIONS]
    + ["run_name", "load", "verify", "schema_version", "clx_version"]
    + ["task", "task_distribution", "task_version", "learned"]
)
"""Names that a config attribute cannot have: the base's arguments and the config's own keys."""


def task_problems(candidate: Any, base: type, registered_as: str | None = None) -> list[str]:
    """Return everything that keeps ``candidate`` from being a task, as sentences.

    Args:
        candidate: what should be a class.
        base: the class that tasks inherit from.
        registered_as: the entry point's name, which has to be the task's ``name`` or one of its
            ``aliases``; None for a class that was not registered by an entry point.
    """
    if not isinstance(candidate, type):
        return [f"it is {cell(candidate)}, which is not a class"]
    if not issubclass(candidate, base):
        return [f"it is not a subclass of clx.ml.{base.__name__}"]
    return _class_problems(candidate, base, registered_as)


def _class_problems(candidate: Any, base: type, registered_as: str | None) -> list[str]:
    problems = _name_problems(candidate, base, registered_as)
    problems += [
        f"it does not implement {method}()"
        for method in MUST_IMPLEMENT
        if getattr(candidate, method) is getattr(base, method)
    ]
    problems += _old_name_problems(candidate, base)
    pipeline_args = getattr(candidate, "pipeline_args", None)
    # A property is read from a run, so that its value may need heavy imports.
    wrong = None if isinstance(pipeline_args, property) else pipeline_args_problem(pipeline_args)
    if wrong is not None:
        problems.append(wrong)
    if not isinstance(getattr(candidate, "predict_args", None), dict):
        problems.append(f"predict_args must be a dict, but is {_shown(candidate.predict_args)}")
    columns = candidate.text_columns
    if not _are_strings(columns) or not 1 <= len(columns) <= 2:
        problems.append(
            f'text_columns must be a tuple of one or two column names, such as ("text",), but is '
            f"{_shown(columns)}"
        )
    for attribute, of, example in (
        ("label_column_names", "column", "label"),
        ("label_options", "option", "label_names"),
        ("decision_options", "option", "thresholds"),
    ):
        listed = getattr(candidate, attribute)
        if not _are_strings(listed):
            problems.append(
                f'{attribute} must be a tuple of {of} names, such as ("{example}",), but is '
                f"{_shown(listed)}"
            )
    if not _are_strings(candidate.dataset_cols) or not candidate.dataset_cols:
        problems.append(
            f"dataset_cols must be a list of column names, but is {_shown(candidate.dataset_cols)}"
        )
    outputs = candidate.onnx_outputs
    if not isinstance(outputs, dict) or not all(
        isinstance(name, str) and _are_strings(axes) and axes for name, axes in outputs.items()
    ):
        problems.append(
            f'onnx_outputs must be a dict with the axes of each output, such as {{"logits": '
            f'("texts", "tokens", "labels")}}, but is {_shown(outputs)}'
        )
    steps = candidate.min_steps
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        problems.append(f"min_steps must be a whole number above 0, but is {_shown(steps)}")
    problems += [
        f"it overrides {private}, which is private to clx"
        for private in private_names(base)
        if getattr(candidate, private) is not getattr(base, private)
    ]
    attr_problems = _config_attr_problems(candidate, base)
    return problems + (attr_problems or constructor_problems(candidate))


def check_task(candidate: Any, base: type, where: str, registered_as: str | None = None) -> None:
    """Raise a :class:`PluginError` that lists what :func:`task_problems` finds, if anything."""
    raise_problems(
        PluginError,
        f"{where} is not a valid task:",
        task_problems(candidate, base, registered_as),
        "Its author has to correct this; docs/start/first-task.md has a complete example.",
    )


def _old_name_problems(candidate: Any, base: type) -> list[str]:
    """Return what to write instead of the class attribute ``task``, which clx does not read."""
    value = getattr(candidate, "task", None)
    if not isinstance(value, str):
        return []
    instead = f'pipeline_args = {{"task": {value!r}}} for its pipeline'
    if getattr(candidate, "name", base.name) == base.name:  # type: ignore[attr-defined]
        instead = f"name = {value!r} for the name of the task, or {instead}"
    return [f"it has a class attribute task, which clx does not read: write {instead}"]


def _name_problems(candidate: type, base: type, registered_as: str | None) -> list[str]:
    name, aliases = getattr(candidate, "name", None), candidate.aliases  # type: ignore[attr-defined]
    if name is None or name == base.name:  # type: ignore[attr-defined]
        return ['it has no name: set the class attribute, such as name = "my-task"']
    if not isinstance(name, str) or not TASK_NAME.fullmatch(name):
        return [f"its name {cell(name)} is not made of letters, digits, '-', '_' and '.'"]
    if not _are_strings(aliases):
        return [f'aliases must be a tuple of names, such as ("short",), but is {_shown(aliases)}']
    if registered_as is not None and registered_as not in (name, *aliases):
        return [
            f"it is registered as {registered_as!r}, but its name is {name!r}: rename one of them, "
            f"or declare aliases = ({registered_as!r},)"
        ]
    return []


def _config_attr_problems(candidate: Any, base: Any) -> list[str]:
    attrs = candidate.add_config_attrs
    if not _are_strings(attrs):
        return [f"add_config_attrs must be a list of names, but is {_shown(attrs)}"]
    problems = []
    for attr in attrs:
        attribute = attribute_name(attr)
        if not attribute.isidentifier():
            problems.append(f"the add_config_attrs entry {attr!r} is not a valid attribute name")
        elif attribute.startswith("_"):
            problems.append(
                f"the add_config_attrs entry {attr!r} begins with an underscore, as clx's own names do"
            )
        elif hasattr(base, attribute) or attribute in RESERVED:
            problems.append(f"the add_config_attrs entry {attr!r} is a name of the base class")
    return problems


def _shown(value: Any) -> str:
    """Return a value as a message shows it; for a property or method, what it should be instead."""
    if not hasattr(value, "__get__"):
        return cell(value)
    return (
        f"a {type(value).__name__}: it has to be a class attribute with a plain value, because "
        f"clx reads it from the class, before there is a run"
    )


def _are_strings(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)


def private_names(base: type) -> list[str]:
    """Return the methods of core that a task must not override."""
    return [
        name
        for klass in base.__mro__[:-1]
        for name, value in vars(klass).items()
        # A name that ends with an underscore, such as _repr_html_, is a protocol of others.
        if name.startswith("_") and not name.endswith("_") and callable(value)
    ]
