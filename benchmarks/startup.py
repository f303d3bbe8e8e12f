"""Start-up: each in a fresh process, against bare Python or ``transformers.pipeline``.

What is measured is processor time, which other users of the machine change little.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import Table, in_turn

PIPELINE = "from transformers import pipeline; pipeline('text-classification', {model!r})('hello')"
RUNTIME = "from clx_runtime import load; load({run!r}, {backend!r}).predict('hello'); "
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
OPEN = "from clx.ml import training_run; run = training_run(load={run!r}); "


def processor_time() -> float:
    """Return the seconds that all processes that were started and have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fresh(code: str) -> None:
    """Run code in a Python of its own."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the table of light starts and that of the time to a first prediction."""
    from clx.errors import MissingDependencyError
    from prediction import trained_run

    light: dict[str, Any] = {
        "python": lambda: fresh("pass"),
        "import clx.ml": lambda: fresh("import clx.ml"),
        "clx --help": lambda: fresh("import sys; from clx.cli import main; main(['--help'])"),
        "clx tasks": lambda: fresh("import sys; from clx.cli import main; main(['tasks'])"),
    }
    first = in_turn(
        light, "python", 3 if small else 2 * rounds, "start, fresh processes", clock=processor_time
    )
    bare = first.rows[0].seconds
    for row in first.rows[1:]:
        row.notes = {"over bare Python": f"{row.seconds - bare:.3f} s", "wanted": "0.15 s"}
    with tempfile.TemporaryDirectory() as folder:
        run = trained_run(Path(folder), rows=500)
        where = str(run.run_dir)
        contestants: dict[str, Any] = {
            "transformers.pipeline": lambda: fresh(PIPELINE.format(model=f"{where}/model")),
            "run.predict": lambda: fresh(OPEN.format(run=where) + "run.predict('hello')"),
        }
        try:
            run.export("onnx", texts=["hello"])
        except MissingDependencyError as error:
            print(f"ONNX is left out: {error}")
        else:
            for backend in ("onnx", "onnx-int8"):
                code = OPEN.format(run=where) + f"run.predict('hello', backend={backend!r})"
                contestants[f"run.predict, {backend}"] = lambda code=code: fresh(code)
        goals = {"run.predict": 1.0, "run.predict, onnx": 3.0}
        second = in_turn(
            contestants,
            "transformers.pipeline",
            rounds,
            "first prediction, fresh processes",
            goals,
            clock=processor_time,
        )
        third = _without_torch(where, rounds)
    return [first, second, *third]


def _without_torch(run: str, rounds: int) -> list[Table]:
    """Return the time to the first prediction of ``clx_runtime``, and its memory."""
    try:
        backends = load_report(run)
    except OSError:
        return []
    contestants = {
        name: lambda name=name: fresh(RUNTIME.format(run=run, backend=name)) for name in backends
    }
    table = in_turn(contestants, "onnx-int8", rounds, "first prediction, clx_runtime, by the clock")
    for row in table.rows:
        done = subprocess.run(
            [sys.executable, "-c", RUNTIME.format(run=run, backend=row.name) + PEAK],
            check=True,
            capture_output=True,
            text=True,
        )
        row.notes = {
            "peak MB": int(done.stdout.split()[-1]),
            "wanted": "0.5 s and 250 MB with onnx-int8",
        }
    return [table]


def load_report(run: str) -> list[str]:
    """Return the backends that a run was exported for."""
    content = json.loads((Path(run) / "onnx" / "report.json").read_text())
    return list(content["checks"])
