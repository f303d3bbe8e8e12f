"""Who is compared: names, scripts and environments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parent / "scripts"

BF16 = {"training_args": {"bf16": True}}


@dataclass(frozen=True)
class Contender:
    """One line of the tables.

    Attributes:
        title: as the tables call it.
        script: which ``scripts/peer_*.py`` runs it.
        environment: which ``requirements/*.txt`` it needs; clx is installed from this checkout.
        options: what the script is told.
        cut: whether texts are cut as they are for the others.
    """

    title: str
    script: str
    environment: str
    options: dict[str, Any] = field(default_factory=dict)
    cut: bool = True

    @property
    def path(self) -> Path:
        """The script's file."""
        return SCRIPTS / f"peer_{self.script}.py"


CONTENDERS = {
    "clx": Contender("**clx**", "clx", "clx"),
    "clx-head": Contender("clx, `fine_tune=False`", "clx", "clx", {"fine_tune": False}),
    "clx-bf16": Contender("clx, `bf16`", "clx", "clx", BF16),
    "clx-whole": Contender("clx, texts not cut at 128 tokens", "clx", "clx", cut=False),
    "clx-whole-bf16": Contender(
        "clx, texts not cut at 128 tokens, `bf16`", "clx", "clx", BF16, cut=False
    ),
    "trainer": Contender("HF Trainer, defaults", "trainer", "trainer"),
    "setfit": Contender("SetFit, defaults", "setfit", "setfit"),
    "setfit-20": Contender(
        "SetFit, `num_iterations=20`", "setfit", "setfit", {"num_iterations": 20}
    ),
    "svm": Contender("TF-IDF + linear SVM", "svm", "scikit-learn"),
    "embeddings": Contender(
        "embeddings + logistic regression", "embeddings", "sentence-transformers"
    ),
    "simpletransformers": Contender(
        "simpletransformers, defaults", "simpletransformers", "simpletransformers"
    ),
}
"""By the name that ``--only`` takes and ``trials.jsonl`` has, in the order of the tables."""
