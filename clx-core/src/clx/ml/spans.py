"""Spans of characters and the labels of tokens: what token classification needs.

A span is ``{"start": 0, "end": 3, "label": "animal"}`` with character offsets, ``end`` behind the last
one. The tokens of a span are labelled ``B-animal`` and, behind the first, ``I-animal``; all others
``O``. Data that has words and tags instead of a text and spans becomes such by :func:`spans_frame`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.dataset import ROW_OF_RESULT
from clx.ml.data.problems import column_problems, raise_data_problems, row_problems
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

IGNORED = -100
"""The label id of tokens that do not count, as PyTorch's losses have it."""


def bio_labels(label_names: Iterable[str]) -> list[str]:
    """Return the labels of tokens: ``O``, then ``B-`` and ``I-`` for each label of spans."""
    return ["O", *(f"{tag}-{name}" for name in label_names for tag in "BI")]


def span_problems(
    data: pd.DataFrame,
    column: str = "spans",
    text_column: str = "text",
    label_names: Sequence[str] | None = None,
) -> list[str]:
    """Return what is wrong with a column of spans, for ``validate_data_format``.

    Found are cells that are no lists of spans, offsets outside of the text or of no length, spans that
    overlap, and labels that are not in ``label_names``, where they are given.
    """
    pairs = zip(data[text_column], data[column], strict=True)
    wrong = [_wrong(text, spans, label_names) for text, spans in pairs]
    return _named(data, wrong, f"column {column!r}")


def _named(data: pd.DataFrame, wrong: Sequence[set[str]], where: str) -> list[str]:
    """Return a problem for each thing that is wrong with some rows."""
    return [
        problem
        for what in dict.fromkeys(what for row in wrong for what in sorted(row))
        for problem in row_problems(data, [what in row for row in wrong], f"{where}: {what}")
    ]


def _wrong(text: str, spans: Any, label_names: Sequence[str] | None) -> set[str]:
    if not _is_list(spans):
        return {"not a list of spans"}
    wrong, end = set(), 0
    if not all(isinstance(s, Mapping) and {"start", "end", "label"} <= set(s) for s in spans):
        return {"a span is not a dict with start, end and label"}
    if not all(_is_whole(s["start"]) and _is_whole(s["end"]) for s in spans):
        return {"start and end of a span must be whole numbers"}
    for span in sorted(spans, key=lambda span: span["start"]):
        if not 0 <= span["start"] < span["end"] <= len(text):
            wrong.add("a span is not within its text")
        if max(span["start"], 0) < end:
            wrong.add("spans overlap")
        end = span["end"]
        label = span["label"]
        if not isinstance(label, str) or not label:
            wrong.add(f"the label {cell(label)} is not a name")
        elif label_names is not None and label not in label_names:
            wrong.add(
                f"the label {label!r} is not one of {names(label_names)}"
                f"{did_you_mean(label, label_names)}"
            )
    return wrong


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def span_label_names(spans: Iterable[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the labels that occur in a column of spans, sorted."""
    return sorted({span["label"] for row in spans for span in row})


def text_and_spans(words: Sequence[str], tags: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the words joined by blanks, and the spans that their tags stand for, in order.

    Args:
        words: those of a text.
        tags: of each word ``B-animal``, ``I-animal`` or ``O``; read as by :func:`tagged_spans`.
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
    """Return what is wrong with columns of words and tags, for ``validate_data_format``.

    Found are cells that are no lists, words that are no strings or blank, rows with more words than
    tags or fewer, and tags other than ``O``, ``B-…`` and ``I-…``.
    """
    pairs = list(zip(data[words], data[tags], strict=True))
    return [
        *_named(data, [_wrong_words(row) for row, _ in pairs], f"column {words!r}"),
        *_named(data, [_wrong_tags(*pair) for pair in pairs], f"column {tags!r}"),
    ]


def _wrong_words(words: Any) -> set[str]:
    if not _is_list(words):
        return {"not a list of words"}
    wrong = {
        f"the word {cell(word)} is not a string" for word in words if not isinstance(word, str)
    }
    blank = any(isinstance(word, str) and not word.strip() for word in words)
    return wrong | ({"a word is empty or blank"} if blank else set())


def _wrong_tags(words: Any, tags: Any) -> set[str]:
    if not _is_list(tags):
        return {"not a list of tags"}
    wrong = {f"the tag {cell(t)} is not 'O', 'B-…' or 'I-…'" for t in tags if not _is_tag(t)}
    if _is_list(words) and len(words) != len(tags):
        wrong.add("there are not as many tags as words")
    return wrong


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, str) and (tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2))


def spans_frame(
    data: pd.DataFrame,
    words: str = "words",
    tags: str = "tags",
    *,
    text_column: str = "text",
    column: str = "spans",
) -> pd.DataFrame:
    """Return data of words and tags, the form of CoNLL, as data of texts and spans.

    Args:
        data: a row a text, with lists in the columns ``words`` and ``tags``.
        words: the column of words; they are joined by blanks.
        tags: the column of their tags.
        text_column: the column of texts that takes the place of both.
        column: the column of spans.

    Returns:
        A new frame on the same index, with the other columns as they were; columns that are called
        like the new ones are replaced.

    Raises:
        DataFormatError: a column is missing, or rows are wrong; all are named.
    """
    expected = f"a column {words!r} of lists of str and a column {tags!r} of as many tags"
    raise_data_problems(column_problems(data, [words, tags]), expected)
    raise_data_problems(word_problems(data, words, tags), expected)
    rows = [text_and_spans(*pair) for pair in zip(data[words], data[tags], strict=True)]
    made: dict[str, Any] = {text_column: [text for text, _ in rows], column: [s for _, s in rows]}
    return data.drop(columns=[words, tags]).assign(**made)


def token_labels(
    encoded: Any, spans: Sequence[Sequence[Mapping[str, Any]]], labels: Sequence[str]
) -> list[list[int]]:
    """Return the label id of each token, for the tokens that a tokenizer returned.

    Labelled is the first token of each word; the others, special tokens, and tokens that an earlier
    window of the same text has too, are :data:`IGNORED`. A word is in a span where its first
    character is.

    Args:
        encoded: what a fast tokenizer returned for texts, with ``return_offsets_mapping=True``; with
            ``return_overflowing_tokens=True`` there are several windows a text.
        spans: the spans of each text.
        labels: those of :func:`bio_labels`, in the order of the ids.

    Returns:
        A list a window, as long as its tokens.
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
    """Return what a task's ``tokenize`` returns for texts with spans: windows with labelled tokens.

    A text that is longer than the model takes becomes several windows, each of which begins with the
    last tokens of the one before, so that nothing is cut.

    Args:
        tokenizer: a fast one.
        texts: the texts.
        spans: the spans of each.
        labels: those of :func:`bio_labels`.
        stride: how many tokens windows have in common; the pipeline is given the same.
        tokenize_args: the run's.

    Raises:
        ConfigError: the user's ``max_length`` leaves no room for windows that overlap so far.
    """
    limit = tokenize_args.get("max_length")
    if limit is not None and limit < 2 * stride:
        raise ConfigError(
            f"tokenize_args: max_length must be at least {2 * stride}, since windows overlap by "
            f"{stride} tokens, but is {limit}"
        )
    windows = {"return_overflowing_tokens": True, "return_offsets_mapping": True, "stride": stride}
    encoded = tokenizer(list(texts), **{"truncation": True, **tokenize_args, **windows})
    return {**encoded, "labels": token_labels(encoded, spans, labels)}


def tagged_spans(tags: Iterable[str]) -> set[tuple[str, int, int]]:
    """Return ``(label, first, behind)`` of each span in a row of ``B-``, ``I-`` and ``O`` tags.

    A span begins at ``B-``, and at ``I-`` where the tag before is of another label, as in seqeval's
    default mode.
    """
    found, label, first, position = set(), "", 0, 0
    for position, tag in enumerate([*tags, "O"]):
        kind, _, name = tag.partition("-")
        if label and (kind != "I" or name != label):
            found.add((label, first, position))
            label = ""
        if kind != "O" and not label:
            label, first = name, position
    return found


def tag_rows(
    label_ids: np.ndarray, logits: np.ndarray, labels: Sequence[str]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the given and the predicted tags of each row, of the tokens that count.

    Args:
        label_ids: shape (rows, tokens); :data:`IGNORED` where a token does not count.
        logits: shape (rows, tokens, labels).
        labels: the names of the ids.
    """
    counted = label_ids != IGNORED
    given, said = (
        [[labels[i] for i in row[counts]] for row, counts in zip(ids, counted, strict=True)]
        for ids in (label_ids, logits.argmax(axis=-1))
    )
    return given, said


def span_metrics(
    label_ids: np.ndarray, logits: np.ndarray, labels: Sequence[str]
) -> dict[str, float]:
    """Return :func:`tag_metrics` of :func:`tag_rows`: what a model of tokens gives."""
    return tag_metrics(*tag_rows(label_ids, logits, labels))


def tag_metrics(given: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return precision, recall and F1 of whole spans, micro and macro, and the tokens' accuracy.

    A span counts as found when its label and both ends are right, as in seqeval (Ramshaw and Marcus
    1995 for the tags). What is divided by zero is zero.

    Args:
        given: the right ``B-``, ``I-`` and ``O`` tags of each row.
        said: the predicted ones.

    Raises:
        ValueError: there are not as many rows or tags on both sides.
    """
    right, claimed, true = Counter[str](), Counter[str](), Counter[str]()
    tokens = equal = 0
    for given_row, said_row in zip(given, said, strict=True):
        equal += sum(one == other for one, other in zip(given_row, said_row, strict=True))
        tokens += len(given_row)
        given_spans, said_spans = tagged_spans(given_row), tagged_spans(said_row)
        true.update(label for label, _, _ in given_spans)
        claimed.update(label for label, _, _ in said_spans)
        right.update(label for label, _, _ in given_spans & said_spans)
    each = [_f1(right[name], claimed[name], true[name]) for name in sorted({*true, *claimed})]
    total = (right.total(), claimed.total(), true.total())
    return {
        "precision": _ratio(total[0], total[1]),
        "recall": _ratio(total[0], total[2]),
        "f1": _f1(*total),
        "f1_macro": sum(each) / len(each) if each else 0.0,
        "token_accuracy": _ratio(equal, tokens),
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _f1(right: int, said: int, given: int) -> float:
    return _ratio(2 * right, said + given)
