"""Importing a task and opening its runs in a new process: ``python -m clx.testing.fresh``.

The process reads a JSON order from stdin and writes one JSON answer to stdout. It imports nothing heavy
before the task's module, so that it can report what that module imports.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

HEAVY = ("torch", "transformers", "datasets", "pandas")
TIMEOUT_S = 300


def ask(order: dict[str, Any]) -> dict[str, Any]:
    """Run this module in a new process and return its answer.

    Args:
        order: ``module``, ``file`` and ``name`` of the class; ``configs``: run directories whose
            options to return; ``keys``: the names of these options; ``predict``: a run directory to
            predict with, or None; ``inputs``: the texts to predict.

    Returns:
        ``error`` if the process failed; otherwise ``heavy`` (the heavy packages that the module
        imports), ``seconds`` (how long its import takes), ``configs`` (a dict of options per
        directory) and ``predictions``.
    """
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-m", "clx.testing.fresh"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        lines = done.stderr.strip().splitlines()
        answer = {
            "error": lines[-1] if lines else f"the process exited with status {done.returncode}"
        }
    return answer


def answer(order: dict[str, Any]) -> dict[str, Any]:
    """Import the task, open its runs, and predict."""
    import clx.ml

    before, started = set(sys.modules), time.monotonic()
    task = _task(order["module"], order["file"], order["name"])
    seconds = time.monotonic() - started
    heavy = [name for name in HEAVY if name in sys.modules and name not in before]
    if task.name not in clx.ml.task_registry:
        clx.ml.task_registry.register(task)
    configs = []
    for folder in order["configs"]:
        run = clx.ml.training_run(load=folder)
        configs.append({key: getattr(run, key, None) for key in order["keys"]})
    predictions = None
    if order["predict"] is not None:
        inputs = [tuple(i) if isinstance(i, list) else i for i in order["inputs"]]
        predictions = clx.ml.training_run(load=order["predict"]).predict(inputs)
    return {"heavy": heavy, "seconds": seconds, "configs": configs, "predictions": predictions}


def _task(module: str, file: str | None, name: str) -> Any:
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        # A test module that pytest imported is not on the path.
        if file is None:
            raise
        spec = importlib.util.spec_from_file_location(module, Path(file))
        if spec is None or spec.loader is None:
            raise
        found = importlib.util.module_from_spec(spec)
        sys.modules[module] = found
        spec.loader.exec_module(found)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def json_default(value: Any) -> Any:
    """Convert a value that JSON cannot hold: numpy's numbers to numbers, anything else to str."""
    return value.item() if hasattr(value, "item") else str(value)


def main() -> int:
    """Answer the order on stdin."""
    order = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            said = json.dumps(answer(order), default=json_default)
        except Exception as error:
            traceback.print_exc()
            said = json.dumps({"error": f"{type(error).__name__}: {error}"})
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
