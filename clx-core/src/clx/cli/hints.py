"""What a user probably meant: arguments in another order, a run instead of data, data instead of a run.

Nothing here decides whether a command may run. A command that failed asks what to add to its message.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from clx.errors import DataFormatError

TASK, RUN, DATA, NAME = "task", "run", "data", "name"

ROLES = {
    "TASK": TASK,
    "RUN": RUN,
    "RUN...": RUN,
    "OTHER": RUN,
    "STUDENT": RUN,
    "NAME": NAME,
    "TRAIN": DATA,
    "DATA": DATA,
    "[DATA]": DATA,
    "EVAL": DATA,
    "TEXTS": DATA,
    "--task": TASK,
    "--from": RUN,
    "--eval": DATA,
    "--data": DATA,
    "--on": DATA,
    "--replay": DATA,
}
"""Name of an argument in the usage of a command, or of an option → what it takes.

Others take anything."""

EXPECTED = {
    TASK: "the name of a task, such as classification; `clx tasks` lists them",
    RUN: "the name or the directory of a trained run; `clx runs` lists them",
    DATA: "a file, a folder, a quoted glob, a query or an address of rows",
}

KINDS = {TASK: "a task", RUN: "a trained run", DATA: "data"}

MAX_WORDS = 4

HUB_DATA = "hf://datasets/"
"""Where the addresses of data on the Hub begin; others are those of runs."""


class Hint(str):
    """A note of an error that says what the user probably meant; the command line shows it."""

    __slots__ = ()


@dataclass(frozen=True)
class Word:
    """One argument of a command.

    Attributes:
        name: its name in the usage, such as ``TRAIN``.
        text: what the user gave, None for an argument that was left out.
    """

    name: str
    text: str | None

    @property
    def role(self) -> str | None:
        """What the argument takes, None if it takes anything."""
        return ROLES.get(self.name)


def hint_for(context: Any, error: BaseException) -> Hint | None:
    """Return what the user of a failed command probably meant, None if nothing seems wrong.

    Args:
        context: the click context of the command.
        error: why the command failed.
    """
    given = context.params
    wants_none = given.get("no_header") and given.get("header", "") is None
    if isinstance(error, DataFormatError) and wants_none:
        return Hint(
            "--no-header leaves out the headings of what clx prints. If the csv file has no heading, "
            "write --header A,B or --header none."
        )
    names_columns = "text_column" in given
    if isinstance(error, DataFormatError) and names_columns and "there is no column" in str(error):
        return Hint("--text-column and --label-column name the columns of your data.")
    return hint(context.command_path, words_of(context), options_of(context))


def words_of(context: Any) -> list[Word]:
    """Return the arguments of the command that a click context runs, in order."""
    found = []
    for parameter in context.command.params:
        if parameter.param_type_name != "argument":
            continue
        value = context.params.get(parameter.name)
        texts = [str(text) for text in value] if isinstance(value, list | tuple) else [value]
        name = parameter.metavar or str(parameter.name).upper()
        # The words of a list, such as TASK DATA in an older form, need not have one role.
        name = name if parameter.nargs == 1 else f"{name.rstrip('.')}..."
        found += [Word(name, None if text is None else str(text)) for text in texts]
    return found


def options_of(context: Any) -> list[Word]:
    """Return the options of the command that take a task, a run or data."""
    named = ((parameter.opts[0], parameter.name) for parameter in context.command.params)
    given = ((flag, context.params.get(name)) for flag, name in named if flag in ROLES)
    return [Word(flag, value) for flag, value in given if isinstance(value, str)]


def hint(command: str, words: Sequence[Word], options: Sequence[Word] = ()) -> Hint | None:
    """Return what the user of a command probably meant, None if nothing seems wrong.

    Args:
        command: the command, such as ``clx train``.
        words: its arguments.
        options: its options that take a task, a run or data.
    """
    given = [*(word for word in words if word.text is not None), *options]
    kinds = {word.text: kinds_of(str(word.text)) for word in given}
    if all(_fits(word, kinds[word.text]) for word in given):
        return None
    fits = all(word.text is None or _fits(word, kinds[word.text]) for word in words)
    if not fits and len(words) <= MAX_WORDS and any(kinds.values()):
        for order in permutations(word.text for word in words):
            moved = [Word(word.name, text) for word, text in zip(words, order, strict=True)]
            if all(word.text is None or _fits(word, kinds[word.text]) for word in moved):
                line = " ".join(_shown(word) for word in moved)
                return Hint(f"Did you mean: {command} {line}")
    for word in given:
        kind = next((kind for kind in (RUN, TASK, DATA) if kind in kinds[word.text]), None)
        if word.role in EXPECTED and kind is not None and word.role not in kinds[word.text]:
            name = word.name.strip("[].")
            return Hint(f"{word.text!r} is {KINDS[kind]}, but {name} is {EXPECTED[word.role]}.")
    return None


def is_swapped(name: str, data: str) -> bool:
    """Return whether the name of a run is a file of rows, and its data is not even a file."""
    return _is_file(name) and _is_data(name) and not _is_data(data)


def _fits(word: Word, kinds: set[str]) -> bool:
    """Return whether an argument may take a word of these kinds."""
    if word.role == NAME:
        # A run that is trained again has the name of a run.
        return not kinds & {TASK, DATA} and "/" not in str(word.text)
    return word.role is None or word.role in kinds


def _shown(word: Word) -> str:
    return word.name if word.text is None else shlex.quote(word.text)


def kinds_of(text: str) -> set[str]:
    """Return what a word may be: a task, a trained run, or data that exists or reads like a file."""
    found = set()
    if _is_task(text):
        found.add(TASK)
    if _is_run(text):
        found.add(RUN)
    if _is_data(text) and (RUN not in found or _is_file(text)):
        found.add(DATA)
    return found


def _is_task(text: str) -> bool:
    from clx.ml.run.opening import task_registry

    return text in task_registry


def _is_run(text: str) -> bool:
    from clx.errors import ClxError
    from clx.ml.run_directory.finding import find_run, locate
    from clx.ml.run_directory.hub_address import is_address

    if is_address(text):
        return not text.startswith(HUB_DATA)
    try:
        find_run(locate(text))
    except ClxError:
        return False
    return True


def _is_data(text: str) -> bool:
    from clx.ml.data.tables.formats import known_format
    from clx.ml.data.tables.sources import SHEET, is_source

    if known_format(text.rstrip("/")) is not None or SHEET.fullmatch(text):
        return True
    return is_source(text) and not _is_file(text)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
