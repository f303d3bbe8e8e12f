"""The data format of the task: texts and spans, or words and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml.data import column_problems, raise_data_problems, text_problems
from clx.ml.spans import span_label_names, span_list, span_problems, spans_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

SPANS = ("spans", "entities")
WORDS = ("words", "tokens")
TAGS = ("tags", "ner_tags")

EXPECTED = (
    "a column 'text' of strings and a column 'spans' with a list of {start, end, label} per row, end "
    'exclusive, such as pd.DataFrame({"text": ["Ada slept"], "spans": [[{"start": 0, "end": 3, '
    '"label": "person"}]]}); in csv a JSON list. Or a column \'words\' of lists of words and a column '
    "'tags' of lists of tags, such as B-person, I-person and O"
)


def read_rows(data: pd.DataFrame) -> pd.DataFrame:
    """Return the data with the columns ``text`` and ``spans``; the frame of the user is unchanged.

    Cells of spans may be JSON. Words and tags become texts, in which the words are joined by blanks.
    Data in no known form is returned as it is.

    Raises:
        DataFormatError: words or tags are not valid.
    """
    columns = set(data.columns)
    spans = _first(SPANS, columns)
    words, tags = _first(WORDS, columns), _first(TAGS, columns)
    if spans is not None and "text" in columns:
        lists = [span_list(cell) for cell in data[spans]]
        if spans == "spans" and all(a is b for a, b in zip(lists, data[spans], strict=True)):
            return data
        return data.drop(columns=[spans]).assign(spans=_column(data, lists))
    if words is None or tags is None:
        return data
    return spans_frame(data, words, tags)


def _first(names: Sequence[str], columns: set[Any]) -> str | None:
    return next((name for name in names if name in columns), None)


def _column(data: pd.DataFrame, values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(values, index=data.index, dtype=object)


def validate(data: pd.DataFrame, label_names: Sequence[str] | None) -> None:
    """Raise an error that lists what is wrong with the columns ``text`` and ``spans``.

    Raises:
        DataFormatError: a column is missing, or a text or a span is not valid.
    """
    raise_data_problems(column_problems(data, ["text", "spans"]), EXPECTED)
    texts = text_problems(data)
    wrong = texts or span_problems(data, label_names=label_names)
    raise_data_problems(wrong, EXPECTED)
    if label_names is None and not span_label_names(data["spans"]):
        raise_data_problems(
            ["column 'spans': no row has a span, so there is nothing to learn"], EXPECTED
        )


def sample_frame() -> pd.DataFrame:
    """Return rows for trying out the task."""
    import pandas as pd

    rows: list[tuple[str, list[dict[str, Any]]]] = [("nobody came", []), ("it rained all day", [])]
    for who, where in [("Ada", "Paris"), ("Bo Li", "Rome"), ("Cy", "Oslo"), ("Di", "Bern")]:
        text, start = f"{who} lives in {where}", len(f"{who} lives in ")
        person = {"start": 0, "end": len(who), "label": "person"}
        rows.append((text, [person, {"start": start, "end": len(text), "label": "place"}]))
    return pd.DataFrame(rows, columns=["text", "spans"])
