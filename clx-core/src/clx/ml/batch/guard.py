"""Stop the work for a plan that another prediction has replaced."""

from __future__ import annotations

import time

from clx.errors import ResumeError
from clx.ml.batch.job import PartsJob

SECONDS = 10.0
"""How often to check that the folder still has this plan."""


class PlanGuard:
    """Checks the plan in the folder from time to time.

    Args:
        job: the job.
    """

    def __init__(self, job: PartsJob) -> None:
        self._job = job
        self._next = time.monotonic() + SECONDS

    def __call__(self) -> None:
        """Check the plan, unless it was checked a moment ago.

        Raises:
            ResumeError: the folder has another plan, or none.
        """
        if time.monotonic() < self._next:
            return
        if self._job.records().plan() != self._job.plan:
            raise ResumeError(
                f"Another prediction began in {self._job.directory} meanwhile, so this one stops. Run "
                f"it again with another folder, or with overwrite=True after that prediction has ended"
            )
        self._next = time.monotonic() + SECONDS
