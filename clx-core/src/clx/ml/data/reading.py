"""How to read a text file: what the caller knows about it and clx cannot see for certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """The options of a call that reads a file. Sources that are not text files ignore them.

    Attributes:
        separator: the character between the cells of a csv file. None takes the comma, the tab for
            a tsv file, or what the file's own ``sep=`` line says.
        encoding: the name of the file's encoding. None takes UTF-8, or detects it and says so.
        header: True if the first row names the columns, False if there is no such row, or the
            names of the columns of a file without one.
    """

    separator: str | None = None
    encoding: str | None = None
    header: bool | Sequence[str] = True


DEFAULT_READING = Reading()
