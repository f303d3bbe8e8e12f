"""Character spans and token labels for token classification.

A span is ``{"start": 0, "end": 3, "label": "animal"}``, in character offsets with ``end`` exclusive.
The first token of a span has the label ``B-animal``, the others ``I-animal``; tokens outside spans
have ``O``. :func:`spans_frame` converts words and tags to texts and spans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.dataset import ROW_OF_RESULT
from clx.ml.data.problems import column_problems, raise_data_problems
from clx.ml.data.span_cells import (
    list_cell,
    problems_by_row,
    spans_in_cell,
    wrong_spans,
    wrong_tags,
    wrong_words,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

IGNORED = -100
"""The label id of tokens that do not count, the default ``ignore_index`` of PyTorch's losses."""


def bio_labels(label_names: Iterable[str]) -> list[str]:
    """Return the token labels: ``O``, then ``B-`` and ``I-`` for each span label."""
    return ["O", *(f"{tag}-{name}" for name in label_names for tag in "BI")]


def span_list(value: Any) -> Any:
    """Return the spans in one cell as a list of dicts, and a value that is no list of spans unchanged.

    The cell may be JSON text or a printed list, as in a csv file. A span may be a list or tuple
    ``(start, end, label)``, as doccano and spaCy write it.
    """
    return spans_in_cell(value)


def span_problems(
    data: pd.DataFrame,
    column: str = "spans",
    text_column: str = "text",
    label_names: Sequence[str] | None = None,
) -> list[str]:
    """Return the problems of a column of spans, for ``validate_data_format``.

    Reports cells that are not lists of spans, empty spans, offsets outside the text, spans that
    overlap, and labels that are not in ``label_names``, if given.
    """
    pairs = zip(data[text_column], data[column], strict=True)
    wrong = [wrong_spans(text, spans, label_names) for text, spans in pairs]
    return problems_by_row(data, wrong, f"column {column!r}")


def span_label_names(spans: Iterable[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the distinct labels in a column of spans, sorted."""
    return sorted({span["label"] for row in spans for span in row})


def text_and_spans(words: Sequence[str], tags: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the words joined by blanks, and the spans that their tags mark, in order.

    Args:
        words: the words of one text.
        tags: the tag of each word, such as ``B-animal`` or ``O``, read as in :func:`tagged_spans`.
    """
    starts, end = [], 0
    for word in words:
        starts.append(end)
        end += len(word) + 1
    spans = [
        {"start": starts[first], "end": starts[behind - 1] + len(words[behind - 1]), "label": label}
        for label, first, behind in sorted(tagged_spans(tags), key=lambda span: span[1])
    ]
    return " ".join(words), spans


def word_problems(data: pd.DataFrame, words: str = "words", tags: str = "tags") -> list[str]:
    """Return the problems of columns of words and tags, for ``validate_data_format``.

    Reports cells that are not lists, words that are blank or not strings, rows whose numbers of words
    and tags differ, and tags of another form than ``O`` and ``B-animal``.
    """
    pairs = list(zip(data[words], data[tags], strict=True))
    return [
        *problems_by_row(data, [wrong_words(row) for row, _ in pairs], f"column {words!r}"),
        *problems_by_row(data, [wrong_tags(*pair) for pair in pairs], f"column {tags!r}"),
    ]


def spans_frame(
    data: pd.DataFrame,
    words: str = "words",
    tags: str = "tags",
    *,
    text_column: str = "text",
    column: str = "spans",
) -> pd.DataFrame:
    """Convert words and tags, as in CoNLL files, to texts and spans.

    Args:
        data: one row per text, with lists in the columns ``words`` and ``tags``; a cell may be the JSON
            text of a list.
        words: the name of the column of words, which are joined by blanks.
        tags: the name of the column of tags.
        text_column: the name of the new column of texts.
        column: the name of the new column of spans.

    Returns:
        A new frame with the same index, in which the two new columns replace ``words``, ``tags`` and
        any columns of their own names. All other columns are unchanged.

    Raises:
        DataFormatError: a column is missing or rows are not valid; the message lists all of them.
    """
    expected = f"a column {words!r} of lists of str and a column {tags!r} with one tag per word"
    raise_data_problems(column_problems(data, [words, tags]), expected)
    lists = {name: [list_cell(cell) for cell in data[name]] for name in (words, tags)}
    data = data.assign(**lists)
    raise_data_problems(word_problems(data, words, tags), expected)
    rows = [text_and_spans(*pair) for pair in zip(data[words], data[tags], strict=True)]
    made: dict[str, Any] = {text_column: [text for text, _ in rows], column: [s for _, s in rows]}
    return data.drop(columns=[words, tags]).assign(**made)


def token_labels(
    encoded: Any, spans: Sequence[Sequence[Mapping[str, Any]]], labels: Sequence[str]
) -> list[list[int]]:
    """Return the label id of each token in the output of a tokenizer.

    The first token of each word gets a label. All other tokens are :data:`IGNORED`: later tokens of a
    word, special tokens, and tokens that are also in an earlier window of the same text. A word
    belongs to the span that contains its first character.

    Args:
        encoded: the output of a fast tokenizer with ``return_offsets_mapping=True``; a text has
            several windows with ``return_overflowing_tokens=True``.
        spans: the spans of each text.
        labels: the result of :func:`bio_labels`, in the order of the ids.

    Returns:
        One list per window, with one id per token.
    """
    ids = {label: number for number, label in enumerate(labels)}
    row_of = encoded.get(ROW_OF_RESULT) or range(len(encoded["input_ids"]))
    result, done, current = [], -1, None
    begun: set[int] = set()
    for window, row in enumerate(row_of):
        if row != current:
            current, done, begun = row, -1, set()
        words, offsets = encoded.word_ids(window), encoded["offset_mapping"][window]
        line = []
        for word, (start, _) in zip(words, offsets, strict=True):
            if word is None or word <= done:
                line.append(IGNORED)
                continue
            done = word
            span = next((s for s in spans[row] if s["start"] <= start < s["end"]), None)
            if span is None:
                line.append(ids["O"])
                continue
            tag = "I" if span["start"] in begun else "B"
            begun.add(span["start"])
            line.append(ids[f"{tag}-{span['label']}"])
        result.append(line)
    return result


def span_windows(
    tokenizer: Any,
    texts: Sequence[str],
    spans: Sequence[Sequence[Mapping[str, Any]]],
    labels: Sequence[str],
    stride: int,
    tokenize_args: Mapping[str, Any],
) -> dict[str, list[Any]]:
    """Tokenize texts with spans into windows with token labels, for a task's ``tokenize``.

    A text that exceeds the model's maximum length becomes several windows. Each window begins with
    the last tokens of the previous one, so that no text is lost.

    Args:
        tokenizer: a fast tokenizer.
        texts: the texts.
        spans: the spans of each text.
        labels: the result of :func:`bio_labels`.
        stride: the number of tokens that two windows share; pass the same to the pipeline.
        tokenize_args: the ``tokenize_args`` of the run.

    Raises:
        ConfigError: ``max_length`` in ``tokenize_args`` is less than twice the stride.
    """
    limit = tokenize_args.get("max_length")
    if limit is not None and limit < 2 * stride:
        raise ConfigError(
            f"tokenize_args: max_length must be at least {2 * stride}, because windows overlap by "
            f"{stride} tokens, but is {limit}"
        )
    windows = {"return_overflowing_tokens": True, "return_offsets_mapping": True, "stride": stride}
    encoded = tokenizer(list(texts), **{"truncation": True, **tokenize_args, **windows})
    return {**encoded, "labels": token_labels(encoded, spans, labels)}


def tagged_spans(tags: Iterable[str]) -> set[tuple[str, int, int]]:
    """Return ``(label, start, end)`` of each span in a row of tags, such as ``B-animal`` and ``O``.

    ``start`` and ``end`` are positions of tags, with ``end`` exclusive. A span begins at ``B-``, and at
    ``I-`` if the previous tag has another label, as in seqeval's default mode. It ends after ``L-`` or
    ``E-``; ``U-`` and ``S-`` are spans of one word. So BIO, IO, BILOU and BIOES are all read.
    """
    found, label, first, position = set(), "", 0, 0
    for position, tag in enumerate([*tags, "O"]):
        kind, _, name = tag.partition("-")
        if label and (kind not in ("I", "L", "E") or name != label):
            found.add((label, first, position))
            label = ""
        if kind != "O" and not label:
            label, first = name, position
        if kind in ("L", "E", "U", "S"):
            found.add((label, first, position + 1))
            label = ""
    return found


def tag_rows(
    label_ids: np.ndarray, logits: np.ndarray, labels: Sequence[str]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the expected and the predicted tags of each row, for the tokens that count.

    Args:
        label_ids: shape (rows, tokens); :data:`IGNORED` where a token does not count.
        logits: shape (rows, tokens, labels).
        labels: the tag of each id.
    """
    counted = label_ids != IGNORED
    expected, predicted = (
        [[labels[i] for i in row[counts]] for row, counts in zip(ids, counted, strict=True)]
        for ids in (label_ids, logits.argmax(axis=-1))
    )
    return expected, predicted


def span_metrics(
    label_ids: np.ndarray, logits: np.ndarray, labels: Sequence[str]
) -> dict[str, float]:
    """Return :func:`tag_metrics` for the output of a token classification model."""
    return tag_metrics(*tag_rows(label_ids, logits, labels))


def tag_metrics(given: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return micro precision, recall and F1 of whole spans, their macro-F1, and token accuracy.

    A span is a hit if its label and both ends are right, as in seqeval. The tags are those of Ramshaw
    and Marcus (1995), "Text Chunking using Transformation-Based Learning". 0 / 0 counts as 0.

    Args:
        given: the expected ``B-``, ``I-`` and ``O`` tags of each row.
        said: the predicted tags of each row.

    Raises:
        ValueError: the numbers of rows, or of tags in a row, differ.
    """
    hits, predicted, actual = Counter[str](), Counter[str](), Counter[str]()
    tokens = equal = 0
    for given_row, said_row in zip(given, said, strict=True):
        equal += sum(one == other for one, other in zip(given_row, said_row, strict=True))
        tokens += len(given_row)
        given_spans, said_spans = tagged_spans(given_row), tagged_spans(said_row)
        actual.update(label for label, _, _ in given_spans)
        predicted.update(label for label, _, _ in said_spans)
        hits.update(label for label, _, _ in given_spans & said_spans)
    each = [
        _f1(hits[name], predicted[name], actual[name]) for name in sorted({*actual, *predicted})
    ]
    total = (hits.total(), predicted.total(), actual.total())
    return {
        "precision": _ratio(total[0], total[1]),
        "recall": _ratio(total[0], total[2]),
        "f1": _f1(*total),
        "f1_macro": sum(each) / len(each) if each else 0.0,
        "token_accuracy": _ratio(equal, tokens),
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _f1(hits: int, predicted: int, actual: int) -> float:
    return _ratio(2 * hits, predicted + actual)
