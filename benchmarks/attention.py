"""A training step on the CPU without the dropout of attention weights, by the length of the texts.

With it torch computes attention on a CPU in pieces that are as large as the square of the length, and
draws a random number for each; without it in one fused kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from measuring import Table, in_turn

from training import base_model

ROWS = 16
TOKENS = (64, 128, 256, 512)
LABELS = 20
DROPOUT = "dropout 0.1"


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the table of one step of 16 texts, forward and backward, by their length."""
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.set_verbosity_error()
    generator = torch.Generator().manual_seed(0)
    rows = []
    for tokens in TOKENS[:2] if small else TOKENS:
        ids = torch.randint(1000, 20_000, (ROWS, tokens), generator=generator)
        mask = torch.ones_like(ids)
        mask[::2, tokens * 3 // 4 :] = 0
        batch = {"input_ids": ids, "attention_mask": mask, "labels": torch.arange(ROWS) % LABELS}

        def stepping(dropout: float, batch: dict[str, torch.Tensor] = batch) -> Callable[[], None]:
            model = AutoModelForSequenceClassification.from_pretrained(
                base_model(), num_labels=LABELS, attention_probs_dropout_prob=dropout
            ).train()

            def step() -> None:
                model(**batch).loss.backward()
                model.zero_grad()

            return step

        contestants = {DROPOUT: stepping(0.1), "no dropout of attention": stepping(0.0)}
        title = f"{tokens} tokens"
        row = in_turn(contestants, DROPOUT, rounds, title, clock=time.process_time).rows[1]
        rows.append(replace(row, name=str(tokens)))
    return [Table(f"a training step of {ROWS} texts without dropout of attention", DROPOUT, rows)]
