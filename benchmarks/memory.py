"""Peak memory against rows, each case in a process of its own: is it flat?

Prediction streams distinct short texts through ``predict_iter`` with a tiny model. Training reads a
parquet file with a tiny model for a few steps; what counts is what the rows add to the peak. A
fine-tuning on texts of many lengths (two layers of MiniLM's width) is compared with one that does not
give freed memory back, by its peak and by what it holds between steps. A masked language model of
MiniLM's size is trained with eval data of 400 rows of 66 tokens, whose scores would need several GB, by
tasks without metrics and with losses alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import Row, Table

TINY = """
import os, sys, resource
os.environ["LOCAL_DATA_DIR"] = {folder!r}
sys.path.insert(0, {here!r})
from clx.ml import training_run
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""

PREDICT = """
run = training_run(load="tiny")
words = "account card money bank lost stolen transfer pin number cash".split()
def texts(count):
    for n in range(count):
        yield f"{{words[n % 10]}} {{words[n // 10 % 10]}} {{n}}"
for _ in run.predict_iter(texts(5000)): pass
before = peak()
for _ in run.predict_iter(texts({rows})): pass
print(peak(), peak() - before)
"""

TRAIN = """
run = training_run("classification", "more", base_model_name={folder!r} + "/base",
                   training_args={{"max_steps": 2, "disable_tqdm": True}})
before = peak()
run.train({folder!r} + "/rows.parquet", overwrite=True)
print(peak(), peak() - before)
"""

LENGTHS = """
import random, statistics
import pandas as pd
from transformers import TrainerCallback
import clx.ml.trainer.callbacks
if {kept}:
    clx.ml.trainer.callbacks.trim_heap = lambda: None
random.seed(0)
words = "account card money bank lost stolen transfer pin number cash".split()
texts = [" ".join(random.choices(words, k=random.randint(40, 500))) for _ in range(16 * {steps})]
run = training_run("classification", "long", base_model_name={folder!r} + "/wide", head_init="random",
                   training_args={{"max_steps": {steps}, "disable_tqdm": True}})
held = []
class Held(TrainerCallback):
    def on_step_end(self, *args, **kwargs):
        with open("/proc/self/statm") as file:
            held.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
rows = pd.DataFrame(dict(text=texts, label=["a", "b"] * (8 * {steps})))
run.train(rows, overwrite=True, callbacks=[Held()])
print(peak(), statistics.fmean(held))
"""

MASKED = """
import random
import pandas as pd
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling
from clx.ml import TrainingRun

class Words(TrainingRun):
    name = "words"
    pipeline_args = {{"task": "fill-mask"}}
    def validate_data_format(self, data):
        assert "text" in data.columns
    def load_model(self, model_name=None):
        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)
    def load_data_collator(self):
        return DataCollatorForLanguageModeling(self.tokenizer)

random.seed(0)
words = "account card money bank lost stolen transfer pin number cash".split()
def rows(count):
    texts = [" ".join(random.choices(words, k=64)) for _ in range(count)]
    return pd.DataFrame(dict(text=texts))
arguments = {{"max_steps": 2, "disable_tqdm": True, **{arguments!r}}}
options = dict(base_model_name={folder!r} + "/masked", training_args=arguments)
run = training_run({task!r}, "masked", **options) if {task!r} else Words("masked", **options)
before = peak()
run.train(rows(64), rows(400), overwrite=True)
print(peak(), peak() - before)
"""

LOSSES = {"prediction_loss_only": True}


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the peaks of prediction and training."""
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        counts = (10_000, 40_000) if small else (50_000, 200_000, 1_000_000)
        predict = [_case(folder, PREDICT, f"{rows:,} texts", rows=rows) for rows in counts]
        counts = (5_000, 20_000) if small else (10_000, 100_000)
        train = []
        for rows in counts:
            size = _write_rows(Path(folder), rows)
            row = _case(folder, TRAIN, rows=rows)
            row.notes["MB of text in memory as Arrow"] = round(size)
            train.append(row)
        steps = 30 if small else 120
        lengths = [
            _case(folder, LENGTHS, name, "held between steps", steps=steps, kept=kept)
            for kept, name in ((True, "kept"), (False, "given back"))
        ]
        masked = [
            _case(folder, MASKED, name, task=task, arguments=arguments)
            for name, task, arguments in (
                ("losses alone", "", LOSSES),
                ("a task without metrics", "", {}),
                ("the task mlm", "mlm", {}),
            )
        ]
    return [
        Table(
            "peak memory of predict_iter", "the fewest rows", _ratios(predict), "times the peak of"
        ),
        Table("peak memory of train", "the fewest rows", _ratios(train), "times the peak of"),
        Table(
            f"peak memory of {steps} steps on texts of many lengths, freed memory",
            "memory that is kept",
            _ratios(lengths),
            "times the peak of",
        ),
        Table(
            "peak memory of train, a masked language model with 400 eval rows",
            "losses alone",
            _ratios(masked),
            "times the peak of",
        ),
    ]


def _ratios(rows: list[Row]) -> list[Row]:
    for row in rows:
        row.ratio = row.notes["_peak"] / rows[0].notes["_peak"]
        row.spread = (row.ratio, row.ratio)
    for row in rows:
        del row.notes["_peak"]
    return rows


def _case(
    folder: str, code: str, name: str | None = None, second: str = "added", **values: Any
) -> Row:
    import time

    here = str(Path(__file__).parent)
    whole = TINY.format(folder=folder, here=here) + code.format(folder=folder, **values)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", whole], check=True, capture_output=True, text=True
    )
    peak, other = (float(part) for part in done.stdout.split()[-2:])
    notes = {"_peak": peak, "peak MB": round(peak), f"{second} MB": round(other)}
    return Row(name or f"{values['rows']:,} rows", time.perf_counter() - started, notes=notes)


def _write_rows(folder: Path, rows: int) -> float:
    import pandas as pd
    from texts import mixed_texts

    texts = mixed_texts(rows)
    labels = [f"label {number % 5}" for number in range(rows)]
    frame = pd.DataFrame({"text": [f"{n} {t}" for n, t in enumerate(texts)], "label": labels})
    frame.to_parquet(folder / "rows.parquet")
    return sum(map(len, frame["text"])) / 1e6


def _prepare(folder: Path) -> None:
    import os

    import pandas as pd
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertModel

    from clx.ml import training_run
    from training import base_model

    tokenizer = AutoTokenizer.from_pretrained(base_model())
    for name, width, inner, layers, heads in (
        ("base", 16, 32, 1, 2),
        ("wide", 384, 1536, 2, 12),
        ("masked", 384, 1536, 6, 12),
    ):
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=inner,
        )
        kind = BertForMaskedLM if name == "masked" else BertModel
        kind(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    os.environ["LOCAL_DATA_DIR"] = str(folder)
    run = training_run(
        "classification",
        "tiny",
        base_model_name=folder / "base",
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    rows = pd.DataFrame({"text": ["card lost"] * 8 + ["cash"] * 8, "label": ["a"] * 8 + ["b"] * 8})
    run.train(rows, overwrite=True)
