"""Training: ``run.train`` against the plain Trainer script and a hand loop, at equal accuracy.

All fine-tune the same model on the same rows with the same batch size, epochs, learning rate,
warm-up and decay. The time is that of the training steps and their data; loading, saving and
reports are left out on all sides, and ``run.train``'s overhead is a figure of its own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import Row, Table, rows_of
from texts import paragraphs

BATCH, LEARNING_RATE = 16, 2e-4
PRECISION: dict[str, bool] = {}
"""Arguments of the Trainer for another precision; the hand loop takes autocast for ``bf16``."""


class Data:
    """Rows of some labels, and rows to measure the accuracy on."""

    def __init__(self, rows: int, eval_rows: int = 400, labels: int = 12) -> None:
        import pandas as pd

        frame = pd.DataFrame(paragraphs(), columns=["text", "label"])
        names = list(frame["label"].value_counts().index[:labels])
        frame = frame[frame["label"].isin(names)].reset_index(drop=True)
        self.labels = sorted(names)
        self.train = frame.iloc[:rows]
        self.eval = frame.iloc[rows : rows + eval_rows]


def base_model() -> Path:
    """Return the folder of the default base model."""
    from clx.ml.model.base_models import resolve_base_model

    return resolve_base_model("sentence-transformers/all-MiniLM-L6-v2")


def ours(data: Data, epochs: float, folder: Path) -> tuple[float, float]:
    """Train with clx; return the seconds of the steps and the accuracy."""
    from transformers import TrainerCallback

    from clx.ml import training_run

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            times.append(time.perf_counter())

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            times.append(time.perf_counter())

    run = training_run(
        "classification",
        "bench",
        run_dir_parent=folder,
        label_names=data.labels,
        training_args={
            "num_train_epochs": epochs,
            "per_device_train_batch_size": BATCH,
            "learning_rate": LEARNING_RATE,
            "disable_tqdm": True,
            **PRECISION,
        },
    )
    run.train(data.train, overwrite=True, callbacks=[Clock()])
    return times[1] - times[0], run.evaluate(data.eval).metrics["accuracy"]


def _tokenised(data: Data, tokenizer: Any, padding: Any) -> Any:
    from datasets import Dataset

    ids = {name: number for number, name in enumerate(data.labels)}
    rows = Dataset.from_pandas(data.train, preserve_index=False)
    rows = rows.map(
        lambda batch: {
            **tokenizer(batch["text"], truncation=True, max_length=128, padding=padding),
            "labels": [ids[label] for label in batch["label"]],
        },
        batched=True,
    )
    return rows.remove_columns(["text", "label"])


def _model(data: Data) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    set_seed(42)
    tokenizer = AutoTokenizer.from_pretrained(base_model())
    model = AutoModelForSequenceClassification.from_pretrained(
        base_model(), num_labels=len(data.labels)
    )
    return model, tokenizer


def _accuracy(model: Any, tokenizer: Any, data: Data) -> float:
    import torch

    model.eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(data.eval), 32):
            some = data.eval.iloc[start : start + 32]
            batch = tokenizer(
                list(some["text"]), truncation=True, padding=True, return_tensors="pt"
            ).to(model.device)
            best = model(**batch).logits.argmax(-1).tolist()
            right += sum(
                data.labels[i] == label for i, label in zip(best, some["label"], strict=True)
            )
    return right / len(data.eval)


def trainer_script(
    data: Data, epochs: float, folder: Path, padding: Any = False
) -> tuple[float, float]:
    """Train as the tutorials do: random order, padded to the longest of a batch or to 128."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    model, tokenizer = _model(data)
    rows = _tokenised(data, tokenizer, padding)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "trainer"),
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            warmup_steps=_warm_up(data, epochs),
            weight_decay=0.01,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **PRECISION,
        ),
        train_dataset=rows,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    started = time.perf_counter()
    trainer.train()
    return time.perf_counter() - started, _accuracy(model, tokenizer, data)


def _warm_up(data: Data, epochs: float) -> int:
    return max(1, int(0.1 * epochs * len(data.train) / BATCH))


def hand_loop(data: Data, epochs: float, folder: Path) -> tuple[float, float]:
    """Train in a loop of one's own with batches of like length."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    model, tokenizer = _model(data)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    ids = {name: number for number, name in enumerate(data.labels)}
    rows = tokenizer(list(data.train["text"]), truncation=True)["input_ids"]
    labels = [ids[label] for label in data.train["label"]]
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    steps = -(-len(rows) // BATCH) * int(epochs)
    schedule = get_linear_schedule_with_warmup(optimizer, _warm_up(data, epochs), steps)
    generator = torch.Generator().manual_seed(0)
    started = time.perf_counter()
    for _ in range(int(epochs)):
        order = torch.randperm(len(rows), generator=generator).tolist()
        batches = []
        for start in range(0, len(order), 50 * BATCH):
            mega = sorted(order[start : start + 50 * BATCH], key=lambda i: -len(rows[i]))
            batches += [mega[i : i + BATCH] for i in range(0, len(mega), BATCH)]
        for number in torch.randperm(len(batches), generator=generator).tolist():
            some = batches[number]
            batch = tokenizer.pad({"input_ids": [rows[i] for i in some]}, return_tensors="pt")
            target = torch.tensor([labels[i] for i in some], device=device)
            with torch.autocast(device, torch.bfloat16, enabled=bool(PRECISION.get("bf16"))):
                loss = model(**batch.to(device), labels=target).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return time.perf_counter() - started, _accuracy(model, tokenizer, data)


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the table of training, and the overhead of ``train`` on 1,000 rows."""
    data = Data(320 if small else 1600)
    epochs = 1 if small else 3
    contestants: dict[str, Callable[..., tuple[float, float]]] = {
        "Trainer, dynamic padding": trainer_script,
        "Trainer, padded to 128": lambda *args: trainer_script(*args, padding="max_length"),
        "hand loop, like lengths": hand_loop,
        "run.train": ours,
    }
    yardstick = "Trainer, dynamic padding"
    times: dict[str, list[float]] = {name: [] for name in contestants}
    accuracy: dict[str, list[float]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            names = list(contestants)
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                seconds, right = contestants[name](data, epochs, Path(folder))
                times[name].append(seconds)
                accuracy[name].append(right)
        overhead = _overhead(Path(folder), rounds)
    notes = {
        name: {"accuracy": round(statistics.median(accuracy[name]), 3)} for name in contestants
    }
    rows = rows_of(times, yardstick, {"run.train": 2.5}, notes)
    return [
        Table(f"training, {len(data.train)} rows, {epochs} epochs", yardstick, rows),
        overhead,
    ]


def _overhead(folder: Path, rounds: int) -> Table:
    """Return how long ``train`` takes on 1,000 rows without its steps, after imports."""
    import transformers

    from clx.ml import training_run

    data = Data(1000)
    times = []
    for _ in range(rounds + 1):
        steps: list[float] = []
        original = transformers.Trainer.training_step

        def timed(*args: Any, _original: Any = original, _steps: Any = steps, **kw: Any) -> Any:
            begun = time.perf_counter()
            try:
                return _original(*args, **kw)
            finally:
                _steps.append(time.perf_counter() - begun)

        transformers.Trainer.training_step = timed
        try:
            started = time.perf_counter()
            run = training_run(
                "classification",
                "overhead",
                run_dir_parent=folder,
                training_args={"max_steps": 1, "disable_tqdm": True},
            )
            run.train(data.train, overwrite=True)
            times.append(time.perf_counter() - started - sum(steps))
        finally:
            transformers.Trainer.training_step = original
    seconds = statistics.median(times[1:])
    row = Row("run.train without its step", seconds, notes={"goal": "under 3 s"})
    return Table("overhead of train(), 1,000 rows", row.name, [row])
