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
        title: its name in the tables.
        script: the script that runs it, ``scripts/peer_{script}.py``.
        environment: its file of packages, ``requirements/{environment}.txt``; clx is installed from
            this checkout.
        options: arguments of the script.
        cut: whether texts are truncated as for the others.
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
    "clx-whole": Contender("clx, whole texts", "clx", "clx", cut=False),
    "clx-whole-bf16": Contender("clx, whole texts, `bf16`", "clx", "clx", BF16, cut=False),
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
