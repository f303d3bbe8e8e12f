"""Choose a base model and options by measurement."""

from __future__ import annotations

from clx.ml.run.validating import ValidatingRun


class SelectingRun(ValidatingRun):
    """A run that measures which base model and which options suit the data."""
