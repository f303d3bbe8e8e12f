"""Where ``clx predict`` gets its texts: command-line arguments, rows of data, or standard input."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from clx.errors import ConfigError, DataFormatError
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

    def read(
        self,
        columns: Sequence[str],
        reading: Reading = DEFAULT_READING,
        skip_blank: bool = False,
    ) -> Iterable[str]:
        """Yield the texts lazily.

        Args:
            columns: the columns to read data from.
            reading: how to read data.
            skip_blank: leave out the blank lines of standard input.
        """
        if self.data is not None:
            return data_texts(self.data, columns, reading)
        return stdin_texts(skip_blank) if self.stdin else self.texts


def piped_source(run_name: str) -> str:
    """Return the source of a command that names none: standard input, unless a person types there.

    Args:
        run_name: the run of the command.

    Raises:
        ConfigError: standard input is a terminal.
    """
    if sys.stdin.isatty():
        command = f"clx predict {shlex.quote(run_name)}"
        raise ConfigError(
            f'SOURCE is missing. Pass texts ({command} "a text"), a file ({command} texts.csv), a pipe '
            f"(… | {command}), or - to type one text per line and end with Ctrl-D."
        )
    return STDIN


def source_of(arguments: Sequence[str], as_texts: bool = False) -> Source:
    """Return the source of texts that the arguments of ``clx predict`` name.

    A word that ends like a file name, or that has a path separator, means data: a misspelled file
    name must not be classified.

    Args:
        arguments: the arguments of the command.
        as_texts: take every argument as a text.

    Raises:
        DataFormatError: there is no such data, or texts and data are mixed.
    """
    from clx.ml.data.tables.sources import is_source, matching_files

    if as_texts:
        return Source(texts=tuple(arguments))
    if len(arguments) == 1:
        only = arguments[0]
        if only == STDIN:
            return Source(stdin=True)
        if _names_data(only):
            if not (is_source(only) or glob.has_magic(only)):
                raise _no_file(only)
            matching_files(only)
            return Source(data=only)
    mixed = [each for each in arguments if each == STDIN or _reads_like_data(each)]
    if mixed:
        if mixed[0] != STDIN and not is_source(mixed[0]):
            raise _no_file(mixed[0])
        raise DataFormatError(
            f"{cell(mixed[0])} must be the only source: pass one file, or - for standard input, or "
            f"any number of texts. If it is a text, add --text"
        )
    return Source(texts=tuple(arguments))


def _no_file(word: str) -> DataFormatError:
    from clx.ml.data.tables.similar import like_it

    return DataFormatError(
        f"There is no file {word!r} (looked in {Path.cwd()}{like_it(word)}). If it is a text, add --text"
    )


def _names_data(word: str) -> bool:
    """Return whether a single argument means data rather than a text."""
    from clx.ml.data.tables.sources import is_source

    return is_source(word) or _reads_like_data(word)


def _reads_like_data(word: str) -> bool:
    """Return whether a word reads like the name of a file, whether or not there is one."""
    from clx.ml.data.tables.formats import FORMATS, known_format
    from clx.ml.data.tables.sources import SHEET

    if any(character.isspace() for character in word):
        # Path.is_file raises for a text that is too long for a file name.
        return bool(known_format(word)) and os.path.isfile(word)  # noqa: PTH113
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    return bool(
        FILE_NAME.search(word)
        or SHEET.fullmatch(word)
        or any(each in word for each in separators)
        # A download that did not finish, a backup: train.csv.crdownload.
        or FORMATS.keys() & {suffix.lower() for suffix in PurePath(word).suffixes}
    )


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
        with_empty_texts,
        with_export_texts,
    )

    rows = with_export_texts(with_empty_texts(open_rows(source, reading), columns), columns)
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


def stdin_texts(skip_blank: bool = False) -> Iterator[str]:
    """Yield each line of standard input as a text; an empty line is an empty text.

    Args:
        skip_blank: leave out empty lines and lines of blanks.

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
        if not skip_blank or text.strip():
            yield text.rstrip("\r\n")
