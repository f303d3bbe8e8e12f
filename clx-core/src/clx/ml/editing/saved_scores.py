"""Compare the scores of a written model with those of the model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.errors import ModelError
from clx.ml.editing.refit import Refitted
from clx.ml.model.head.layer import evaluating, model_batches
from clx.ml.model.static_net import static_net
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.students import is_student

if TYPE_CHECKING:
    from datasets import Dataset

ROWS = 16
"""The number of rows whose scores are compared with those of the saved model."""

LIMIT = 1e-3
"""The largest allowed difference between a score of the fitted and of the saved model."""


def check_scores(run: Any, dataset: Dataset, fitted: Refitted) -> None:
    """Refuse a written model that does not score like the fitted one.

    Raises:
        ModelError: it does not, so the run is left as it was.
    """
    place = RunDir(run.run_dir)
    saved = static_net(place.model) if is_student(place) else run.model
    fitted.model.to(saved.device)
    rows = dataset.select(range(min(ROWS, len(dataset))))
    with evaluating(fitted.model):
        for _, batch in model_batches(saved, rows, run.load_data_collator()):
            expected, found = (each(**batch).logits.float() for each in (fitted.model, saved))
            difference = float((found - expected).abs().max())
            if not difference <= LIMIT:
                raise ModelError(
                    f"The model with merged labels gives different scores after it was saved: one score "
                    f"differs by {difference:.2g}. The run is unchanged"
                )
