"""A training step on the CPU without the dropout of attention weights, by the length of the texts.

With it torch computes attention on a CPU in pieces that are as large as the square of the length, and
draws a random number for each; without it in one fused kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from measuring import Table, in_turn

from training import base_model

ROWS = 16
TOKENS = (64, 128, 256, 512)
LABELS = 20


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return a table for each length: one step of 16 texts, forward and backward."""
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.set_verbosity_error()
    generator = torch.Generator().manual_seed(0)
    tables = []
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

        contestants = {"dropout 0.1": stepping(0.1), "no dropout of attention": stepping(0.0)}
        tables.append(
            in_turn(
                contestants,
                "dropout 0.1",
                rounds,
                f"a training step, {ROWS} texts of up to {tokens} tokens",
                clock=time.process_time,
            )
        )
    return tables
