"""The probe of many labels: time, memory and accuracy against a fit to all rows and labels at once.

Features are synthetic, 384 numbers per row, in groups of similar labels. Each case runs in its own
process, and chooses ``C`` and fits the probe as a training does. The figures are processor times,
which depend less on other work of the machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Row, Table

CASE = """
import resource, sys, time
import numpy as np
import torch
from clx.ml.model.head import fit_probe, parts, probe, validation
from clx.ml.model.head.probe import Examples
labels, rows, at_once = {labels}, {rows}, {at_once}
if at_once:
    for module in (probe, validation):
        module.MANY_LABELS = 10**9
    parts.MAX_SCORES = 10**12
generator = torch.Generator().manual_seed(0)
groups = torch.randn(max(2, labels // 20), 60, generator=generator)
centers = groups[torch.arange(labels) % len(groups)]
centers = centers + 0.7 * torch.randn(labels, 60, generator=generator)
spread = torch.randn(60, 384, generator=generator) / 60**0.5
def some(count):
    ids = torch.arange(count) % labels
    inner = centers[ids] + torch.randn(count, 60, generator=generator)
    features = inner @ spread + 0.3 * torch.randn(count, 384, generator=generator)
    return Examples(torch.nn.functional.layer_norm(features, (384,)), ids, "single", labels)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
train, test = some(rows), some(2000)
before, started, spent = peak(), time.perf_counter(), time.process_time()
fitted = fit_probe.fit_probe(train, None, judge_extra=False, fine_tune=True)
found = fitted.head(test.features).argmax(dim=1)
print(time.process_time() - spent, time.perf_counter() - started, peak() - before, fitted.C,
      float((found == test.targets).float().mean()))
"""

RESULTS = """
import sys
import numpy as np
from transformers import EvalPrediction
from clx.ml import training_run
from clx.ml.results.outcome import EvaluationResult
from clx.ml.run_directory.files import write_json
from pathlib import Path
rng = np.random.default_rng(0)
run = training_run("classification", "many", label_names=["label %d" % i for i in range({labels})])
ids = rng.integers(0, {labels}, {rows})
logits = rng.normal(size=({rows}, {labels})).astype(np.float32)
logits[np.arange({rows}), ids] += 4
tables = run.evaluation_tables(EvalPrediction(predictions=logits, label_ids=ids))
write_json(Path({target!r}), EvaluationResult({{}}, tables).to_dict())
print(Path({target!r}).stat().st_size / 1e6)
"""


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the cost of probes of many labels, and the size of their results."""
    compared = (210, 1050) if small else (500, 5000)
    sizes = [compared] if small else [compared, (1500, 15_000), (5000, 50_000)]
    rows = []
    for labels, count in sizes:
        cost = _case(labels, count, at_once=False)
        rows.append(_row(f"{labels:,} labels, {count:,} rows", cost))
        if (labels, count) == compared:
            whole = _case(labels, count, at_once=True)
            rows.append(_row("the same, all at once", whole))
            rows[0].ratio = whole[0] / cost[0]
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "results.json")
        for labels in (250,) if small else (1500, 5000):
            size = _run(RESULTS.format(labels=labels, rows=4 * labels, target=target))[0]
            notes = {"MB": round(size, 2), "eval rows": 4 * labels}
            rows.append(Row(f"results.json of {labels:,} labels", 0.0, notes=notes))
    return [Table("Many labels", "all rows and labels at once", rows)]


def _case(labels: int, rows: int, *, at_once: bool) -> list[float]:
    return _run(CASE.format(labels=labels, rows=rows, at_once=at_once))


def _row(name: str, cost: list[float]) -> Row:
    spent, seconds, peak, C, accuracy = cost
    notes = {
        "clock s": round(seconds, 1),
        "added MB": round(peak),
        "C": round(C, 2),
        "accuracy": round(accuracy, 3),
    }
    return Row(name, spent, notes=notes)


def _run(code: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


if __name__ == "__main__":
    for table in run_benchmark(1, "--small" in sys.argv):
        print(table.show())
