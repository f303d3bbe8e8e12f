"""Txt files: one text per line of a single file, or one text per file of a folder."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.reading import Reading
from clx.ml.data.tables.encodings import MARKS, SAMPLE, UTF8, encoding_like, text_file
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.streams import FileSource
from clx.problems import IN_WARNINGS, examples, names
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_LINES = 4096
BATCH_FILES = 256

TEXT, LABEL, FILE = "text", "label", "file"

SPLITS = {"train", "training", "test", "testing", "dev", "val", "valid", "validation", "eval"}
"""Names of folders that hold the splits of a data set, not labels."""


def open_text_lines(source: FileSource, reading: Reading) -> Rows:
    """Open a txt file with one text per line. An empty line is a row whose text is missing.

    Raises:
        DataFormatError: the file is not text.
    """
    import pyarrow as pa

    text = text_file(source, reading.encoding)
    schema = pa.schema([(TEXT, pa.string())])

    def read() -> Iterator[pa.RecordBatch]:
        with text.open() as stream:
            lines = io.TextIOWrapper(stream, UTF8, newline="\n")
            while part := list(islice(lines, BATCH_LINES)):
                texts = [line.removesuffix("\n").removesuffix("\r") or None for line in part]
                yield pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], schema=schema)

    return Rows(source.name, schema, read, text_cells=True)


def open_text_folder(name: str, files: Sequence[FileSource], reading: Reading) -> Rows:
    """Open a folder of txt files with one text each.

    The columns are ``text``, ``label`` (the folder of the file, if the files are in folders) and
    ``file``.

    Args:
        name: the folder in messages.
        files: the txt files.
        reading: the caller's options for reading them.

    Raises:
        DataFormatError: the folder holds several splits, or a file is not text.
    """
    import pyarrow as pa

    files = _of_one_split(name, files)
    labels = [PurePosixPath(str(file.inside)).parent.name for file in files]
    encodings = _encodings(name, files, reading.encoding)
    columns = [TEXT, LABEL, FILE] if any(labels) else [TEXT, FILE]
    schema = pa.schema([(column, pa.string()) for column in columns])

    def read() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(files), BATCH_FILES):
            part = range(start, min(start + BATCH_FILES, len(files)))
            values = {
                TEXT: [_content(files[i], encodings.get(i, "utf-8-sig")) for i in part],
                LABEL: [labels[i] for i in part],
                FILE: [files[i].inside for i in part],
            }
            arrays = [pa.array(values[column], pa.string()) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return Rows(name, schema, read, len(files))


def _of_one_split(name: str, files: Sequence[FileSource]) -> list[FileSource]:
    """Return the files that are in folders, or all files if none is in a folder.

    Raises:
        DataFormatError: the folders are splits.
    """
    places = [PurePosixPath(str(file.inside)).parts for file in files]
    first = Counter(parts[0] for parts in places if len(parts) > 2)
    if len(first) > 1 and any(folder.lower() in SPLITS for folder in first):
        raise DataFormatError(
            f"{name} holds the folders {names(sorted(first))}, which are not labels: pass one of "
            f"them"
        )
    deep = [file for file, parts in zip(files, places, strict=True) if len(parts) > 1]
    beside = [parts[0] for parts in places if len(parts) == 1]
    if deep and beside:
        warnings.warn(
            f"{len(beside)} files of {name!r} were left out, because the others are in one folder "
            f"per label: {examples(beside, IN_WARNINGS)}",
            DataWarning,
            stacklevel=user_level(),
        )
    return deep or list(files)


def _encodings(name: str, files: Sequence[FileSource], given: str | None) -> dict[int, str]:
    """Return the encoding of each file that is not UTF-8, by its position.

    The files of a folder have the same encoding, so it is detected from all of them together.

    Raises:
        DataFormatError: a file is not text in its encoding.
    """
    if given is not None:
        for file in files:
            text_file(file, given)
        return dict.fromkeys(range(len(files)), given)
    found: dict[int, str] = {}
    unknown: list[int] = []
    sample = bytearray()
    for place, file in enumerate(files):
        with file.open() as stream:
            content = stream.read()
        marked = next((each for mark, each in MARKS if content.startswith(mark)), None)
        if marked is not None:
            found[place] = marked
        elif not _is_utf8(content):
            unknown.append(place)
            if len(sample) < SAMPLE:
                sample += content
    if unknown:
        detected = encoding_like(bytes(sample))
        for place in unknown:
            # If no encoding was detected, this error names the line.
            text_file(files[place], detected or UTF8)
            found[place] = str(detected)
        called = [Path(files[place].name).name for place in unknown]
        warnings.warn(
            f"{len(unknown)} files of {name} are not UTF-8. They were read as {detected}, the most "
            f"likely encoding. Pass encoding={detected!r} to confirm it, or the correct one: "
            f"{examples(called, IN_WARNINGS)}",
            DataWarning,
            stacklevel=user_level(),
        )
    return found


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode(UTF8)
    except UnicodeDecodeError:
        return False
    return True


def _content(file: FileSource, encoding: str) -> str:
    with file.open() as stream:
        return stream.read().decode(encoding)
