"""The inputs of ``predict``: single texts, and rows of several, such as a question and a passage.

Everything between ``predict`` and the tokenizer handles strings: it counts and sorts them, and computes
equal ones once. A row of several texts is therefore one string, a :class:`TextRow`. The run's tokenizer
gets its texts back with :func:`split_pair`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from clx_runtime.errors import ConfigError, DataFormatError
from clx_runtime.objects import comes_from, is_table
from clx_runtime.problems import cell, names, raise_problems

PAIR = ("text", "text_pair")
"""The keys of two texts in the form that pipelines and tokenizers take."""


class TextRow(str):
    """The texts of one row as one string. Two are equal if all their texts are.

    Attributes:
        texts: the single texts.
    """

    texts: tuple[str, ...]

    __slots__ = ("texts",)

    def __new__(cls, texts: Iterable[str]) -> TextRow:
        """Join the texts with line breaks."""
        parts = tuple(texts)
        row = super().__new__(cls, "\n".join(parts))
        row.texts = parts
        return row

    def as_pair(self) -> dict[str, str]:
        """Return two texts in the form that pipelines take: ``{"text": …, "text_pair": …}``."""
        return dict(zip(PAIR, self.texts, strict=True))

    def __reduce__(self) -> tuple[type[TextRow], tuple[tuple[str, ...]]]:
        # By default, pickle would pass the joined text, and each of its characters would be a text.
        return TextRow, (self.texts,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextRow) and self.texts == other.texts

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return repr(self.texts)


def split_pair(texts: Any) -> tuple[Any, ...]:
    """Return the arguments for a tokenizer: the texts of a :class:`TextRow`, or one list per column.

    A dict with the keys of :data:`PAIR` is a row too. Anything but a row, or a list of rows, is
    returned as the only argument.
    """
    if isinstance(texts, dict) and set(texts) == set(PAIR):
        return tuple(texts[key] for key in PAIR)
    if isinstance(texts, TextRow):
        return texts.texts
    rows = texts if isinstance(texts, list) else []
    if rows and all(isinstance(row, TextRow) for row in rows):
        return tuple(list(column) for column in zip(*(row.texts for row in rows), strict=True))
    return (texts,)


EXPECTED_TEXTS = "a list, tuple, Series, array or generator of texts, or one text"


def as_texts(texts: Any) -> Iterable[Any]:
    """Return the input of ``predict`` as an iterable. One string becomes a list of one.

    The items are not checked; :func:`check_texts` does that.

    Raises:
        DataFormatError: the input has a type that cannot hold texts.
    """
    if isinstance(texts, str):
        return [texts]
    kind = type(texts).__name__
    if is_table(texts):
        raise DataFormatError(
            f"predict needs {EXPECTED_TEXTS}, but got a {kind}; pass one of its columns, or use "
            f"predict_frame"
        )
    if isinstance(texts, bytes | bytearray | dict | set | frozenset):
        raise DataFormatError(f"predict needs {EXPECTED_TEXTS}, but got a {kind}")
    texts = plain_items(texts)
    if getattr(texts, "ndim", 1) != 1:
        raise DataFormatError(
            f"predict needs {EXPECTED_TEXTS}, but got an array with {texts.ndim} dimensions"
        )
    if isinstance(texts, type) or not hasattr(texts, "__iter__"):
        raise DataFormatError(f"predict needs {EXPECTED_TEXTS}, but got {cell(texts)}")
    return texts  # type: ignore[no-any-return]


def plain_items(inputs: Any) -> Any:
    """Return a pyarrow column as a list of Python values, because its own items are Arrow scalars."""
    is_arrow = comes_from(inputs, "pyarrow") and hasattr(inputs, "to_pylist")
    return inputs.to_pylist() if is_arrow else inputs


def check_texts(texts: Iterable[Any], start: int = 0) -> list[str]:
    """Return the texts as a list, after checking each of them.

    Args:
        texts: a part of the input.
        start: the position of this part in the whole input.

    Raises:
        DataFormatError: some items are not valid texts. At most ten are listed with their positions.
    """
    checked = list(texts)
    problems = []
    for position, text in enumerate(checked, start):
        if not isinstance(text, str):
            problems.append(f"position {position}: {cell(text)} is not a str")
        elif not text.isascii() and has_surrogate(text):
            problems.append(
                f"position {position}: {cell(text)} is not valid Unicode (half of a surrogate pair)"
            )
    raise_problems(
        DataFormatError,
        f"predict needs texts, but {len(problems)} of the inputs are not:",
        problems,
        "Drop or replace them (an empty string is valid).",
    )
    return checked


def as_text_rows(inputs: Any, columns: Sequence[str]) -> Any:
    """Return the inputs of ``predict`` for a task that reads these columns, one string per row.

    For one column, the inputs are returned unchanged. For several, each input is a tuple or list with
    one text per column, or a dict with the columns as keys. An input with a length is read at once, any
    other iterable row by row.

    Raises:
        DataFormatError: the input has a type that cannot hold rows of several texts, or a row is not
            valid.
    """
    if len(columns) == 1:
        return inputs
    kind = type(inputs).__name__
    if isinstance(inputs, str | bytes | dict | set) or is_table(inputs):
        hint = "; use predict_frame" if is_table(inputs) else ""
        raise DataFormatError(f"predict needs {_expected(columns)}, but got a {kind}{hint}")
    if not hasattr(inputs, "__iter__"):
        raise DataFormatError(f"predict needs {_expected(columns)}, but got {cell(inputs)}")
    rows = _rows(plain_items(inputs), columns)
    return list(rows) if hasattr(inputs, "__len__") else rows


def _rows(inputs: Iterable[Any], columns: Sequence[str]) -> Iterator[TextRow]:
    for position, given in enumerate(inputs):
        if isinstance(given, TextRow):
            yield given
            continue
        row: Any = [given.get(name) for name in columns] if isinstance(given, dict) else given
        is_row = isinstance(row, list | tuple) and len(row) == len(columns)
        if not is_row or not all(isinstance(text, str) for text in row):
            raise DataFormatError(
                f"predict needs {_expected(columns)}, but got {cell(given)} at position {position}"
            )
        yield TextRow(row)


def _expected(columns: Sequence[str]) -> str:
    example = ", ".join(f"{name!r}: …" for name in columns)
    rows = f"a list of rows ({', '.join(columns)})"
    return f"{rows}, each a tuple of {len(columns)} texts or {{{example}}}"


def columns_to_read(columns: Sequence[str], text_column: str | None) -> list[str]:
    """Return the columns that predictions are made from.

    Args:
        columns: the task's text columns, as the run's data calls them.
        text_column: the call's option. ``"text"`` and None mean the run's own columns.

    Raises:
        ConfigError: ``text_column`` names a column, but the task reads several.
    """
    if text_column in (None, "text", *columns):
        return list(columns)
    if len(columns) > 1:
        raise ConfigError(
            f"text_column is only for tasks that read one column; this one reads {names(columns)}: "
            f"rename the columns of the data"
        )
    return [str(text_column)]


def has_surrogate(text: str) -> bool:
    """Return whether the text contains a lone surrogate, which no tokenizer accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
