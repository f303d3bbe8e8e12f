"""Make rows of an output from texts: the columns of the source with those of the predictions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from clx.errors import ClxError, DataFormatError
from clx.ml.prediction.predict import CutTexts
from clx.problems import names

ON_ERROR = ("raise", "skip")

ERROR = "error"
"""The column that says why a row has no prediction."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns of an output.

    Attributes:
        carried: the columns of the source, in order.
        prefix: the prefix of the names of the predicted columns.
        with_errors: whether there is a column for errors.
        option: the caller's option that chooses the carried columns.
    """

    carried: tuple[Any, ...]
    prefix: str = ""
    with_errors: bool = False
    option: str = "columns"

    def names(self, predicted: Sequence[str]) -> dict[str, str]:
        """Return the name that each predicted column has in the output.

        Raises:
            DataFormatError: the source has columns of these names.
        """
        given: dict[str, str] = {}
        for name in predicted:
            given[name] = self._free(name, given.values())
        self._refuse_taken(list(given.values()))
        return given

    def error_name(self, given: Collection[str]) -> str:
        """Return the name of the column of errors.

        Args:
            given: the names of the predicted columns in the output.

        Raises:
            DataFormatError: the source has a column of this name.
        """
        name = self._free(ERROR, given)
        self._refuse_taken([*given, name])
        return name

    def _free(self, name: str, given: Collection[str]) -> str:
        new = f"{self.prefix}{name}"
        is_taken = new in self.carried or new in given
        return f"predicted_{name}" if is_taken and not self.prefix else new

    def _refuse_taken(self, given: Sequence[str]) -> None:
        clash = sorted({name for name in given if name in self.carried or given.count(name) > 1})
        if clash:
            raise DataFormatError(
                f"The data already has the columns {names(clash)}, as after an earlier prediction. "
                f"Choose other names with prefix='second_', or leave them out with "
                f"{self.option}=[...]"
            )


def predict_rows(
    texts: Sequence[str],
    cut: CutTexts,
    rows: Callable[[list[str], CutTexts], list[dict[str, Any]]],
    skip: bool,
) -> tuple[list[dict[str, Any] | None], dict[int, str]]:
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
        return list(rows(list(texts), cut)), {}
    except Exception as error:
        if not skip or not _is_about_a_text(error):
            raise
    cut.flags.clear()
    found: list[dict[str, Any] | None] = []
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
