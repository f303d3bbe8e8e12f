"""The evaluated rows that are worth reading: confident mistakes and possibly wrong labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 100
MAX_CHARACTERS = 2000
"""The most characters of a text to keep: nobody reads more in a table."""

NO_TEXTS = ["label", "predicted", "score", "given_score"]
"""The columns of every task; other columns may be texts."""


def confident_mistakes(examples: pd.DataFrame, rows: int = MAX_ROWS) -> pd.DataFrame:
    """Return the wrong predictions with the highest scores, highest first.

    Args:
        examples: see :attr:`clx.ml.results.outcome.EvaluationResult.examples`.
        rows: the number of rows to return at most.
    """
    return _shown(examples[~examples["correct"].astype(bool)], rows)


def suspicious_labels(examples: pd.DataFrame, rows: int = MAX_ROWS) -> pd.DataFrame:
    """Return the rows whose given label may be wrong, most suspicious first.

    A row is suspicious if the model, which was not trained on it, predicts another label with at
    least the mean score that this label has in the rows where it is given. This is the off-diagonal
    of the confident joint of Northcutt et al. (2021), "Confident Learning: Estimating Uncertainty in
    Dataset Labels", for the predicted label only. Tasks with several labels per row have no
    suspicious rows here.

    ``TrainingRun.find_label_errors`` searches training data instead. It has the probabilities of all
    labels, so it also estimates how many rows of each label are wrong.

    Args:
        examples: see :attr:`clx.ml.results.outcome.EvaluationResult.examples`.
        rows: the number of rows to return at most.
    """
    if not len(examples) or not all(isinstance(label, str) for label in examples["given"]):
        return _shown(examples.iloc[:0], rows)
    usual = examples.groupby("given")["given_score"].mean()
    wrong = examples[~examples["correct"].astype(bool)]
    # A label that is never given has no mean score, so no score reaches it.
    needed = wrong["predicted"].map(usual).fillna(2.0).astype(float)
    return _shown(wrong[wrong["score"] >= needed], rows)


def _shown(examples: pd.DataFrame, rows: int) -> pd.DataFrame:
    ordered = examples.sort_values("score", ascending=False, kind="stable").head(rows)
    shown = ordered.rename(columns={"given": "label"}).drop(columns="correct")
    for name in shown.columns.difference(NO_TEXTS, sort=False):
        shown[name] = [v[:MAX_CHARACTERS] if isinstance(v, str) else v for v in shown[name]]
    return shown
