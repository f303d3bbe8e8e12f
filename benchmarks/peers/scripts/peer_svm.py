"""TF-IDF of words and pairs of words, and a linear support vector machine, by scikit-learn."""

from __future__ import annotations

from typing import Any

import exchange
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC


def contend(job: exchange.Job) -> list[Any]:
    """Fit on whole texts (nothing is cut) and predict."""
    machine = LinearSVC(random_state=job.seed)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        OneVsRestClassifier(machine) if job.multi_label else machine,
    )
    model.fit(job.texts, np.array(job.targets()))
    job.trained()
    return job.labels_of(model.predict(job.test))


if __name__ == "__main__":
    exchange.answer(contend, "scikit-learn")
