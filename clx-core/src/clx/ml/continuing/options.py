"""The options of a run that continues another run: inherited, overridden, or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ConfigError
from clx.ml.run_directory.config import (
    BASE_RUN,
    CONTINUED_FROM,
    contradictions,
    learned_of,
    options_of,
)
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.guesses import option_hint
from clx.ml.task.json_values import tuples_as_lists
from clx.ml.task.options import ANEW
from clx.problems import cell, raise_problems

ARGUMENTS = "training_args"

LABEL_LISTS = ("label_names", "label_columns")
"""The options that list the labels; new labels may follow those of the earlier run."""

_NUMBERED = re.compile(r"(.+)-(\d+)")


@dataclass(frozen=True)
class Predecessor:
    """The run that is continued, by its files.

    Attributes:
        directory: the run directory.
        config: the content of its ``config.json``.
        names: the names of the options that a run of its task keeps in the config.
        fingerprint: the identity of its content.
    """

    directory: RunDir
    config: Mapping[str, Any]
    names: Sequence[str]
    fingerprint: str

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.path.name

    @property
    def options(self) -> dict[str, Any]:
        """The options that the run has now, with what its training determined."""
        return {k: v for k, v in options_of(self.config).items() if k in self.names}

    @property
    def made_with(self) -> dict[str, Any]:
        """The options that the run was made with, before its training determined some of them."""
        learned = learned_of(self.config)
        return {**self.options, **{k: v for k, v in learned.items() if k in self.options}}

    @property
    def learned(self) -> dict[str, Any]:
        """The options that the training determined: labels, and decisions such as thresholds."""
        return {k: v for k, v in self.options.items() if k in learned_of(self.config)}

    @property
    def recorded(self) -> dict[str, Any]:
        """The config entries of a run that continues this one: names and contents, no paths."""
        ancestor = {"run_name": self.name, "fingerprint": self.fingerprint}
        if self.config.get(CONTINUED_FROM):
            ancestor[CONTINUED_FROM] = self.config[CONTINUED_FROM]
        base = self.config.get(BASE_RUN)
        return {CONTINUED_FROM: ancestor, **({BASE_RUN: base} if base else {})}


def new_options(predecessor: Predecessor, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the new run is made with, before its labels are known.

    Args:
        predecessor: the run that is continued.
        given: the options of the call, without those that are None.

    Raises:
        ConfigError: an option contradicts the trained model, or does not exist; all are listed.
    """
    stored, made_with = predecessor.options, predecessor.made_with
    fixed = [name for name in given if name not in (*ANEW, *LABEL_LISTS)]
    problems = [
        f"there is no option {name!r}{option_hint(name, given, [*stored, *ANEW])}"
        for name in fixed
        if name not in stored
    ]
    problems += contradictions(given, {**stored, **made_with}, fixed)
    problems += [
        f"{name} must begin with the labels of the run, {cell(stored[name])}"
        for name in LABEL_LISTS
        if name in given and stored.get(name) and not _begins(given[name], stored[name])
    ]
    raise_problems(
        ConfigError,
        f"The run {predecessor.name!r} cannot be continued like this:",
        problems,
        f"A continued run keeps the options of the trained model. Only {', '.join(ANEW)} may be given "
        f"anew; new labels may follow the old ones. To change others, train a new run.",
    )
    # A config names metrics only, and to load one would run its code.
    kept = {name: value for name, value in made_with.items() if name not in ("metrics", "device")}
    arguments = kept.get(ARGUMENTS)
    if "report_to" in given and isinstance(arguments, Mapping):
        # The earlier run may name its trackers in either place.
        kept[ARGUMENTS] = {k: v for k, v in arguments.items() if k != "report_to"}
    return {**kept, **given}


def _begins(given: Any, stored: Any) -> bool:
    names = [str(name) for name in tuples_as_lists(list(given))]
    return names[: len(stored)] == [str(name) for name in stored]


def fresh_name(predecessor: Predecessor, parent: Path) -> str:
    """Return an unused name for the new run: the old name with the next free number."""
    match = _NUMBERED.fullmatch(predecessor.name)
    stem, number = (match[1], int(match[2])) if match else (predecessor.name, 1)
    while True:
        number += 1
        name = f"{stem}-{number}"
        place = RunDir(parent / name)
        if not any(path.exists() for path in (place.path, place.staging, place.previous)):
            return name
