"""Read a TOML file that describes one training: ``clx train --config run.toml``."""

from __future__ import annotations

import datetime
import glob
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clx.errors import ConfigError
from clx.problems import cell, did_you_mean, raise_problems

POSITIONS = {"task": "TASK", "run_name": "NAME", "train_data": "TRAIN"}
"""The keys that the arguments of ``clx train`` override, and the names of these arguments."""

CALL = {
    "fine_tune": ((bool,), "true or false"),
    "time_budget": ((str, int, float), 'a time such as "5m", or seconds'),
    "group_column": ((str,), "the name of a column"),
    "time_column": ((str,), "the name of a column"),
    "separator": ((str,), "one character"),
    "encoding": ((str,), "the name of an encoding"),
    "header": ((bool, list), "false, or a list of names"),
}
"""The keys that are arguments of ``run.train``, with their types."""

VALUES = {
    **dict.fromkeys(POSITIONS, ((str,), "text in quotes")),
    "eval_data": ((str, int, float), "data, or a share of train_data such as 0.2"),
}

PER_CALL = {"overwrite": "--overwrite", "resume": "--resume", "load": "--from RUN"}
"""Keys that describe one call of the command and not the run, and what to write instead."""

PATHS = ("base_model_name", "tokenizer_name")
"""The options that may be the path of a folder."""

AMBIGUOUS = {"run_name", "report_to", "label_names", "trust_remote_code"}
"""Options whose names are also entries of tables."""

OTHER_FORMATS = {".json": "JSON", ".yaml": "YAML", ".yml": "YAML"}


@dataclass(frozen=True)
class RunFile:
    """The content of a file.

    Attributes:
        path: the file, None if there is none.
        values: task, run name, training data and evaluation data, as far as the file has them.
        call: arguments of ``run.train``.
        options: options of the run.
    """

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def read_run_file(path: Path, task: str | None = None) -> RunFile:
    """Read a file and check its keys.

    Args:
        path: the file.
        task: the task of the command line, None for that of the file.

    Raises:
        ConfigError: the file cannot be read, or has keys or values that are not valid; all are
            listed.
        TaskNotFoundError: there is no such task.
    """
    keys = _without_hyphens(path, _parsed(path))
    problems = _type_problems(keys)
    chosen = task or keys.get("task")
    accepted: set[str] = set()
    if isinstance(chosen, str):
        from clx.ml import task_registry
        from clx.ml.task.options import accepted_options

        accepted = accepted_options(task_registry[chosen])
        problems += _unknown(keys, accepted)
    elif chosen is None:
        problems.append('the key task is missing, such as task = "classification"')
    remedy = "`clx train --init` writes a file with all keys."
    raise_problems(ConfigError, f"{path} cannot be used:", problems, remedy)
    folder = path.parent
    own = {*VALUES, *CALL}
    values = {key: value for key, value in keys.items() if key in VALUES}
    for key in ("train_data", "eval_data"):
        if isinstance(values.get(key), str):
            values[key] = data_beside(folder, values[key])
    options = {key: value for key, value in keys.items() if key not in own}
    return RunFile(
        path,
        values,
        {key: value for key, value in keys.items() if key in CALL},
        _with_paths(folder, options),
    )


def _parsed(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        ConfigError: there is no such file, or it is not TOML.
    """
    # Imported here: `clx --help` need not load the parser.
    import tomllib

    try:
        # Editors on Windows write a byte order mark, which tomllib does not read.
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        others = [each.name for each in sorted(path.parent.glob("*.toml"))]
        raise ConfigError(
            f"There is no file {str(path)!r} (looked in {Path.cwd()}"
            f"{did_you_mean(path.name, others)}). `clx train --init --config {path}` writes one."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        other = OTHER_FORMATS.get(path.suffix.lower())
        why = f"it seems to be {other}" if other else str(error)
        raise ConfigError(f"{path} is not a TOML file: {why}") from error


def _without_hyphens(path: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    from clx.ml.task.names import attribute_name

    found: dict[str, Any] = {}
    for key, value in keys.items():
        name = attribute_name(key)
        if name in found:
            raise ConfigError(
                f"{path} has the key {name} twice: with a hyphen and with an underscore"
            )
        found[name] = value
    return found


def _type_problems(keys: Mapping[str, Any]) -> list[str]:
    problems = []
    for key, (types, meaning) in {**VALUES, **CALL}.items():
        value = keys.get(key)
        # A bool is an int in Python.
        wrong = not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        if key in keys and wrong:
            problems.append(f"{key} must be {meaning}, but is {cell(value)}")
    dates = [place for place, value in _leaves(keys) if isinstance(value, _DATES)]
    return problems + [f"{place} is a date or a time: put it in quotes" for place in dates]


_DATES = (datetime.date, datetime.time)


def _leaves(keys: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in keys.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{before}{key}.")
        else:
            found += [
                (f"{before}{key}", each) for each in (value if isinstance(value, list) else [value])
            ]
    return found


def _unknown(keys: Mapping[str, Any], accepted: Collection[str]) -> list[str]:
    """Return the problems of keys that there are not, and of keys in the wrong place."""
    from clx.ml.task.guesses import ENTRIES

    known = {*accepted, *VALUES, *CALL}
    problems = [f"there is no key {key!r}{_hint(key, known)}" for key in keys if key not in known]
    for table in ENTRIES:
        entries = keys.get(table)
        lost = (known - AMBIGUOUS) & {*entries} if isinstance(entries, dict) else ()
        problems += [
            f"{key} stands below [{table}]: move it above the first line in brackets"
            for key in sorted(lost)
        ]
    return problems


def _hint(key: str, known: Collection[str]) -> str:
    """Return what to write instead of a key, as the end of a sentence."""
    from clx.ml.run_directory.config import BOOKKEEPING, OF_TRAINING
    from clx.ml.task.guesses import CALL_GUESSES, ENTRIES, NOT_NEEDED, OPTION_GUESSES

    if key in BOOKKEEPING or key in OF_TRAINING:
        return ": clx writes it into the config of a trained run; leave it out"
    if key in PER_CALL:
        return f": write {PER_CALL[key]} on the command line"
    for table, entries in ENTRIES.items():
        if key in entries:
            return f"; write {entries[key]} below the line [{table}]"
    if OPTION_GUESSES.get(key) in known:
        return f"; write {OPTION_GUESSES[key]}"
    call = CALL_GUESSES.get(key, "")
    # A call that names eval_data names train_data before it.
    meant = next((each for each in (*CALL, *reversed(VALUES)) if each in call), None)
    if meant is None:
        return f"; {NOT_NEEDED[key]}" if key in NOT_NEEDED else did_you_mean(key, known)
    return f"; write {meant}"


def data_beside(folder: Path, name: str) -> str:
    """Return a source of data that a file in ``folder`` names, as seen from the working directory.

    Addresses, absolute paths and ids of data sets on the Hub stay as they are.
    """
    beside = path_beside(folder, name)
    return beside if names_path(name, beside) else name


def names_path(name: str, seen: str) -> bool:
    """Return whether a source of data is a path, and not an address or an id of the Hub.

    Args:
        name: the source as it is written.
        seen: the path that it would be, as seen from the working directory.
    """
    from clx.ml.data.hub_datasets import may_be_dataset_id
    from clx.ml.data.tables.addresses import is_address
    from clx.ml.data.tables.formats import known_format
    from clx.ml.data.tables.sources import is_source

    if is_address(name):
        return False
    is_path = name.startswith(".") or glob.has_magic(name) or known_format(name) or is_source(seen)
    return bool(is_path) or not may_be_dataset_id(name)


def path_beside(folder: Path, name: str) -> str:
    """Return a path that a file in ``folder`` names, as seen from the working directory."""
    is_whole = name.startswith("~") or Path(name).is_absolute() or folder == Path()
    return name if is_whole else str(folder / name)


def _with_paths(folder: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options whose paths are seen from the working directory."""
    found = dict(options)
    if isinstance(found.get("run_dir_parent"), str):
        found["run_dir_parent"] = path_beside(folder, found["run_dir_parent"])
    for name in PATHS:
        if isinstance(found.get(name), str):
            found[name] = _model_beside(folder, found[name])
    if isinstance(found.get("metrics"), list):
        found["metrics"] = [
            _model_beside(folder, each) if isinstance(each, str) else each
            for each in found["metrics"]
        ]
    return found


def _model_beside(folder: Path, name: str) -> str:
    """Return the path of what lies beside the file, and any other name unchanged."""
    beside = path_beside(folder, name)
    return beside if name.startswith(".") or Path(beside).exists() else name
