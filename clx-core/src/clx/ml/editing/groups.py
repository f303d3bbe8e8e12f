"""Merged labels: which labels remain, and the values of per-label options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from clx.errors import ConfigError
from clx.ml.labels import label_names_problems
from clx.problems import cell, did_you_mean, names, raise_problems


@dataclass(frozen=True)
class Merging:
    """Labels before and after some of them become one.

    Attributes:
        old: the label names of the run.
        new: the label names after it. A merged label takes the place of its first member.
        members: new name → the old names that it stands for, for every label.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    members: Mapping[str, tuple[str, ...]]

    @property
    def merged(self) -> dict[str, list[str]]:
        """The merged labels: new name → old names."""
        return {n: list(of) for n, of in self.members.items() if of != (n,)}

    @property
    def added(self) -> list[str]:
        """The new names that are not old ones."""
        return [name for name in self.new if name not in self.old]

    def id_of(self, name: str) -> int:
        """Return the new id of an old or a new name."""
        if name in self.new and (name not in self.old or name in self.members[name]):
            return self.new.index(name)
        return next(i for i, new in enumerate(self.new) if name in self.members[new])


def checked_merging(label_names: Sequence[str], groups: Any) -> Merging:
    """Return which labels remain.

    Args:
        label_names: the names of the run.
        groups: what a user passed: new name → the old names that it stands for.

    Raises:
        ConfigError: names are unknown, in two groups, or not valid; all are listed.
    """
    if not isinstance(groups, Mapping) or not groups:
        raise ConfigError("merge_labels() needs a dict {new name: [old names]} with an entry")
    problems: list[str] = []
    into: dict[str, str] = {}
    for new, of in groups.items():
        if isinstance(of, str) or not isinstance(of, list | tuple | set | frozenset) or not of:
            problems.append(f"{str(new)!r} must have a list of labels, but has {cell(of)}")
            continue
        for old in map(str, of):
            if old not in label_names:
                problems.append(f"there is no label {old!r}{did_you_mean(old, label_names)}")
            elif into.setdefault(old, str(new)) != str(new):
                problems.append(f"{old!r} is in both {into[old]!r} and {str(new)!r}")
    for new in map(str, groups):
        if new in label_names and new not in into:
            problems.append(
                f"{new!r} is already a label: to merge other labels into it, add it to the list of "
                f"{new!r}"
            )
    merged = tuple(dict.fromkeys(into.get(name, name) for name in label_names))
    if not problems:
        problems = label_names_problems(list(merged), "the new label_names")
    raise_problems(
        ConfigError,
        "These labels cannot be merged:",
        problems,
        f"The labels are {names(label_names)}. To give a label a new name, use rename_labels().",
    )
    members = {new: tuple(n for n in label_names if into.get(n, n) == new) for new in merged}
    return Merging(tuple(label_names), merged, members)


def merged_value(value: Any, merging: Merging) -> Any:
    """Return the value of an option by label for the new labels.

    A merged label gets the mean of numbers, and all of the texts. Lists of all names become the new
    names.
    """
    if isinstance(value, list | tuple):
        return list(merging.new)
    if not isinstance(value, dict):
        return value
    by_name = {str(name): item for name, item in value.items()}
    result = {}
    for new, of in merging.members.items():
        items = [by_name[name] for name in of if name in by_name]
        if items:
            result[new] = items[0] if len(items) == 1 else _joined(items)
    return result


def _joined(items: Sequence[Any]) -> Any:
    if all(isinstance(item, int | float) for item in items):
        return fmean(items)
    lists = [[item] if isinstance(item, str) else list(item) for item in items]
    return [text for texts in lists for text in texts]
