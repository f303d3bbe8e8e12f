"""simpletransformers with its defaults: 1 epoch, learning rate 4e-5, batches of 8, 128 tokens."""

from __future__ import annotations

from typing import Any

import exchange
import pandas as pd
from simpletransformers.classification import ClassificationModel, MultiLabelClassificationModel


def contend(job: exchange.Job) -> list[Any]:
    """Train and predict.

    What differs from the defaults: the model is uncased, which its users have to say
    (``do_lower_case``), and whether there is a GPU.
    """
    kind = MultiLabelClassificationModel if job.multi_label else ClassificationModel
    changed = {"do_lower_case": True, "manual_seed": job.seed}
    if job.max_length is not None:
        changed["max_seq_length"] = job.max_length
    model = kind(
        "bert",
        exchange.base_model(),
        num_labels=len(job.names),
        use_cuda=job.device == "cuda",
        args=changed,
    )
    model.train_model(pd.DataFrame({"text": job.texts, "labels": job.targets()}))
    job.trained()
    predicted, _ = model.predict(job.test)
    return job.labels_of(predicted)


if __name__ == "__main__":
    exchange.answer(contend, "simpletransformers", "transformers", "torch")
