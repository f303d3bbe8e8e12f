"""Attributes of runs that older code reads, and their names today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.errors import UnknownAttributeError
from clx.ml.run.copying import CopyingRun

TODAY: Mapping[str, str] = {
    "model_dir": "run.run_dir, or run.run_dir / 'model' for the files of the model",
    "results_path": "run.run_dir / 'results.json', whose content is run.results",
    "base_model": "run.base_model_name, or run.model for the trained model",
    "model_name": "run.base_model_name",
    "pipeline": "run.pipe",
}
"""Old attribute → today's."""


class OldNames(CopyingRun):
    """A run that explains old attributes: the error says today's name."""

    def __getattr__(self, name: str) -> Any:
        """Raise: Python calls this for an attribute that neither the run nor its class has.

        Raises:
            AttributeError: there is no such attribute. It is an UnknownAttributeError for an old name.
        """
        if name in TODAY:
            kind = type(self).__name__
            raise UnknownAttributeError(f"a {kind} has no attribute {name!r}; write {TODAY[name]}")
        # Raises, and for a property that raised an AttributeError itself, raises that one.
        return super().__getattribute__(name)
