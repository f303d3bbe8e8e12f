"""CoNLL files: one word and its tag per line, and a blank line between two sentences."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from clx.errors import DataFormatError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.encodings import UTF8, TextFile, text_file
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.streams import FileSource
from clx.problems import cell, report

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 4096

MOST_PROBLEMS = 5

TEXT, WORDS, TAGS = "text", "words", "tags"

DOCUMENT = "-DOCSTART-"
"""The word of a line that begins a document; it belongs to no sentence."""

TAG = re.compile(r"O|[BILUES]-.+", re.DOTALL)
"""The tags of BIO, IO, BILOU and BIOES."""

EXPECTED = (
    "Each line has a word first and its tag last, such as 'Paris B-place' or 'Paris NNP I-NP B-place', "
    "separated by tabs or blanks. Tags are O, and B-, I-, L-, U-, E- or S- and a label. A blank line "
    "ends a sentence."
)

Sentence = tuple[list[str], list[str]]
"""The words of a sentence, and the tag of each."""


def open_conll(source: FileSource, reading: Reading) -> Rows:
    """Open a CoNLL file with one row per sentence.

    The columns are ``text``, the words joined by blanks, ``words`` and ``tags``.

    Raises:
        DataFormatError: the file is not text. When the rows are read, also: lines are not valid; the
            message names the first of them.
    """
    import pyarrow as pa

    text = text_file(source, reading.encoding)
    lists = pa.list_(pa.string())
    schema = pa.schema([(TEXT, pa.string()), (WORDS, lists), (TAGS, lists)])

    def read() -> Iterator[pa.RecordBatch]:
        sentences = _sentences(text, source.name)
        while part := list(islice(sentences, BATCH_ROWS)):
            texts = [" ".join(words) for words, _ in part]
            columns = [texts, [words for words, _ in part], [tags for _, tags in part]]
            arrays = [pa.array(values, f.type) for values, f in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return Rows(source.name, schema, read)


def _sentences(text: TextFile, name: str) -> Iterator[Sentence]:
    """Yield the sentences of a file.

    Raises:
        DataFormatError: lines are not valid.
    """
    problems: list[str] = []
    words: list[str] = []
    tags: list[str] = []
    first: tuple[int, int] | None = None
    with text.open() as stream:
        for number, line in enumerate(io.TextIOWrapper(stream, UTF8, newline="\n"), 1):
            fields = _fields(line)
            is_comment = not words and _is_comment(fields, None if first is None else first[1])
            if not fields[-1] or fields[0] == DOCUMENT:
                if words:
                    yield words, tags
                words, tags = [], []
            elif not is_comment:
                first = first or (number, len(fields))
                problem = _problem(fields, *first)
                if problem is not None:
                    problems.append(f"line {number} {problem}")
                    if len(problems) == MOST_PROBLEMS:
                        break
                words.append(fields[0])
                tags.append(fields[-1])
    if problems:
        raise DataFormatError(report(f"{name} is not a valid CoNLL file:", problems, EXPECTED))
    if words:
        yield words, tags


def _fields(line: str) -> list[str]:
    """Return the fields of a line. A word may have blanks if tabs separate the fields."""
    line = line.rstrip()
    return line.split("\t") if "\t" in line else re.split(" +", line)


def _is_comment(fields: list[str], columns: int | None) -> bool:
    """Return whether a line before a sentence is a comment, such as ``# text = I saw O``.

    Args:
        fields: the fields of the line.
        columns: the number of columns of the file, None if it is not known yet.
    """
    if not fields[0].startswith("#"):
        return False
    if not TAG.fullmatch(fields[-1]):
        return True
    return fields[0] == "#" and ("=" in fields or columns not in (None, len(fields)))


def _problem(fields: list[str], first: int, columns: int) -> str | None:
    """Return what is wrong with a line, None if nothing is.

    Args:
        fields: its fields.
        first: the first line with a word.
        columns: how many fields that line has.
    """
    if len(fields) == 1:
        return f"has no tag: {cell(fields[0])}"
    if len(fields) != columns:
        return (
            f"has {len(fields)} columns, and line {first} has {columns}: {cell(' '.join(fields))}"
        )
    if not fields[0].strip():
        return f"has no word before the tag {cell(fields[-1])}"
    if not TAG.fullmatch(fields[-1]):
        return f"ends with {cell(fields[-1])}, which is not a tag of BIO, IO, BILOU or BIOES"
    return None
