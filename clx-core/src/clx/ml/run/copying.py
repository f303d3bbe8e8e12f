"""Copies of a run: pickled as a reference to its directory, and copied without its loaded model."""

from __future__ import annotations

import copy
from typing import Any

from clx.ml.run.base import Run
from clx.ml.run.pickling import reduced


class CopyingRun(Run):
    """A run that can be pickled and copied."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a trained run as a reference to its directory, and an untrained run as its options."""
        return reduced(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a copy that loads its own model."""
        make, arguments = reduced(self, share=False)
        return make(*copy.deepcopy(arguments, memo))

    def __copy__(self) -> Any:
        return copy.deepcopy(self)
