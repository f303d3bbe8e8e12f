"""Label names in the options and the model of a run, and their new names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.labels import fits, label_names_problems
from clx.ml.task.names import attribute_name
from clx.ml.task.options import option_names
from clx.problems import did_you_mean, names, raise_problems

if TYPE_CHECKING:
    from clx.ml.task.task import Task

OF_EVERY_TASK = ("class_weights", "label_texts")
"""The options of every task that hold label names."""

LABEL_NAMES, LABEL_TYPE = "label_names", "label_type"


def label_names_of_run(task: Task) -> list[str]:
    """Return the label names of a trained run.

    Raises:
        ConfigError: the task does not say where it keeps label names.
    """
    declared = tuple(map(attribute_name, task.label_options))
    found = getattr(task, LABEL_NAMES, None)
    if LABEL_NAMES not in declared or not isinstance(found, list | tuple):
        raise ConfigError(
            f"The labels of the task {task.name!r} cannot be changed: its class does not name the "
            f"options that hold label names, such as label_options = ('label_names',)"
        )
    return [str(name) for name in found]


def options_with_labels(task: Task) -> list[str]:
    """Return the names of the options that hold label names."""
    known = option_names(task)
    declared = (*OF_EVERY_TASK, *map(attribute_name, task.label_options))
    return [name for name in dict.fromkeys(declared) if name in known]


def checked_renaming(label_names: Sequence[str], renamed: Any) -> dict[str, str]:
    """Return the new name of every label.

    Args:
        label_names: the names of the run.
        renamed: what a user passed: old name → new name, for some labels.

    Raises:
        ConfigError: names are unknown, repeated or not valid; all are listed.
    """
    if not isinstance(renamed, Mapping) or not renamed:
        raise ConfigError("rename_labels() needs a dict {old name: new name} with an entry")
    asked = {str(old): str(new) for old, new in renamed.items()}
    problems = [
        f"there is no label {old!r}{did_you_mean(old, label_names)}"
        for old in asked
        if old not in label_names
    ]
    if len(asked) < len(renamed):
        problems.append(f"a label is named twice: {names(map(repr, renamed))}")
    result = {name: asked.get(name, name) for name in label_names}
    if not problems and list(result.values()) == list(label_names):
        problems = ["every label already has its new name"]
    if not problems:
        problems = label_names_problems(list(result.values()), "the new label_names")
    raise_problems(
        ConfigError,
        "These labels cannot be renamed:",
        problems,
        f"The labels are {names(label_names)}. To make one label of several, use merge_labels().",
    )
    return result


def label_type_for(label_type: Any, label_names: Sequence[str]) -> Any:
    """Return the type of the labels: str if a new name does not have the old type."""
    if label_type in (None, "str"):
        return label_type
    return label_type if all(fits(name, label_type) for name in label_names) else "str"


def renamed_tags(tags: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str] | None:
    """Return a model's ``id2label`` with new names, None if its labels are not those of the run.

    Tags of spans, such as ``B-person``, have the name after their prefix. A model that was saved
    without names (``LABEL_0``) stays as it is.
    """
    if all(tag == f"LABEL_{number}" for number, tag in tags.items()):
        return dict(tags)
    plain = {tag: new[tag] for tag in tags.values() if tag in new}
    if len(plain) == len(tags):
        return {number: plain[tag] for number, tag in tags.items()}
    prefixed = {
        tag: f"{tag[:2]}{new[tag[2:]]}"
        for tag in tags.values()
        if tag[1:2] == "-" and tag[2:] in new
    }
    if {tag[2:] for tag in prefixed} != set(new):
        return None
    return {number: prefixed.get(tag, tag) for number, tag in tags.items()}
