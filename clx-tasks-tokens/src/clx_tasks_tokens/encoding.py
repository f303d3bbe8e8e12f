"""From texts to windows of tokens, and from spans to the label of each token.

A text that exceeds the model's limit becomes several windows, which overlap. Each unit belongs to one
of them: the one in which it has the most tokens on both sides. There it is labeled, and there its scores
are read, so that no unit is scored twice or at the edge of a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clx.errors import ConfigError
from clx.ml.data import ROW_OF_RESULT
from clx.ml.spans import IGNORED
from clx_tasks_tokens.units import Offset, Unit, text_units

MOST_STRIDE = 128
"""The largest overlap of two windows if the user sets none."""

Spans = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Reading:
    """How a run reads texts.

    Attributes:
        tokenize_args: the arguments of the tokenizer.
        stride: the tokens that two windows of a text share. None takes a quarter of a window.
        all_tokens: whether all tokens of a unit count, not only its first.
    """

    tokenize_args: Mapping[str, Any] = field(default_factory=dict)
    stride: int | None = None
    all_tokens: bool = False


@dataclass(frozen=True)
class Windows:
    """The windows of some texts.

    Attributes:
        inputs: the tokenizer's columns, one value per window.
        row_of: the text of each window, ascending.
        units: the units of each text.
        owned: for each window, the numbers of the units that belong to it, and for each of these its
            tokens in the window.
    """

    inputs: dict[str, list[Any]]
    row_of: list[int]
    units: list[list[Unit]]
    owned: list[dict[int, list[int]]]


def read_windows(tokenizer: Any, texts: Sequence[str], reading: Reading) -> Windows:
    """Tokenize texts into windows.

    Raises:
        ConfigError: the tokenizer has no offsets, or the windows overlap by more than half.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            f"token-classification needs a fast tokenizer, which says where in the text a token is, but "
            f"this is {type(tokenizer).__name__}: choose another base model"
        )
    stride = stride_of(tokenizer, reading)
    asked = {"truncation": True, "padding": False, **reading.tokenize_args}
    asked |= {"return_overflowing_tokens": True, "return_offsets_mapping": True, "stride": stride}
    encoded = tokenizer(list(texts), **asked, return_special_tokens_mask=True)
    columns = {name: list(values) for name, values in encoded.items()}
    row_of = [int(row) for row in columns.pop(ROW_OF_RESULT, range(len(texts)))]
    # A tokenizer that truncates on the left returns the windows of a text from its end.
    firsts = [max((start for start, _ in each), default=0) for each in columns["offset_mapping"]]
    order = sorted(range(len(row_of)), key=lambda window: (row_of[window], firsts[window]))
    inputs = {name: [values[window] for window in order] for name, values in columns.items()}
    special, offsets = inputs.pop("special_tokens_mask"), inputs.pop("offset_mapping")
    row_of = [row_of[window] for window in order]
    windows_of: list[list[int]] = [[] for _ in texts]
    for window, row in enumerate(row_of):
        windows_of[row].append(window)
    contents = [[at for at, is_special in enumerate(mask) if not is_special] for mask in special]
    units: list[list[Unit]] = []
    owned: list[dict[int, list[int]]] = [{} for _ in row_of]
    for text, windows in zip(texts, windows_of, strict=True):
        parts = [[tuple(offsets[w][at]) for at in contents[w]] for w in windows]
        tokens, begins = _joined(parts, stride)
        units.append(text_units(text, tokens))
        for number, unit in enumerate(units[-1]):
            part, places = _owner(unit, begins, [len(each) for each in parts], reading)
            window = windows[part]
            owned[window][number] = [contents[window][place] for place in places]
    return Windows(inputs, row_of, units, owned)


def stride_of(tokenizer: Any, reading: Reading) -> int:
    """Return how many tokens two windows share.

    Raises:
        ConfigError: it is more than half of what a window holds.
    """
    limit = reading.tokenize_args.get("max_length") or tokenizer.model_max_length
    room = int(limit) - int(tokenizer.num_special_tokens_to_add())
    stride: int | None = reading.stride
    if stride is None:
        stride = reading.tokenize_args.get("stride")
    if stride is None:
        return max(0, min(MOST_STRIDE, room // 4))
    if 2 * stride > room:
        raise ConfigError(
            f"stride must be at most {max(0, room // 2)}, half of the {room} tokens of a window "
            f"(max_length {limit} without special tokens), but is {stride}"
        )
    return stride


def _joined(parts: list[list[Offset]], stride: int) -> tuple[list[Offset], list[int]]:
    """Return the tokens of a text without repetitions, and where each of its windows begins."""
    tokens, begins = list(parts[0]), [0]
    for part in parts[1:]:
        shared = next(
            n for n in _overlaps(tokens, part, stride) if tokens[len(tokens) - n :] == part[:n]
        )
        begins.append(len(tokens) - shared)
        tokens += part[shared:]
    return tokens, begins


def _overlaps(tokens: list[Offset], part: list[Offset], stride: int) -> list[int]:
    """Return how many tokens may be shared, the likeliest first."""
    most = min(len(tokens), len(part))
    return [min(stride, most), *range(most, -1, -1)]


def _owner(
    unit: Unit, begins: list[int], sizes: list[int], reading: Reading
) -> tuple[int, list[int]]:
    """Return the window that a unit belongs to, and the places of its tokens that count in it."""
    tokens = unit.tokens if reading.all_tokens else unit.tokens[:1]
    if len(begins) == 1:
        return 0, tokens
    first, last = unit.tokens[0], unit.tokens[-1]
    best, most = 0, (-1, -1)
    for part, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
        if not begin <= first < begin + size:
            continue
        before = first - begin if part else len(tokens) + sum(sizes)
        is_last = part == len(begins) - 1
        after = begin + size - 1 - last if not is_last else len(tokens) + sum(sizes)
        # Prefer a window that holds the whole unit, then the one with the most context.
        rank = (int(after >= 0), min(before, after))
        if rank > most:
            best, most = part, rank
    begin, size = begins[best], sizes[best]
    return best, [token - begin for token in tokens if begin <= token < begin + size]


def unit_spans(units: Sequence[Unit], spans: Spans) -> list[Mapping[str, Any] | None]:
    """Return the span of each unit, None outside of spans: the one that covers most of the unit.

    Args:
        units: the units of a text.
        spans: its spans, which do not overlap.
    """
    ordered = sorted(spans, key=lambda span: span["start"])
    found, at = [], 0
    for unit in units:
        while at < len(ordered) and ordered[at]["end"] <= unit.start:
            at += 1
        found.append(_covering(unit, ordered, at))
    return found


def unit_tags(units: Sequence[Unit], spans: Spans, labels: Sequence[str]) -> list[int]:
    """Return the id of each unit's label.

    Args:
        units: the units of a text.
        spans: its spans, which do not overlap.
        labels: ``O``, and ``B-`` and ``I-`` for each name, in the order of the ids.
    """
    ids = {label: number for number, label in enumerate(labels)}
    tags, begun = [], None
    for span in unit_spans(units, spans):
        tag = "I" if span is begun else "B"
        tags.append(ids["O" if span is None else f"{tag}-{span['label']}"])
        begun = span
    return tags


def _covering(unit: Unit, ordered: Spans, at: int) -> Mapping[str, Any] | None:
    best, most = None, 0
    for span in ordered[at:]:
        if span["start"] >= unit.end:
            break
        shared = min(unit.end, span["end"]) - max(unit.start, span["start"])
        if shared > most:
            best, most = span, shared
    return best


def labeled_windows(
    tokenizer: Any,
    texts: Sequence[str],
    spans: Sequence[Spans],
    labels: Sequence[str],
    reading: Reading,
) -> dict[str, list[Any]]:
    """Return the windows of texts with labels, for a task's ``tokenize``.

    Besides the tokenizer's columns these are ``labels``, one id per token (:data:`IGNORED` for tokens
    that do not count here), ``starts`` and ``ends``, the characters of the unit that a token stands
    for, and ``window``, the number of the window in its text.
    """
    windows = read_windows(tokenizer, texts, reading)
    tags = [unit_tags(u, s, labels) for u, s in zip(windows.units, spans, strict=True)]
    columns: dict[str, list[Any]] = {"labels": [], "starts": [], "ends": [], "window": []}
    for window, (row, owned) in enumerate(zip(windows.row_of, windows.owned, strict=True)):
        size = len(windows.inputs["input_ids"][window])
        marks = [[IGNORED] * size for _ in range(3)]
        for number, tokens in owned.items():
            unit = windows.units[row][number]
            for token in tokens:
                for mark, value in zip(
                    marks, (tags[row][number], unit.start, unit.end), strict=True
                ):
                    mark[token] = value
        for name, mark in zip(("labels", "starts", "ends"), marks, strict=True):
            columns[name].append(mark)
        is_first = not window or windows.row_of[window - 1] != row
        columns["window"].append(0 if is_first else columns["window"][-1] + 1)
    return {**windows.inputs, ROW_OF_RESULT: windows.row_of, **columns}
