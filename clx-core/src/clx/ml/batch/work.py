"""Predict the missing parts of a shard in this process."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

from clx.errors import DataFormatError
from clx.ml.batch.causes import is_about_data
from clx.ml.batch.guard import PlanGuard
from clx.ml.batch.job import PartsJob, PartsWorker
from clx.ml.batch.plan import Part
from clx.ml.batch.records import Failure, Record
from clx.ml.machine.progress import progress_bar
from clx.ml.machine.termination import noticing_sigterm

ATTEMPTS = 3
"""How often a part is tried if the error may be temporary, such as a file system's."""

PAUSE_SECONDS = 1.0
"""The seconds to wait before the second try; the wait before the third is twice as long."""


def predict_shard(
    job: PartsJob, parts: Sequence[Part], what: str
) -> tuple[list[Record], dict[Part, Failure]]:
    """Predict missing parts, with a progress bar. If a part fails, the remaining parts continue.

    Args:
        job: the job.
        parts: the parts of the shard, in order.
        what: the name of the shard in the bar.

    Returns:
        the records of the parts that were predicted now, and the failures.

    Raises:
        ClxError: this machine cannot read the run or the inputs, or another prediction began in the
            folder.
        SystemExit: SIGTERM arrived; the status is 143. Finished parts stay.
    """
    records = job.records()
    missing = set(records.missing(parts))
    done: list[Record] = []
    failed: dict[Part, Failure] = {}
    guard = PlanGuard(job)
    with noticing_sigterm() as check:
        worker = job.worker(check)
        rows = sum(part.rows for part in parts)
        with progress_bar(desc=what, unit="rows", delay=1, total=rows) as bar:
            for part in parts:
                check()
                if part in missing:
                    guard()
                    outcome = _tried(worker, part)
                    if isinstance(outcome, Failure):
                        failed[part] = outcome
                        records.fail(part, outcome)
                        bar.set_postfix_str(f"{len(failed)} parts failed", refresh=False)
                    else:
                        done.append(outcome)
                bar.update(part.rows)
    return done, failed


def _tried(worker: PartsWorker, part: Part) -> Record | Failure:
    """Predict a part; try again if the error may be temporary."""
    where = f"{socket.gethostname()}:{os.getpid()}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return worker(part)
        except Exception as error:
            cause = str(error) if isinstance(error, DataFormatError) else _named(error)
            if attempt == ATTEMPTS or is_about_data(error):
                return Failure(str(part), cause, attempt, where)
        time.sleep(PAUSE_SECONDS * attempt)
    raise AssertionError("the loop returns")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
