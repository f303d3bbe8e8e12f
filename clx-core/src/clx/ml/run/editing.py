"""Changes to a trained run that need no training."""

from __future__ import annotations

from clx.ml.run.selecting import SelectingRun


class EditingRun(SelectingRun):
    """A trained run whose decisions and label names can be changed."""
