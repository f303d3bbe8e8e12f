"""One part of the data on its way to the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clx.ml.author_code import author_code
from clx.ml.data import to_dataset
from clx.ml.truncation import count_truncated, warn_truncated

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

    from clx.ml.run import TrainingRun


@dataclass(frozen=True)
class Split:
    """A validated frame with its tokenised rows, and how many of its texts were cut."""

    name: str
    frame: pd.DataFrame
    dataset: Dataset
    truncated: int


def tokenised_split(run: TrainingRun, name: str, frame: pd.DataFrame) -> Split:
    """Return a frame with its tokenised dataset; say how many texts were cut."""
    with author_code(run, "tokenize"):
        dataset = to_dataset(frame, run.tokenize, run.dataset_cols, name)
    texts = frame["text"].tolist() if "text" in frame.columns else []
    truncated = count_truncated(run, texts)
    warn_truncated(run, truncated, len(frame), f"the {name} data")
    return Split(name, frame, dataset, truncated)
