"""Share a run."""

from __future__ import annotations

from clx.ml.run.continuing import ContinuingRun


class SharingRun(ContinuingRun):
    """A trained run that can be shared with others."""
