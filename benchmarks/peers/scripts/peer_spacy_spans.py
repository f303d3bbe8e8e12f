"""spaCy's ``ner`` with its default network, trained in a simple loop: 30 passes, dropout 0.3."""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.training import Example
from spacy.util import compounding, fix_random_seed, minibatch

PASSES, DROPOUT = 30, 0.3


def trained(rows: list[dict[str, Any]]) -> Any:
    """Return a pipeline that was trained on rows."""
    fix_random_seed(42)
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    examples = []
    for row in rows:
        doc = nlp.make_doc(row["text"])
        spans = [
            doc.char_span(s["start"], s["end"], label=s["label"], alignment_mode="expand")
            for s in row["spans"]
        ]
        reference = nlp.make_doc(row["text"])
        reference.ents = spacy.util.filter_spans(spans)
        examples.append(Example(doc, reference))
        for span in row["spans"]:
            ner.add_label(span["label"])
    optimizer = nlp.initialize(lambda: examples)
    draw = random.Random(42)
    for _ in range(PASSES):
        draw.shuffle(examples)
        for batch in minibatch(examples, size=compounding(4.0, 32.0, 1.001)):
            nlp.update(batch, sgd=optimizer, drop=DROPOUT)
    return nlp


def main() -> None:
    """Read a job, and write the spans and the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", type=Path)
    job = json.loads(parser.parse_args().job.read_text(encoding="utf-8"))
    started = time.perf_counter()
    nlp = trained(job["train"])
    training = time.perf_counter() - started

    def predict() -> list[list[dict[str, Any]]]:
        docs = nlp.pipe(job["texts"], batch_size=256)
        return [
            [{"start": e.start_char, "end": e.end_char, "label": e.label_} for e in doc.ents]
            for doc in docs
        ]

    predict()
    started = time.perf_counter()
    spans = predict()
    seconds = time.perf_counter() - started
    result = {"spans": spans, "training": training, "prediction": seconds}
    Path(job["out"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
