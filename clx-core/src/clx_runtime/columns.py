"""The names of the columns of predictions in an output."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from clx_runtime.errors import DataFormatError
from clx_runtime.problems import names

ERROR = "error"
"""The column that says why a row has no prediction."""


ON_ERROR = ("raise", "skip")
"""The choices for a row that cannot be predicted."""


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
