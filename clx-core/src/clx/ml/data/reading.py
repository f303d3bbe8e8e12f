"""How to read a text file: facts that the caller knows and clx cannot detect with certainty."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clx.errors import ConfigError
from clx.problems import cell, raise_problems


@dataclass(frozen=True)
class Reading:
    """The options of a call that reads a file.

    Sources that are not text files ignore them, except that a workbook uses ``header``.

    Attributes:
        separator: the character between the cells of a csv file. None means a comma, a tab for a
            tsv file, or what the file's own ``sep=`` line says.
        encoding: the name of the file's encoding. None means UTF-8, or a detected encoding, with a
            warning.
        header: True if the first row names the columns, False if there is no such row, or the
            names of the columns of a file without one.
        lazily: whether the caller reads rows by their positions, so that files need not be read
            into memory.
    """

    separator: str | None = None
    encoding: str | None = None
    header: bool | Sequence[str] = True
    lazily: bool = False


DEFAULT_READING = Reading()


def reading_of(separator: Any = None, encoding: Any = None, header: Any = True) -> Reading:
    """Return how to read a text file, for the arguments of a call; :class:`Reading` describes them.

    Raises:
        ConfigError: arguments are not valid; all are listed.
    """
    problems = []
    if separator is not None and not _is_separator(separator):
        problems.append(
            f"separator must be one ASCII character, such as ';', but not a quote or line break; it is "
            f"{cell(separator)}"
        )
    if encoding is not None and not _is_encoding(encoding):
        problems.append(
            f"encoding must be the name of an encoding that Python knows, such as 'cp1252', but is "
            f"{cell(encoding)}"
        )
    if not isinstance(header, bool) and not _are_columns(header):
        problems.append(
            f"header must be True, False, or a list with a unique name for each column, but is "
            f"{cell(header)}"
        )
    raise_problems(ConfigError, "The file cannot be read like this:", problems)
    return Reading(separator, encoding, header if isinstance(header, bool) else tuple(header))


def _is_separator(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and value.isascii() and value not in '"\r\n'


def _is_encoding(value: Any) -> bool:
    try:
        # Python also has codecs that are not text encodings, such as hex.
        return isinstance(value, str) and isinstance(codecs.decode(b"", value), str)
    except (LookupError, ValueError):
        return False


def _are_columns(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(name, str) and name for name in value) and len(set(value)) == len(value)
