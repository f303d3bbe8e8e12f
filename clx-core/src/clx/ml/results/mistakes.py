"""Which evaluated rows are worth reading: confident mistakes, and labels that look wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 100
MAX_CHARACTERS = 2000
"""Of a text: more than anybody reads in a table."""

NO_TEXTS = ["label", "predicted", "score", "given_score"]
"""The columns that every task has; others may be its texts."""


def confident_mistakes(examples: pd.DataFrame, rows: int = MAX_ROWS) -> pd.DataFrame:
    """Return the wrong rows that the model was surest of, surest first.

    Args:
        examples: see :attr:`clx.ml.results.outcome.EvaluationResult.examples`.
        rows: at most so many are returned.
    """
    return _shown(examples[~examples["correct"].astype(bool)], rows)


def suspicious_labels(examples: pd.DataFrame, rows: int = MAX_ROWS) -> pd.DataFrame:
    """Return rows whose given label looks wrong, most suspicious first; none for several labels a row.

    The model, which has not seen these rows, gives another label at least the probability that this
    label has on average where it is given: the off-diagonal of the confident joint of Northcutt et
    al. (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", with the argmax.

    Args:
        examples: see :attr:`clx.ml.results.outcome.EvaluationResult.examples`.
        rows: at most so many are returned.
    """
    if not len(examples) or not all(isinstance(label, str) for label in examples["given"]):
        return _shown(examples.iloc[:0], rows)
    usual = examples.groupby("given")["given_score"].mean()
    wrong = examples[~examples["correct"].astype(bool)]
    # A label that is never given has no usual probability: nothing reaches it.
    needed = wrong["predicted"].map(usual).fillna(2.0).astype(float)
    return _shown(wrong[wrong["score"] >= needed], rows)


def _shown(examples: pd.DataFrame, rows: int) -> pd.DataFrame:
    ordered = examples.sort_values("score", ascending=False, kind="stable").head(rows)
    shown = ordered.rename(columns={"given": "label"}).drop(columns="correct")
    for name in shown.columns.difference(NO_TEXTS, sort=False):
        shown[name] = [v[:MAX_CHARACTERS] if isinstance(v, str) else v for v in shown[name]]
    return shown
