"""Make rows of an output from texts: the columns of the source with those of the predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clx.errors import ClxError, DataFormatError
from clx.ml.prediction.predict import CutTexts


def predict_rows(
    texts: Sequence[str],
    cut: CutTexts,
    rows: Callable[[list[str], CutTexts], Sequence[Mapping[str, Any]]],
    skip: bool,
) -> tuple[Sequence[Mapping[str, Any] | None], dict[int, str]]:
    """Return the predicted columns for each text, and the errors of those that have none.

    Args:
        texts: what to predict.
        cut: records which texts were truncated.
        rows: predicts some texts.
        skip: whether to leave out a text that fails, which is found by predicting the texts singly.
    """
    if not texts:
        return [], {}
    try:
        return rows(list(texts), cut), {}
    except Exception as error:
        if not skip or not _is_about_a_text(error):
            raise
    cut.flags.clear()
    cut.answered_by.clear()
    found: list[Mapping[str, Any] | None] = []
    errors: dict[int, str] = {}
    for place, text in enumerate(texts):
        one = CutTexts(cut.name, warn=False)
        try:
            found += rows([text], one)
            cut.flags += one.flags
        except Exception as error:
            if not _is_about_a_text(error):
                raise
            found.append(None)
            cut.flags.append(False)
            errors[place] = f"{type(error).__name__}: {error}"
    return found, errors


def _is_about_a_text(error: Exception) -> bool:
    """Return whether a single text may have caused an error, unlike memory, the disk or the model."""
    if isinstance(error, ClxError):
        return isinstance(error, DataFormatError)
    return not isinstance(error, MemoryError | OSError)
