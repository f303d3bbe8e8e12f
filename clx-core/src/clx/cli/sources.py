"""Where ``clx predict`` gets its texts: command-line arguments, rows of data, or standard input."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clx.errors import DataFormatError
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.problems import cell

STDIN = "-"
READ_ROWS = 1024

FILE_NAME = re.compile(r"\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True)
class Source:
    """Where texts come from.

    Attributes:
        texts: the texts given as arguments; empty if they come from data or stdin.
        data: the file, folder, glob or address of the rows, or None.
        stdin: whether to read one text per line from standard input.
    """

    texts: tuple[str, ...] = ()
    data: str | None = None
    stdin: bool = False

    def read(self, columns: Sequence[str], reading: Reading = DEFAULT_READING) -> Iterable[str]:
        """Yield the texts lazily; data is read from these columns, as ``reading`` says."""
        if self.data is not None:
            return data_texts(self.data, columns, reading)
        return stdin_texts() if self.stdin else self.texts


def source_of(arguments: Sequence[str], as_texts: bool = False) -> Source:
    """Return the source of texts that the arguments of ``clx predict`` name.

    One word that ends like a file name, or that has a path separator, means data: a misspelled file
    name must not be classified.

    Args:
        arguments: the arguments of the command.
        as_texts: take every argument as a text.

    Raises:
        DataFormatError: there is no such data, or texts and data are mixed.
    """
    from clx.ml.data.tables.formats import known_format
    from clx.ml.data.tables.sources import is_source, matching_files

    if as_texts:
        return Source(texts=tuple(arguments))
    if len(arguments) == 1:
        only = arguments[0]
        if only == STDIN:
            return Source(stdin=True)
        if _names_data(only):
            if not (is_source(only) or glob.has_magic(only)):
                raise DataFormatError(
                    f"There is no file {only!r} (looked in {Path.cwd()}). If it is a text, add --text"
                )
            matching_files(only)
            return Source(data=only)
    mixed = [
        argument
        for argument in arguments
        if argument == STDIN or (known_format(argument) and _is_file(argument))
    ]
    if mixed:
        raise DataFormatError(
            f"{cell(mixed[0])} must be the only source: pass one file, or - for standard input, or "
            f"any number of texts"
        )
    return Source(texts=tuple(arguments))


def _names_data(word: str) -> bool:
    """Return whether a single argument means data rather than a text."""
    from clx.ml.data.tables.sources import is_source

    if is_source(word):
        return True
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    looks_like_one = FILE_NAME.search(word) or any(each in word for each in separators)
    return bool(looks_like_one) and not any(character.isspace() for character in word)


def _is_file(argument: str) -> bool:
    # Path.is_file raises for a text that is too long for a file name.
    return os.path.isfile(argument)  # noqa: PTH113


def data_texts(source: str, columns: Sequence[str], reading: Reading) -> Iterator[str]:
    """Yield the texts of a file, folder, glob or address, reading ``READ_ROWS`` rows at a time.

    Raises:
        DataFormatError: the data cannot be read, or a column is missing or has values that are not
            texts.
    """
    from clx.ml.data.tables.sources import open_rows
    from clx.ml.prediction.text_rows import (
        raise_for_rows,
        require_columns,
        row_texts,
        with_export_texts,
    )

    rows = with_export_texts(open_rows(source, reading), columns)
    first = 0
    with _option_named():
        require_columns(rows, columns, "columns of texts")
    for batch in rows.parts(READ_ROWS):
        found = row_texts(batch, columns, rows.text_cells)
        with _option_named():
            raise_for_rows(found.errors, first, columns)
        yield from found.texts
        first += batch.num_rows


@contextlib.contextmanager
def _option_named() -> Iterator[None]:
    """Add the option that chooses the column to a message about it."""
    try:
        yield
    except DataFormatError as error:
        raise DataFormatError(f"{error} (see --text-column)") from error


def stdin_texts() -> Iterator[str]:
    """Yield each line of standard input as a text; an empty line is an empty text.

    Raises:
        DataFormatError: a line is not valid UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataFormatError(
                f"standard input, line {number}: not valid UTF-8 ({error})"
            ) from error
        yield text.rstrip("\r\n")
