"""Measure clx with many architectures, and write the table in docs/background/architectures.md."""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from conftest import fruit_frame
from zoo import ARCHITECTURES, Architecture, make_model

PAGE = Path(__file__).parents[1] / "docs" / "background" / "architectures.md"
TABLE = re.compile(
    r"(<!-- The table is made by .*? -->\n).*?(<!-- end of the table -->)", re.DOTALL
)

TEXTS = [
    "apple",
    "",
    "the dog is a cat and the big red horse and the big red goat",
    "two cat",
    " ".join(["one two three four five six the cow"] * 4),
    "  ",
    "Яблоко",
    "the cat is red",
]
"""Texts of many lengths; the byte-level vocabularies know no Cyrillic letters."""

SAME = 1e-4
"""The largest difference between two scores that count as equal."""

STEPS = {"max_steps": 3, "disable_tqdm": True, "per_device_train_batch_size": 4, "seed": 1}


def frame(rows: int = 12, empty: bool = True) -> pd.DataFrame:
    """Return labeled texts of many lengths, and an empty one."""
    data = fruit_frame(rows)
    data.loc[3, "text"] = " ".join(["the big red cat and the small dog"] * 5)
    data.loc[4, "text"] = "" if empty else "cat"
    return data


class Subject:
    """One architecture, made in a folder, and trained there as often as a question needs it."""

    def __init__(self, architecture: Architecture, folder: Path) -> None:
        self.folder = folder
        self.model = make_model(architecture, folder / "model")
        self.data = frame(empty=architecture.reads_empty)
        self.texts = [text for text in TEXTS if architecture.reads_empty or text.strip()]

    def run(self, name: str, **options: Any) -> Any:
        """Return a new run on the model."""
        from clx.ml import training_run

        return training_run(
            "classification",
            name,
            run_dir_parent=self.folder,
            base_model_name=self.model,
            **{"training_args": STEPS, **options},
        )

    def trained(self) -> Any:
        """Return the run that was fine-tuned without eval data."""
        run = self.run("trained")
        if not run.is_trained:
            run.train(self.data)
        return run


def difference(some: list[Any], others: list[Any]) -> float:
    """Return the largest difference between two scores of the same text and label."""
    pairs = zip(some, others, strict=True)
    return max(abs(one[label] - other[label]) for one, other in pairs for label in one)


def by_batch(run: Any, texts: Sequence[str] = TEXTS, **arguments: Any) -> float:
    """Return how much scores differ between texts alone, in one batch, and in pairs."""
    alone = run.predict(texts, batch_size=1, **arguments)
    return max(
        difference(alone, run.predict(texts, batch_size=size, **arguments))
        for size in (None, len(texts), 2)
    )


def by_evaluation(run: Any, data: pd.DataFrame | None = None) -> float:
    """Return how much an evaluation's scores differ from those of texts alone."""
    data = frame() if data is None else data
    rows = run.evaluate(data).examples
    alone = run.predict(data["text"], batch_size=1)
    return max(
        abs(max(scores.values()) - seen) for scores, seen in zip(alone, rows["score"], strict=True)
    )


def how_batched(run: Any) -> str:
    """Return how texts of different lengths share a batch."""
    if getattr(run.model.config, "clx_batching", None) is not None:
        return "equal lengths"
    return f"padded {run.tokenizer.padding_side}"


# ---- One function for each column of the table -------------------------------------------------------


def trains(subject: Subject) -> str:
    """Fine-tune with eval data, evaluate, and predict."""
    run = subject.run("with-eval")
    result = run.train(subject.data, subject.data)
    assert result.metrics
    assert len(run.predict(subject.texts)) == len(subject.texts)
    return "yes"


def probe(subject: Subject) -> str:
    """Fit the head alone."""
    run = subject.run("probe")
    run.train(subject.data, subject.data, fine_tune=False)
    assert len(run.predict(subject.texts)) == len(subject.texts)
    return "yes"


def pooling(subject: Subject) -> str:
    """Name the poolings besides the model's own."""
    from clx.errors import ConfigError

    found = []
    for name in ("mean", "cls"):
        try:
            subject.run(name, pooling=name).train(subject.data)
            found.append(name)
        except ConfigError:
            continue
    return ", ".join(found) or "its own"


def resume(subject: Subject) -> str:
    """Continue an interrupted training, and get what an uninterrupted one gets."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 2:
                raise KeyboardInterrupt

    run = subject.run("resumed", training_args={**STEPS, "save_strategy": "steps", "save_steps": 1})
    try:
        run.train(subject.data, callbacks=[Stop])
    except KeyboardInterrupt:
        run.train(subject.data, resume=True)
    assert difference(run.predict(subject.texts), subject.trained().predict(subject.texts)) < SAME
    return "yes"


def onnx(subject: Subject) -> str:
    """Export, and predict as torch does, alone and in batches."""
    run = subject.trained()
    run.export("onnx", texts=subject.texts, int8=False)
    assert difference(run.predict(subject.texts, backend="onnx"), run.predict(subject.texts)) < SAME
    assert by_batch(run, subject.texts, backend="onnx") < SAME
    return "yes"


def batches(subject: Subject) -> str:
    """Predict and evaluate texts alone and beside others."""
    run = subject.trained()
    assert by_batch(run, subject.texts) < SAME
    assert by_evaluation(run, subject.data) < SAME
    return how_batched(run)


def plain(subject: Subject) -> str:
    """Predict with transformers alone, from the run's model folder."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = subject.trained()
    tokenizer = AutoTokenizer.from_pretrained(run.run_dir / "model")
    model = AutoModelForSequenceClassification.from_pretrained(run.run_dir / "model").eval()
    texts, scores = [text for text in subject.texts if run.tokenizer(text)["input_ids"]], []
    # BigBird's long texts first: after a short one, it reads them in another way.
    texts.sort(key=len, reverse=True)
    for text in texts:
        with torch.inference_mode():
            encoded = tokenizer([text], truncation=True, return_tensors="pt")
            probabilities = model(**encoded).logits.softmax(dim=-1)[0].tolist()
        scores.append({model.config.id2label[i]: p for i, p in enumerate(probabilities)})
    assert difference(scores, run.predict(texts)) < SAME
    return "yes"


COLUMNS: dict[str, Callable[[Subject], str]] = {
    "trains": trains,
    "probe": probe,
    "pooling": pooling,
    "resume": resume,
    "ONNX": onnx,
    "same scores in any batch": batches,
    "plain transformers": plain,
}


def row(architecture: Architecture, folder: Path) -> list[str]:
    """Return the cells of an architecture; what failed is ``no``, and the reason goes to stderr."""
    cells = [str(architecture)]
    subject = Subject(architecture, folder)
    for name, measure in COLUMNS.items():
        try:
            cells.append(measure(subject))
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            print(
                f"{architecture}: {name}: {type(error).__name__}: {reason[:300]}", file=sys.stderr
            )
            cells.append("no")
    return cells


def table(architectures: list[Architecture]) -> str:
    """Measure the architectures, and return the table as Markdown."""
    lines = ["| " + " | ".join(["model type", *COLUMNS]) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for architecture in architectures:
        with tempfile.TemporaryDirectory() as folder:
            cells = row(architecture, Path(folder))
        lines.append("| " + " | ".join([f"`{cells[0]}`", *cells[1:]]) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table of all architectures, or print that of the model types that are named."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    named = sys.argv[1:]
    chosen = [each for each in ARCHITECTURES if not named or each.model_type in named]
    written = table(chosen)
    if named:
        print(written)
        return
    text = PAGE.read_text(encoding="utf-8")
    text = TABLE.sub(lambda match: match[1] + written + match[2], text, count=1)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
