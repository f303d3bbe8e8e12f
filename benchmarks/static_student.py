"""A static student on one core: what its time goes to, and how soon it first answers.

Processor time is measured. The weights are random, with 77 labels, the vocabulary of the default base
model, 256 numbers per token and a hidden layer of 512: the time does not depend on what they say.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import numpy as np
from measuring import Table, in_turn
from startup import fresh, processor_time
from texts import paragraphs

TOKENS_PER_TEXT = 12
"""The words of a short text."""

LABELS, DIM, HIDDEN = 77, 256, 512
FIRST = "from clx_runtime import load; load({run!r}).predict_labels('hello')"


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the tables of short texts, of long ones, and of the first prediction."""
    with tempfile.TemporaryDirectory() as folder:
        place = random_student(Path(folder))
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / 1e6
        whole = [text for text, _ in paragraphs()][: 1000 if small else None]
        short = [
            " ".join(words[start : start + TOKENS_PER_TEXT])
            for words in map(str.split, whole)
            for start in range(0, len(words), TOKENS_PER_TEXT)
        ]
        tables = [_speed(place, list(dict.fromkeys(short)), rounds, "12 words")]
        tables.append(_speed(place, whole, rounds, "paragraphs"))
        first = {
            "import numpy, tokenizers": lambda: fresh("import numpy, tokenizers"),
            "first prediction": lambda: fresh(FIRST.format(run=str(place))),
        }
        table = in_turn(
            first, "import numpy, tokenizers", rounds, "fresh processes", clock=processor_time
        )
        table.rows[1].notes = {"MB": f"{size:.1f}", "wanted": "0.15 s and 20 MB"}
    return [*tables, table]


def _speed(place: Path, texts: list[str], rounds: int, title: str) -> Table:
    """Return how fast texts are tokenized in several ways, and predicted."""
    from clx.ml import training_run
    from clx_runtime import load
    from clx_runtime.static_model import StaticModel

    model, loaded, run = StaticModel(place / "model"), load(place), training_run(load=place)
    tokenizer = model.tokenizer._tokenizer  # the package's own calls are compared
    whole = StaticModel(place / "model")
    whole.tokenizer.by_word = False
    layers = np.ones((len(texts), DIM), dtype=np.float32), np.ones(len(texts), dtype=np.float32)

    def by(size: int, encode: Callable[..., Any], **how: Any) -> Callable[[], Any]:
        return lambda: [
            encoding.ids
            for start in range(0, len(texts), size)
            for encoding in encode(texts[start : start + size], **how)
        ]

    plain = {"add_special_tokens": False}
    contestants: dict[str, Callable[[], Any]] = {
        "encode_batch, special tokens": by(1024, tokenizer.encode_batch),
        "encode_batch": by(1024, tokenizer.encode_batch, **plain),
        "encode_batch_fast": by(1024, tokenizer.encode_batch_fast, **plain),
        "encode_batch_fast, 128 texts": by(128, tokenizer.encode_batch_fast, **plain),
        "sums, whole texts tokenized": lambda: whole._sums(texts),
        "sums, words never seen": lambda: StaticModel(place / "model")._sums(texts),
        "sums, words seen before": lambda: model._sums(texts),
        "the layers": lambda: [
            model._layers(*(a[n : n + 512] for a in layers)) for n in range(0, len(texts), 512)
        ],
        "load().predict_labels": lambda: loaded.predict_labels(texts),
        "run.predict_labels": lambda: run.predict_labels(texts),
        "run.predict_frame": lambda: run.predict_frame(texts),
        "run.predict": lambda: run.predict(texts),
    }
    table = in_turn(
        contestants,
        "encode_batch_fast",
        rounds,
        f"static student, {title}",
        clock=time.process_time,
    )
    for row in table.rows:
        row.notes = {"texts per second": round(len(texts) / row.seconds)}
    return table


def random_student(folder: Path) -> Path:
    """Write a run directory with a static student of random weights, and return it."""
    from clx.ml.model.embedded_model import clx_resolve_base_model
    from clx.ml.run_directory.files import write_json
    from clx.ml.run_directory.layout import CONFIG, RunDir
    from clx.ml.run_directory.staging import staged
    from clx.ml.task.options import DEFAULT_BASE_MODEL
    from clx_runtime.settings import Settings
    from clx_runtime.static_files import quantized, write_student

    base = Path(clx_resolve_base_model(DEFAULT_BASE_MODEL))
    tokenizer = (base / "tokenizer.json").read_text(encoding="utf-8")
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray[Any, Any]:
        return generator.normal(size=shape).astype(np.float32)

    weights = {
        **quantized(normal(30_522, DIM)),
        "token_weights": np.abs(normal(30_522)),
        "norm.weight": normal(DIM),
        "norm.bias": normal(DIM),
        "hidden.weight": normal(HIDDEN, DIM),
        "hidden.bias": normal(HIDDEN),
        "output.weight": normal(LABELS, HIDDEN),
        "output.bias": normal(LABELS),
    }
    labels = [f"label{number:02}" for number in range(LABELS)]
    decision = {"kind": "one_label", "labels": labels, "label_type": "str", "min_score": None}
    scoring = {"top_k": 1, "legacy": True, "function": None}
    settings = Settings(
        [], {}, "right", None, labels, "single_label_classification", None, scoring,
        task="classification", decision=decision,
    )  # fmt: skip
    place = RunDir(folder / "student")
    config = {"schema_version": 1, "task": "classification", "run_name": "student"}
    entry = {"run_name": "teacher", "task": "classification", "kind": "static"}
    with staged(place) as new:
        write_student(new.model, settings, tokenizer, weights)
        write_json(new.path / CONFIG, {**config, "label_names": labels, "student_of": entry})
    return place.path


if __name__ == "__main__":
    for each in run_benchmark(5, small=False):
        print(f"\n{each.show()}", flush=True)
