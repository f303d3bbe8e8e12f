"""Start a measurement in a process of its own, or make it here where that is not possible."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from typing import Any

from clx.ml.batch.measuring import Measured, Measuring, measure

CODE = "from clx.ml.batch.measuring import child; child()"

TIMEOUT = 900.0
"""The seconds after which a measurement is abandoned: a model may take minutes to load."""


def measure_apart(job: Measuring) -> Measured:
    """Return the measurement of a new process.

    A run whose task only this process knows, such as one of a notebook, is measured here, and its
    memory stays unknown.
    """
    since = time.time()
    try:
        # The path comes first, because it is needed to read the rest.
        given = pickle.dumps((since, [each for each in sys.path if each])) + pickle.dumps(job)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CODE],
            input=given,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (pickle.PicklingError, AttributeError, TypeError, OSError):
        return measure(job, since)
    except subprocess.TimeoutExpired:
        return Measured(problem=f"nothing was predicted within {TIMEOUT:.0f} s")
    if done.returncode:
        return Measured(problem=_ended(done.returncode, done.stderr))
    result: Any = pickle.loads(done.stdout)
    if isinstance(result, Measured):
        return result
    stage, message = result
    return measure(job, time.time()) if stage == "open" else Measured(problem=message)


def _ended(status: int, errors: bytes) -> str:
    if status == -signal.SIGKILL:
        return "the process was killed, probably for lack of memory"
    lines = errors.decode("utf-8", "replace").strip().splitlines() or [f"exit status {status}"]
    return f"the process failed: {lines[-1]}"
