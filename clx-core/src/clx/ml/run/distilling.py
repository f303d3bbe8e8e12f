"""Train a small, fast student of a trained run."""

from __future__ import annotations

from clx.ml.run.estimating import EstimatingRun


class DistillingRun(EstimatingRun):
    """A run that teaches a student."""
