"""Sentence embeddings (mean-pooled, normalized) and a logistic regression."""

from __future__ import annotations

from typing import Any

import exchange
import numpy as np
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier


def contend(job: exchange.Job) -> list[Any]:
    """Encode, fit the regression with its defaults (C = 1), and predict."""
    encoder = SentenceTransformer(exchange.base_model(), device=job.device)
    if job.max_length is not None:
        encoder.max_seq_length = job.max_length
    features = encoder.encode(job.texts, normalize_embeddings=True, show_progress_bar=False)
    regression = LogisticRegression(max_iter=1000, random_state=job.seed)
    model = OneVsRestClassifier(regression) if job.multi_label else regression
    model.fit(features, np.array(job.targets()))
    job.trained()
    test = encoder.encode(job.test, normalize_embeddings=True, show_progress_bar=False)
    return job.labels_of(model.predict(test))


if __name__ == "__main__":
    exchange.answer(contend, "sentence-transformers", "scikit-learn", "transformers", "torch")
