"""The model of cost: operations by parameters and tokens, against the machine's matrix products.

For random weights of the shapes of four common models: what share of the rate of a plain matrix
product (of a feed-forward layer's size) ``run.predict``'s batches reach.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from measuring import Row, Table

SHAPES = {
    "MiniLM-L6": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12},
    "DistilBERT": {"hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12},
    "BERT-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "ModernBERT-base": {"hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12},
}


def operations(hidden: int, inner: int, layers: int, tokens: int, texts: int, gated: bool) -> float:
    """Return floating-point operations of one forward pass over ``texts`` of ``tokens`` each.

    A layer has 4·h² weights in its attention and 2·h·i in its feed-forward part (3·h·i where it is
    gated), 2 operations each a token; attention itself has 4·h operations for each pair of tokens.
    """
    weights = 4 * hidden**2 + (3 if gated else 2) * hidden * inner
    return float(layers * texts * (2 * weights * tokens + 4 * hidden * tokens**2))


def models() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return a model with random weights for each shape, and the numbers for its cost."""
    from transformers import (
        AutoModelForSequenceClassification,
        BertConfig,
        DistilBertConfig,
        ModernBertConfig,
    )

    made = {}
    for name, sizes in SHAPES.items():
        hidden, layers = sizes["hidden_size"], sizes["num_hidden_layers"]
        inner, gated = 4 * hidden, False
        if name == "DistilBERT":
            config: Any = DistilBertConfig(dim=hidden, n_layers=layers, hidden_dim=inner)
        elif name == "ModernBERT-base":
            config = ModernBertConfig(
                vocab_size=1000, pad_token_id=0, cls_token_id=1, sep_token_id=2, **sizes
            )
            inner, gated = config.intermediate_size, True
        else:
            config = BertConfig(vocab_size=1000, intermediate_size=inner, **sizes)
        config.vocab_size, config.num_labels = 1000, 20
        model = AutoModelForSequenceClassification.from_config(config).eval()
        numbers = {"hidden": hidden, "inner": inner, "layers": layers, "gated": gated}
        made[name] = (model, numbers)
    return made


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return a table for each of two lengths: the share of the matrix product's rate by shape."""
    import torch

    from clx_runtime.batches import OTHER_BUDGET, TOKEN_BUDGETS

    device = "cuda" if torch.cuda.is_available() else "cpu"
    budget = TOKEN_BUDGETS.get(device, OTHER_BUDGET)
    rows: dict[int, list[Row]] = {16: [], 128: []}
    for name, (model, numbers) in models().items():
        model.to(device)
        for tokens, own in rows.items():
            texts = max(1, budget // tokens)
            ids = torch.randint(3, 1000, (texts, tokens), device=device)
            mask = torch.ones_like(ids)
            peaks, times = [], []
            with torch.inference_mode():
                for number in range(rounds + 1):
                    peaks.append(_matmul_rate(texts * tokens, numbers, device))
                    started = time.perf_counter()
                    model(input_ids=ids, attention_mask=mask)
                    if device == "cuda":
                        torch.cuda.synchronize()
                    if number:
                        times.append(time.perf_counter() - started)
            work = operations(tokens=tokens, texts=texts, **numbers)
            rates = [work / seconds for seconds in times]
            shares = [rate / peak for rate, peak in zip(rates, peaks[1:], strict=True)]
            own.append(
                Row(
                    name,
                    statistics.median(times) / texts,
                    statistics.median(shares),
                    (min(shares), max(shares)),
                    notes={
                        "Gflop per text": round(work / texts / 1e9, 2),
                        "Gflop/s": round(statistics.median(rates) / 1e9),
                    },
                )
            )
    what = f"rate on the {device}, as a share of that of"
    return [
        Table(f"cost, {tokens} tokens", "matrix product", own, what) for tokens, own in rows.items()
    ]


def _matmul_rate(tokens: int, numbers: dict[str, Any], device: str) -> float:
    """Return operations a second of the product of a feed-forward layer, the best of three."""
    import torch

    left = torch.randn(tokens, numbers["hidden"], device=device)
    right = torch.randn(numbers["hidden"], numbers["inner"], device=device)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * tokens * numbers["hidden"] * numbers["inner"] / best
