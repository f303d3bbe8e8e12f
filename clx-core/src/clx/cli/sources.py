"""Where ``clx predict`` gets its texts: command-line arguments, a file, or standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clx.errors import DataFormatError
from clx.problems import cell

STDIN = "-"
READ_ROWS = 1024

FILE_NAME = re.compile(r"\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True)
class Source:
    """Where texts come from.

    Attributes:
        texts: the texts given as arguments; empty if they come from a file or stdin.
        file: the file of rows, or None.
        stdin: whether to read one text per line from standard input.
    """

    texts: tuple[str, ...] = ()
    file: Path | None = None
    stdin: bool = False

    def read(self, columns: Sequence[str]) -> Iterable[str]:
        """Yield the texts lazily; those of a file come from these columns."""
        if self.file is not None:
            return file_texts(self.file, columns)
        return stdin_texts() if self.stdin else self.texts


def source_of(arguments: Sequence[str], as_texts: bool = False) -> Source:
    """Return where the arguments of ``clx predict`` say the texts are.

    One word that ends like a file name, or that has a path separator, means a file: a misspelled file
    name must not be classified.

    Args:
        arguments: those of the command.
        as_texts: take every argument as a text.

    Raises:
        DataFormatError: a file does not exist or has an unknown format, or texts and files are mixed.
    """
    from clx.ml.data.files import FORMATS, file_format

    if as_texts:
        return Source(texts=tuple(arguments))
    if len(arguments) == 1:
        only = arguments[0]
        if only == STDIN:
            return Source(stdin=True)
        if _names_a_file(only):
            _refuse_missing(only)
            file_format(Path(only))
            return Source(file=Path(only))
    mixed = [
        argument
        for argument in arguments
        if argument == STDIN or (Path(argument).suffix.lower() in FORMATS and _is_file(argument))
    ]
    if mixed:
        raise DataFormatError(
            f"{cell(mixed[0])} must be the only source: pass one file, or - for standard input, or "
            f"any number of texts"
        )
    return Source(texts=tuple(arguments))


def _names_a_file(word: str) -> bool:
    """Return whether a single argument means a file rather than a text."""
    if _is_file(word) or os.path.isdir(word):  # noqa: PTH112
        return True
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    looks_like_one = FILE_NAME.search(word) or any(each in word for each in separators)
    return bool(looks_like_one) and not any(character.isspace() for character in word)


def _refuse_missing(word: str) -> None:
    if os.path.isdir(word):  # noqa: PTH112
        raise DataFormatError(f"{word!r} is a folder: give one file of rows, or --text for a text")
    if not _is_file(word):
        raise DataFormatError(
            f"There is no file {word!r} (looked in {Path.cwd()}). If it is a text, add --text"
        )


def _is_file(argument: str) -> bool:
    # Path.is_file raises for a text that is too long for a file name.
    return os.path.isfile(argument)  # noqa: PTH113


def file_texts(path: Path, columns: Sequence[str]) -> Iterator[str]:
    """Yield the texts of a file, reading ``READ_ROWS`` rows at a time.

    Raises:
        DataFormatError: a column is missing or contains values that are not texts.
    """
    import pandas as pd

    from clx.ml.data.row_files import read_chunks
    from clx.ml.data.texts import frame_inputs

    first = 0
    for frame in read_chunks(path, READ_ROWS):
        frame.index = pd.RangeIndex(first, first + len(frame))
        first += len(frame)
        try:
            inputs = frame_inputs(frame, columns)
        except DataFormatError as error:
            raise DataFormatError(f"{error} (see --text-column)") from error
        yield from inputs


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
