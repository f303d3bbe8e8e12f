"""From the arguments of ``clx train`` and its file to one training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from clx.cli.failures import usage_error
from clx.cli.hints import Hint, is_swapped
from clx.cli.new_run_file import FILE_NAME, Given, write_run_file
from clx.cli.options_of_run import run_options
from clx.cli.output import Output
from clx.cli.parameters import reading_options
from clx.cli.run_file import POSITIONS, RunFile, read_run_file
from clx.cli.task_names import DEFAULT_TASK
from clx.errors import ConfigError
from clx.problems import names


@dataclass(frozen=True)
class Request:
    """What the user wrote on the command line; None is what was left out.

    Attributes:
        words: task, run name and training data.
        eval_data: the data or the share to evaluate on.
        given: options of the run.
        entries: entries of ``training_args``.
        assignments: the values of ``--set``.
        call: arguments of ``run.train``.
        reading: separator, encoding and header.
    """

    words: Mapping[str, str | None]
    eval_data: str | float | None
    given: Mapping[str, Any]
    entries: Mapping[str, Any]
    assignments: Sequence[str]
    call: Mapping[str, Any]
    reading: tuple[str | None, str | None, str | None]

    def calls(self) -> dict[str, Any]:
        """Return the arguments of ``run.train`` that the user wrote."""
        separator, encoding, header = self.reading
        reading = reading_options(separator, encoding, header)
        if header is None:
            del reading["header"]
        return {name: each for name, each in {**self.call, **reading}.items() if each is not None}


@dataclass(frozen=True)
class TrainingPlan:
    """One training.

    Attributes:
        task: the name of the task.
        name: the name of the run, None for a new one.
        data: the training data, and the data or the share to evaluate on.
        options: the options of the run.
        call: further arguments of ``run.train``.
        file: the file that some of them are from, None without one.
    """

    task: str
    name: str | None
    data: tuple[str, Any]
    options: Mapping[str, Any]
    call: Mapping[str, Any]
    file: Path | None = None

    @contextlib.contextmanager
    def file_named(self) -> Iterator[None]:
        """Add the file to an error about options, some of which are from it."""
        try:
            yield
        except ConfigError as error:
            if self.file is not None:
                error.add_note(Hint(f"The options are from {self.file} and the command line."))
            raise


def planned(context: typer.Context, config: Path | None, request: Request) -> TrainingPlan:
    """Return the training that the command line and its file describe.

    Args:
        context: the context of the command, for its usage.
        config: the file, None without one.
        request: what the user wrote on the command line.

    Raises:
        ConfigError: an option or the file is not valid.
        TaskNotFoundError: there is no such task.
    """
    _refuse_missing(context, config, request.words)
    file = RunFile() if config is None else read_run_file(config, request.words["task"])
    words = _words(file, request.words)
    task = words["task"]
    options = run_options(
        task, request.given, request.assignments, request.entries, before=file.options
    )
    held_out = request.eval_data
    defaults = dict.fromkeys(("group_column", "time_column", "separator", "encoding"))
    call = {**defaults, "header": True, **file.call, **request.calls()}
    data = words["train_data"], file.values.get("eval_data") if held_out is None else held_out
    return TrainingPlan(task, words["run_name"], data, options, call, file.path)


def _refuse_missing(
    context: typer.Context, config: Path | None, given: Mapping[str, str | None]
) -> None:
    """Raise if task, run name and training data are neither all given nor all in the file."""
    missing = [POSITIONS[key] for key, word in given.items() if word is None]
    if missing and (config is None or len(missing) < len(given)):
        which = f" Give TASK, NAME and TRAIN, or leave all to {config}." if config else ""
        if str(given["task"]).endswith(".toml"):
            which = f" To read them from a file, write --config {given['task']}."
        raise usage_error(f"Missing argument {missing[0]!r}.{which}", context)
    name, data = str(given["run_name"]), str(given["train_data"])
    if not missing and is_swapped(name, data):
        raise ConfigError(f"NAME is {name!r}, which is a file, and TRAIN is {data!r}")


def _words(file: RunFile, given: Mapping[str, str | None]) -> Mapping[str, Any]:
    """Return task, run name and training data: those of the command line, or those of the file."""
    if None not in given.values():
        return given
    if "train_data" not in file.values:
        raise ConfigError(f'{file.path} lacks the key train_data, such as train_data = "train.csv"')
    return {key: file.values.get(key) for key in POSITIONS}


def refuse_with_init(once: Mapping[str, bool]) -> None:
    """Raise if arguments of a training are given with ``--init``.

    Raises:
        ConfigError: such arguments are given.
    """
    given = [name for name, is_given in once.items() if is_given]
    if given:
        raise ConfigError(f"--init writes a file and trains nothing: drop {names(given)}")


def print_new_file(out: Output, config: Path | None, request: Request) -> None:
    """Write a file for ``--config`` and print where it is."""
    from clx.ml import task_registry

    path = Path(FILE_NAME) if config is None else config
    values: dict[str, Any] = {key: word for key, word in request.words.items() if word is not None}
    task = values.setdefault("task", DEFAULT_TASK)
    options = run_options(task, request.given, request.assignments, request.entries)
    if request.eval_data is not None:
        values["eval_data"] = request.eval_data
    write_run_file(path, task_registry[task], Given(values, request.calls(), options))
    if out.as_json:
        out.json({"written": path})
    else:
        out.fields([("written", path), ("next", f"clx train --config {path}")])
