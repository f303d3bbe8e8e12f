"""Let a fast student answer the texts on which it decides like the run."""

from __future__ import annotations

from clx.ml.run.distilling import DistillingRun


class CascadingRun(DistillingRun):
    """A run that can have a student answer first."""
