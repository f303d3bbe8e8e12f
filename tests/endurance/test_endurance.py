"""A little of ``make endurance``: long use of one process leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("endurance.py")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="usage is read from /proc")
def test_predictions_loads_trainings_and_threads():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--small"], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("8 threads: 32 calls", "predict: 40 times", "load: 4 times", "train: 2 times"):
        assert what in done.stdout
