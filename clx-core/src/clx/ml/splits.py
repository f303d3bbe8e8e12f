"""One part of the data on its way to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clx.ml.author_code import author_code
from clx.ml.data import to_dataset
from clx.ml.sampling import input_lengths
from clx.ml.token_counts import watching
from clx.ml.truncation import input_limit, uncut_lengths

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

    from clx.ml.run import TrainingRun


@dataclass(frozen=True)
class Split:
    """A validated frame with its tokenised rows.

    Attributes:
        name: ``train``, ``eval`` or ``evaluation``.
        frame: the rows as the user gave them.
        dataset: the same rows as the model is fed.
        lengths: how many tokens each text has before anything is cut; None where that cannot be
            told, such as for pairs of texts.
        truncated: how many texts are cut.
    """

    name: str
    frame: pd.DataFrame
    dataset: Dataset
    lengths: Sequence[int] | None
    truncated: int


def tokenised_split(run: TrainingRun, name: str, frame: pd.DataFrame) -> Split:
    """Return a frame with its tokenised dataset.

    What the task's ``tokenize`` asks of the run's tokenizer is watched, so that no text has to be
    tokenised again to know how long it is. A slow tokenizer, and a task that does not call it once
    for each row, leave less to see: then texts that fill the limit are tokenised a second time.
    """
    with watching(run.tokenizer) as seen, author_code(run, "tokenize"):
        dataset = to_dataset(frame, run.tokenize, run.dataset_cols, name)
    if seen.complete and len(seen.cut) == len(frame):
        lengths = [size for size in seen.lengths if size is not None]
        known = lengths if len(lengths) == len(frame) else None
        return Split(name, frame, dataset, known, sum(seen.cut))
    cut, limit = input_lengths(dataset), input_limit(run)
    if cut is None or "text" not in frame.columns or len(cut) != len(frame):
        return Split(name, frame, dataset, None, 0)
    lengths = uncut_lengths(run, frame["text"].tolist(), cut)
    truncated = 0 if limit is None else sum(size > limit for size in lengths)
    return Split(name, frame, dataset, lengths, truncated)
