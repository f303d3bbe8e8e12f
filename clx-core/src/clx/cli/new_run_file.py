"""Write a TOML file for ``clx train --config``, with every option and its default."""

from __future__ import annotations

import inspect
import json
import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clx.cli.run_file import PATHS, names_path
from clx.errors import ConfigError

FILE_NAME = "run.toml"
WIDTH = 96

_TOP = """\
# One training of clx. Start it with: clx train --config {path}
#
# Relative paths begin at the folder of this file. Options of the command line override this file.
# A commented line shows the default of an option; nothing after = means that it has none. What the
# descriptions say of None is what happens without the option."""

_VALUES = {
    "task": "The task; `clx tasks` lists them.",
    "run_name": "The name of the new run.",
    "train_data": "Training data: a file, a folder, a glob, a query or an address.",
    "eval_data": "Data to evaluate on, or the share of train_data to set aside, such as 0.2.",
}
_CALL = {
    "fine_tune": (True, "false fits the last layer only, which takes seconds."),
    "time_budget": (None, 'Time limit of the whole training, such as "30m".'),
    "group_column": (None, "With a share: column of groups, each of which stays on one side."),
    "time_column": (None, "With a share: column of times whose newest rows are set aside."),
    "separator": (None, "The character between the cells of a csv file; by default a comma."),
    "encoding": (None, "The encoding of a text file; by default UTF-8."),
    "header": (True, "false for a csv file without a heading, or the names of its columns."),
}
_ENTRIES = ("num_train_epochs", "learning_rate", "per_device_train_batch_size", "seed")
_EXAMPLES = {
    "training_args": dict.fromkeys(_ENTRIES),
    "tokenize_args": {"max_length": None},
    "model_args": {"hidden_dropout_prob": None},
}
"""Entries of the options that are tables."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ENTRY = re.compile(r"^    (\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Given:
    """What the user wants in the file; the rest is commented out.

    Attributes:
        values: task, run name, training data and evaluation data.
        call: arguments of ``run.train``.
        options: options of the run.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def write_run_file(path: Path, task_class: Any, given: Given) -> None:
    """Write a new file.

    Args:
        path: the file.
        task_class: the class of the task.
        given: what to write without a ``#``.

    Raises:
        ConfigError: the file exists, or cannot be written.
    """
    text = run_file_text(path, task_class, given)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ConfigError(
            f"{path} exists, and --init replaces nothing: choose another file with --config FILE"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def run_file_text(path: Path, task_class: Any, given: Given) -> str:
    """Return the content of a new file; see :func:`write_run_file`."""
    defaults = {"task": task_class.name, "run_name": "my-run", "train_data": "train.csv"}
    given = _from_folder(path.parent, given)
    values = {**defaults, **given.values}
    parts = [_TOP.format(path=path)]
    parts += [_entry(name, None, doc, values) for name, doc in _VALUES.items()]
    parts.append(_section("The training"))
    parts += [_entry(name, default, doc, given.call) for name, (default, doc) in _CALL.items()]
    parts.append(_section(f"Options of the task {task_class.name}"))
    parts += [_entry(*option, given.options) for option in _own_options(task_class)]
    parts.append(_section("Options of every task"))
    rows = list(_options(task_class))
    parts += [_entry(*row, given.options) for row in rows if row[0] not in _EXAMPLES]
    parts += [_table(name, doc, given.options) for name, _, doc in rows if name in _EXAMPLES]
    return "\n\n".join(parts) + "\n"


def _from_folder(folder: Path, given: Given) -> Given:
    """Return what the user wants, with paths that begin at the folder of the file."""
    values, options = dict(given.values), dict(given.options)
    if folder == Path():
        return given
    for name in ("train_data", "eval_data"):
        if isinstance(values.get(name), str) and names_path(values[name], values[name]):
            values[name] = _relative(folder, values[name])
    for name in ("run_dir_parent", *PATHS):
        path = str(options.get(name, ""))
        if path and (name == "run_dir_parent" or Path(path).exists()):
            options[name] = _relative(folder, path)
    return replace(given, values=values, options=options)


def _relative(folder: Path, path: str) -> str:
    is_whole = path.startswith("~") or Path(path).is_absolute()
    return path if is_whole else os.path.relpath(path, folder)


def _section(title: str) -> str:
    return f"# ---- {title} ".ljust(WIDTH, "-")


def _comment(text: str) -> str:
    return textwrap.fill(
        text.replace("`", ""), WIDTH, initial_indent="# ", subsequent_indent="# ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _entry(name: str, default: Any, doc: str, given: Mapping[str, Any]) -> str:
    """Return an option with its documentation, commented out unless the user set it."""
    value = given.get(name)
    doc = doc if doc.startswith(("false", "true")) else doc[:1].upper() + doc[1:]
    line = f"# {name} = {toml_value(default)}" if value is None else f"{name} = {toml_value(value)}"
    return "\n".join(filter(None, [_comment(doc) if doc else "", line.rstrip()]))


def _table(name: str, doc: str, given: Mapping[str, Any]) -> str:
    own = given.get(name) or {}
    lines = [f"{toml_key(key)} = {toml_value(value)}" for key, value in own.items()]
    lines += [f"# {key} =" for key in _EXAMPLES[name] if key not in own]
    return "\n".join([_comment(doc), f"[{name}]", *lines])


def _options(task_class: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the name, the default and the documentation of the options of every task."""
    from clx.ml.task.options import BY_TASK, OPTIONS

    for option in OPTIONS:
        by_task = option.default is BY_TASK
        default = getattr(task_class, option.name, None) if by_task else option.default
        yield option.name, default, option.doc


def _own_options(task_class: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the name, the default and the documentation of the options that the task adds."""
    from clx.ml.task.options import OPTIONS, accepted_options

    others = {"run_name", *(option.name for option in OPTIONS)}
    docs: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    for klass in reversed(task_class.__mro__):
        docs |= dict(_ENTRY.findall(inspect.cleandoc(klass.__doc__ or "")))
        if "__init__" in vars(klass):
            parameters = inspect.signature(klass.__init__).parameters.values()
            defaults |= {each.name: each.default for each in parameters}
    for name in sorted(accepted_options(task_class) - others):
        default = defaults.get(name, getattr(task_class, name, None))
        has_default = default is not inspect.Parameter.empty
        yield name, default if has_default else None, " ".join(docs.get(name, "").split())


def toml_key(key: str) -> str:
    """Return a key as TOML."""
    return key if _BARE.fullmatch(key) else _text(key)


def toml_value(value: Any) -> str:
    """Return a value as TOML, an empty text for None, which TOML does not have."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(str(key))} = {toml_value(item)}" for key, item in value.items())
        inside = ", ".join(pairs)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return _text(str(value))


def _text(text: str) -> str:
    # JSON leaves this one control character as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
