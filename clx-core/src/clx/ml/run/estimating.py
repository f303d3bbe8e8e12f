"""Estimate what a prediction or a training will cost."""

from __future__ import annotations

from clx.ml.run.batching import BatchingRun


class EstimatingRun(BatchingRun):
    """A run that says beforehand what it will need."""
