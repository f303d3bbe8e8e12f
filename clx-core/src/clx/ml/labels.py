"""Label spaces: names ↔ ids. This module is public: any task may use it.

A *label* is the value in the data (a str, int, bool or category). Its *name* is ``str(label)``. Its
*id* is the position of the name in ``label_names``, which is also the model's ``id2label``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.label_cells import is_cut_short, only_label
from clx.ml.data.problems import row_problems
from clx.ml.data.similar_names import folded_name
from clx.ml.data.soft_cells import label_shares
from clx.ml.data.soft_labels import soft_label_problems, soft_names
from clx.problems import MAX_PROBLEMS, cell, did_you_mean, examples, names
from clx_runtime import decisions

if TYPE_CHECKING:
    import pandas as pd


def label_kind(label: Any) -> str | None:
    """Return the kind of a label, ``str``, ``int`` or ``bool``, or None if it is not valid."""
    import numpy as np

    if isinstance(label, str):
        return "str"
    if isinstance(label, bool | np.bool_):
        return "bool"
    return "int" if isinstance(label, int | np.integer) else None


def label_values(values: Iterable[Any], label_names: Sequence[str] = ()) -> list[Any]:
    """Return the label in each cell of a column with one label per row.

    A cell may be a list of exactly one label, as annotation tools write it, or its text, such as
    ``['fruit']``. A text in ``label_names`` is a label and is not parsed. A list of any other
    length is returned as a list, which :func:`label_problems` reports. For a soft label, such as
    ``{"fruit": 0.7, "animal": 0.3}``, it is the likeliest label, and the first of several.
    """
    known = frozenset(label_names or ())
    return [only_label(value, known) for value in values]


def column_labels(values: Iterable[Any], label_names: Sequence[str] = ()) -> list[Any]:
    """Return the labels in a validated column, with repetitions: also the unlikely ones.

    They are the labels of :func:`label_values`, and all labels that soft labels name.
    """
    cells = list(values)
    return [*label_values(cells, label_names), *soft_names(cells, label_names)]


def column_kind(labels: Iterable[Any]) -> str:
    """Return the kind of a validated column of labels."""
    return label_kind(_unlisted(next(iter(labels)))) or "str"


def _unlisted(label: Any) -> Any:
    return label if isinstance(label, str) else only_label(label)


def original(name: str, kind: str) -> Any:
    """Return the original label with this name in the training data."""
    return decisions.original(name, kind)


def fits(name: str, kind: str) -> bool:
    """Return whether ``name`` is the name of a label of this kind."""
    try:
        return str(original(name, kind)) == name
    except ValueError:
        return False


def infer_label_names(labels: Iterable[Any]) -> list[str]:
    """Return the names of the labels that occur, sorted by value: 2 before 10, False before True.

    If all strings are whole numbers, as in a csv file, they are sorted as numbers.
    """
    distinct = {str(label) if isinstance(label, str) else _unlisted(label) for label in labels}
    if distinct and all(isinstance(label, str) for label in distinct):
        return sorted(distinct, key=_string_order(distinct))
    return [str(label) for label in sorted(distinct)]


def _string_order(strings: set[str]) -> Any:
    if all(text.isascii() and text.lstrip("-").isdigit() for text in strings):
        return lambda text: (int(text.lstrip("-")) * (-1 if text[0] == "-" else 1), text)
    return lambda text: text


def label_names_problems(label_names: Any, what: str = "label_names", least: int = 2) -> list[str]:
    """Return the problems of label names, as sentences that begin with ``what``.

    There must be at least ``least`` distinct names, each a str, int or bool and none blank. Two names
    must not differ only in surrounding blanks.
    """
    unordered = isinstance(label_names, str | bytes | dict | set | frozenset)
    if unordered or not hasattr(label_names, "__iter__"):
        return [
            f"{what} must be a list of names, such as ['fruit', 'animal'], but is "
            f"{cell(label_names)}"
        ]
    listed = list(label_names)
    wrong = [name for name in listed if label_kind(name) is None]
    if wrong:
        return [f"{what} must be str, int or bool, but has {examples(wrong)}"]
    texts = [str(name) for name in listed]
    problems = []
    if len(texts) < least:
        needed = "two names to choose from" if least == 2 else f"{least} name"
        problems.append(f"{what} needs at least {needed}, but is {cell(listed)}")
    repeated = sorted({name for name in texts if texts.count(name) > 1})
    if repeated:
        problems.append(f"{what} has {examples(repeated)} more than once")
    blank = [name for name in texts if not name.strip()]
    if blank:
        problems.append(f"{what} has the blank name {examples(blank)}")
    broken = [name for name in texts if _not_unicode(name)]
    if broken:
        problems.append(f"{what} has {examples(broken)}, which is not Unicode text")
    return problems + [f"{what}: {problem}" for problem in blank_twins(texts)]


def _not_unicode(name: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in name)


def blank_twins(texts: Iterable[str]) -> list[str]:
    """Return a problem for each pair of names that differ only in surrounding blanks."""
    seen: dict[str, str] = {}
    problems = []
    for text in dict.fromkeys(texts):
        twin = seen.setdefault(text.strip(), text)
        if twin != text:
            problems.append(f"the labels {cell(twin)} and {cell(text)} differ only in blanks")
    return problems


def label_problems(
    data: pd.DataFrame, column: str, label_names: Sequence[str] | None = None
) -> list[str]:
    """Return the problems of a column with one label per row; see :func:`label_values`.

    The probabilities of a soft label must not be negative, and must sum to 1. If ``label_names`` is
    given, each label must be one of them. Otherwise the labels must form a valid label space: one kind,
    at least two labels, none blank.
    """
    missing = data[column].isna().to_numpy()
    problems = row_problems(data, missing, f"column {column!r}: the label is missing")
    values = label_values(data[column], label_names or ())
    problems += _list_problems(data, column, values, label_names or ())
    problems += soft_label_problems(data, column, label_names or ())
    soft = [label_shares(value, label_names or ()) for value in data[column]]
    kinds = [None if gone else label_kind(v) for gone, v in zip(missing, values, strict=True)]
    strange = [
        kind is None and not gone and not isinstance(value, list) and shares is None
        for kind, gone, value, shares in zip(kinds, missing, values, soft, strict=True)
    ]
    problems += row_problems(
        data,
        strange,
        f"column {column!r}: a label must be a str, int or bool (floats: .astype(int))",
        values,
    )
    mixed = sorted({kind for kind in kinds if kind is not None})
    if len(mixed) > 1:
        problems.append(f"column {column!r} mixes labels of the types {names(mixed)}")
    elif label_names is not None:
        labels = [
            None if kind is None else v if shares is None else list(shares)
            for kind, v, shares in zip(kinds, values, soft, strict=True)
        ]
        problems += unknown_label_problems(data, column, labels, label_names)
    if problems or label_names is not None:
        return problems
    distinct = infer_label_names([*values, *soft_names(data[column])])
    if len(distinct) < 2:
        return [
            f"column {column!r} has the single label {examples(distinct)}: a model needs at least "
            "two to choose from. Pass label_names=[...] if there are labels missing from this data"
        ]
    return label_names_problems(distinct, f"column {column!r}")


def _list_problems(
    data: pd.DataFrame, column: str, values: Sequence[Any], label_names: Sequence[str]
) -> list[str]:
    """Return a problem for cells that are lists of no label or of several labels."""
    several = [isinstance(value, list) for value in values]
    problems = row_problems(
        data,
        several,
        f"column {column!r}: not exactly one label (the task multi-label-classification takes several)",
        values,
    )
    short = [
        isinstance(value, str) and value not in label_names and is_cut_short(value)
        for value in values
    ]
    return problems + row_problems(
        data, short, f"column {column!r}: the list was cut short when it was printed", values
    )


def unknown_label_problems(
    data: pd.DataFrame, column: str, values: Iterable[Any], label_names: Sequence[str]
) -> list[str]:
    """Return a problem for each label that is not in ``label_names``, with its rows.

    Each row has a label, a list of labels, or None.
    """
    texts = [
        () if value is None else tuple(map(str, value if isinstance(value, list) else [value]))
        for value in values
    ]
    known, problems = set(label_names), []
    distinct = list(dict.fromkeys(text for row in texts for text in row if text not in known))
    for unknown in distinct[:MAX_PROBLEMS]:
        hint = known_label_hint(unknown, label_names)
        problems += row_problems(
            data,
            [unknown in row for row in texts],
            f"column {column!r}: the label {cell(unknown)} is not in label_names ("
            f"{examples(list(label_names))}){hint};",
        )
    return problems


def known_label_hint(unknown: str, label_names: Sequence[str]) -> str:
    """Return ``"; …"`` with the label that an unknown one probably means, or an empty string."""
    if unknown.strip() in label_names:
        return f"; it differs from {unknown.strip()!r} only in blanks"
    folded = folded_name(unknown)
    for name in label_names:
        if folded == folded_name(name) and unknown.lower() != name.lower():
            return f"; it differs from {name!a} only in Unicode characters: {unknown!a}"
    return did_you_mean(unknown, label_names)


def label_ids(labels: Iterable[Any], label_names: Sequence[str]) -> list[int]:
    """Return the id of each label; see :func:`label_values` for lists of one label.

    Raises:
        KeyError: a label is not in ``label_names``.
    """
    ids = {name: position for position, name in enumerate(label_names)}
    return [ids[str(only_label(label, ids))] for label in labels]


def label_maps(label_names: Sequence[str]) -> dict[str, Any]:
    """Return the arguments ``num_labels``, ``id2label`` and ``label2id`` of ``from_pretrained``."""
    return {
        "num_labels": len(label_names),
        "id2label": dict(enumerate(label_names)),
        "label2id": {name: position for position, name in enumerate(label_names)},
    }


def label_type_problems(label_type: Any, label_names: Sequence[str] | None) -> list[str]:
    """Return the problems of a ``label_type`` (str, int, bool or None) for these names."""
    if label_type not in (None, *decisions.KINDS):
        return [f"label_type must be 'str', 'int' or 'bool', but is {cell(label_type)}"]
    if label_type is None or label_names is None:
        return []
    strange = [name for name in label_names if not fits(str(name), label_type)]
    if strange:
        return [f"label_type is {label_type!r}, but label_names has {examples(strange)}"]
    return []


def label_share_problems(option: str, value: Any, label_names: Sequence[str] | None) -> list[str]:
    """Return the problems of an option that is a number from 0 to 1, or one per label.

    Args:
        option: its name.
        value: its value: None, a number, or ``{label: number}``, which may leave labels out.
        label_names: the labels, None if they are not known yet.
    """
    problems = []
    if isinstance(value, Mapping):
        wrong = {name: share for name, share in value.items() if not _is_share(share)}
        if wrong:
            problems.append(f"{option} must be numbers from 0 to 1, but has {cell(wrong)}")
        known = set(label_names or value)
        unknown = [name for name in value if name not in known]
        if unknown:
            hint = did_you_mean(str(unknown[0]), label_names or ())
            problems.append(f"{option} has {examples(unknown)}, which is not a label{hint}")
    elif value is not None and not _is_share(value):
        expected = "a number from 0 to 1 or a dict of them"
        problems.append(f"{option} must be {expected}, but is {cell(value)}")
    return problems


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
