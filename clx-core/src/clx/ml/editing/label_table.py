"""The labels of a saved run and the facts about them in its files; no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.results.json_tables import object_or_empty, table_from_json

if TYPE_CHECKING:
    import pandas as pd

_FROM_EVALUATION = ("precision", "recall", "f1")


def label_table(config: Mapping[str, Any], results: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row per label: its rows in the data, its threshold, and its metrics, as far as known.

    Args:
        config: the config of a run.
        results: its results.

    Returns:
        The index ``label``, and the columns ``train`` and ``eval`` (rows), ``threshold``,
        ``precision``, ``recall`` and ``f1``, without those that are not known for any label.
    """
    import pandas as pd

    labels = [str(name) for name in config.get("label_names") or ()]
    table = pd.DataFrame(index=pd.Index(labels, name="label"))
    check = object_or_empty(results.get("data_check"))
    for part, counts in object_or_empty(check.get("label_counts")).items():
        values = [object_or_empty(counts).get(label, 0) for label in labels]
        table[str(part).removesuffix("_data")] = values
    thresholds = config.get("thresholds")
    if isinstance(thresholds, int | float):
        thresholds = dict.fromkeys(labels, thresholds)
    if isinstance(thresholds, dict):
        table["threshold"] = [thresholds.get(label, 0.5) for label in labels]
    tables = object_or_empty(object_or_empty(results.get("evaluation")).get("tables"))
    found = table_from_json(tables.get("per_label"))
    if found is not None and list(found.index) == labels:
        for name in _FROM_EVALUATION:
            if name in found.columns:
                table[name] = found[name].to_numpy()
    return table
