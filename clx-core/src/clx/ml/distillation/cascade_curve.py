"""The curve of speed against agreement and accuracy of a cascade for other margins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.distillation.binomial import lower_bound
from clx.ml.distillation.cascade_measure import Measured
from clx.ml.distillation.choice import Choice, Observed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

POINTS = 20
"""The number of steps from no text to all texts."""


def curve_of(
    second: Observed,
    choice: Choice,
    measured: Measured,
    correct: Mapping[str, np.ndarray[Any, Any]],
) -> pd.DataFrame:
    """Return one row per share of texts that the student answers, the strictest margin first.

    Args:
        second: the texts that chose no order of the margins.
        choice: the chosen margins, which have a row too.
        measured: the speeds.
        correct: for ``student`` and ``teacher``, which decisions are right; empty without labels.

    Returns:
        The columns ``share``, ``agreement``, ``bound`` (of this row alone), ``texts_per_second``,
        ``chosen`` and, with labels, ``accuracy``.
    """
    import numpy as np
    import pandas as pd

    order = np.argsort(choice.risk.of(second.margin, second.label), kind="stable")
    rank = np.empty(len(second), dtype=np.int64)
    rank[order] = np.arange(len(second))
    counts = [round(len(second) * step / POINTS) for step in range(POINTS + 1)]
    tables = [(rank < count, False) for count in counts]
    tables.append((second.answered(choice.margins), True))
    rows = []
    for answered, chosen in sorted(tables, key=lambda each: (each[0].sum(), each[1])):
        wrong, share = second.wrong(answered), float(answered.mean())
        row = {
            "share": share,
            "agreement": 1 - wrong / len(second),
            "bound": lower_bound(wrong, len(second)),
            "texts_per_second": measured.speed_at(share),
            "chosen": chosen,
        }
        if correct:
            row["accuracy"] = float(
                np.where(answered, correct["student"], correct["teacher"]).mean()
            )
        rows.append(row)
    return pd.DataFrame(rows)
