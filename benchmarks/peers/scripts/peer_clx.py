"""clx with nothing set, or with the options of a contender: ``training_args``, or of ``train``."""

from __future__ import annotations

import warnings
from typing import Any

import datasets  # noqa: F401
import exchange
import pandas as pd
import torch  # noqa: F401
import transformers

from clx.ml import training_run

# clx imports these when it first needs them; for the others they are imported before the clock runs.
transformers.AutoModelForSequenceClassification  # noqa: B018
transformers.AutoTokenizer  # noqa: B018
transformers.Trainer  # noqa: B018


def contend(job: exchange.Job) -> list[Any]:
    """Train without eval data and predict; the seed, the cut and the contender's options are given."""
    warnings.simplefilter("ignore")
    options = dict(job.options)
    arguments = options.pop("training_args", {})
    cut = {} if job.max_length is None else {"tokenize_args": {"max_length": job.max_length}}
    run = training_run(
        "multi-label-classification" if job.multi_label else "classification",
        "peer",
        run_dir_parent="runs",
        training_args={"seed": job.seed, **arguments},
        **cut,
    )
    column = "labels" if job.multi_label else "label"
    run.train(pd.DataFrame({"text": job.texts, column: job.labels}), **options)
    job.trained()
    return run.predict_labels(job.test)


if __name__ == "__main__":
    exchange.answer(contend, "clx-core", "transformers", "torch")
