"""Predict the blocks of an engine such as Ray."""

from __future__ import annotations

from clx.ml.run.sharing import SharingRun


class BatchingRun(SharingRun):
    """A trained run that predicts the datasets of engines."""
