"""Train a run further."""

from __future__ import annotations

from clx.ml.run.editing import EditingRun


class ContinuingRun(EditingRun):
    """A trained run that can be trained further."""
