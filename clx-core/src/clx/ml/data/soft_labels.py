"""A column with soft labels: its problems, its label names, and its probabilities as an array.

Hard and soft labels may be mixed in one column. The functions are public in :mod:`clx.ml.data`, so
that any task can use them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.label_cells import listed
from clx.ml.data.problems import row_problems
from clx.ml.data.soft_cells import label_shares
from clx.problems import cell

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

TOLERANCE = 0.02
"""The probabilities of a row may miss a sum of 1 by this much, as numbers with two decimals do."""


def soft_label_problems(
    data: pd.DataFrame, column: str, label_names: Sequence[str] = (), exclusive: bool = True
) -> list[str]:
    """Return the problems of the soft labels in a column; hard labels are not looked at.

    Args:
        data: the frame.
        column: the label column.
        label_names: the label space, if it is known; these names are never parsed.
        exclusive: whether a row has one label, so that its probabilities sum to 1. Otherwise each
            probability is independent, between 0 and 1.
    """
    values, known = list(data[column]), frozenset(label_names)
    soft = [label_shares(value, known) for value in values]
    where = f"column {column!r}"
    infinite = [s is not None and not all(map(math.isfinite, s.values())) for s in soft]
    problems = row_problems(
        data, infinite, f"{where}: a probability is not a finite number", values
    )
    negative = [s is not None and any(share < 0 for share in s.values()) for s in soft]
    problems += row_problems(data, negative, f"{where}: a probability is negative", values)
    if not exclusive:
        large = [s is not None and any(share > 1 for share in s.values()) for s in soft]
        return problems + row_problems(
            data,
            large,
            f"{where}: a probability is above 1; divide votes by the number of voters,",
            values,
        )
    if problems:
        return problems
    wrong = [s is not None and abs(math.fsum(s.values()) - 1) > TOLERANCE for s in soft]
    return row_problems(
        data,
        wrong,
        f"{where}: the probabilities of a row must sum to 1 (clx.ml.data.vote_shares turns votes into "
        f"probabilities),",
        values,
    )


def soft_names(values: Iterable[Any], label_names: Sequence[str] = ()) -> list[Any]:
    """Return the labels that soft labels name, with repetitions; hard labels are left out."""
    known = frozenset(label_names)
    found = (label_shares(value, known) for value in values)
    return [label for shares in found for label in shares or ()]


def label_probabilities(
    values: Iterable[Any],
    hard: Sequence[Any],
    label_names: Sequence[str],
    exclusive: bool = True,
) -> Array | None:
    """Return the probability of each label in each row, shape (rows, labels), in float32.

    Args:
        values: the validated cells of the label column.
        hard: the label name, or the list of label names, of each row, from which rows without soft
            labels get probabilities of 0 and 1.
        label_names: the label space.
        exclusive: whether a row has one label; its probabilities are then divided by their sum.

    Returns:
        None if no row has a soft label.
    """
    import numpy as np

    label_names = label_names or ()
    known = frozenset(label_names)
    soft = [label_shares(value, known) for value in values]
    if all(shares is None for shares in soft):
        return None
    ids = {name: position for position, name in enumerate(label_names)}
    matrix = np.zeros((len(soft), len(ids)))
    for row, (shares, own) in enumerate(zip(soft, hard, strict=True)):
        if shares is None:
            matrix[row, [ids[str(name)] for name in ([own] if isinstance(own, str) else own)]] = 1
            continue
        for name, share in shares.items():
            matrix[row, ids[str(name)]] += float(share)
    if exclusive:
        matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32)


def vote_shares(votes: Iterable[Any]) -> list[dict[Any, float]]:
    """Return votes as soft labels, which sum to 1 in each row.

    Args:
        votes: for each row, ``{label: number of votes}``, or a list with the label of each vote.

    Raises:
        DataFormatError: a row has no votes, or a number of votes is negative or not finite.
    """
    rows = []
    for position, row in enumerate(votes):
        counts = dict(row) if isinstance(row, Mapping) else Counter(listed(row) or ())
        total = math.fsum(float(count) for count in counts.values())
        valid = all(math.isfinite(count) and count >= 0 for count in counts.values())
        if not valid or total <= 0:
            raise DataFormatError(
                f"votes: row {position} must have at least one vote, and no negative ones, but is "
                f"{cell(row)}. Leave out rows that nobody voted on"
            )
        rows.append({label: count / total for label, count in counts.items()})
    return rows
