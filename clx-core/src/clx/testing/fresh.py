"""What a process of its own makes of a task and of its runs: ``python -m clx.testing.fresh``.

It reads a JSON order from stdin and writes one JSON answer to stdout. Nothing heavy is imported before
the task's module, so that it can be told what the module imports.
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
    """Run this module in a process of its own and return its answer.

    Args:
        order: ``module``, ``file`` and ``name`` of the class; ``configs``: run directories whose
            options are wanted; ``predict``: a run directory, or None; ``inputs``: for its ``predict``.

    Returns:
        ``error`` if it failed; else ``heavy`` (imported with the module), ``seconds`` (of that),
        ``configs`` (a dict of options a directory) and ``predictions``.
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
        answer = {"error": lines[-1] if lines else f"the process ended with {done.returncode}"}
    return answer


def answer(order: dict[str, Any]) -> dict[str, Any]:
    """Import the task, open its runs and predict."""
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
        # A test module, as pytest imports it, is not on the path.
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


def plain(value: Any) -> Any:
    """Return a value that JSON has no word for as one that it has, numpy's numbers as numbers."""
    return value.item() if hasattr(value, "item") else str(value)


def main() -> int:
    """Answer the order on stdin."""
    order = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            said = json.dumps(answer(order), default=plain)
        except Exception as error:
            traceback.print_exc()
            said = json.dumps({"error": f"{type(error).__name__}: {error}"})
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
