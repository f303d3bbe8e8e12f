"""The data format of the task: what it expects, the column of labels, and sample rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

EXPECTED = (
    "a column 'text' of strings and a column 'labels' with a list of names per row, such as "
    'pd.DataFrame({"text": ["ripe apple", "cat"], "labels": [["fruit", "red"], []]}); in csv a JSON '
    "list, or names with label_separator between them; other columns are ignored"
)


def label_column(data: pd.DataFrame) -> str:
    """Return the name of the column of labels: ``label`` is accepted if there is no ``labels``."""
    return "label" if "labels" not in data.columns and "label" in data.columns else "labels"


def sample_frame() -> pd.DataFrame:
    """Return rows for trying out the task."""
    import pandas as pd

    rows = [
        ("a red apple", ["fruit", "red"]),
        ("ripe pears", ["fruit"]),
        ("a red car", ["red"]),
        ("lemon and melon", ["fruit"]),
        ("an apple pie, red and sweet", ["fruit", "red"]),
        ("it rained all day", []),
        ("a red door", ["red"]),
        ("nobody came", []),
    ]
    return pd.DataFrame(rows, columns=["text", "labels"])
