"""The card of a run in a notebook, from its files alone: no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clx.ml.results.cards import Card, metrics_table
from clx.ml.results.decided import decisions, labels_in_words
from clx.ml.run_directory.layout import REPORT, RunDir


def run_card(name: str, place: Path, options: Mapping[str, Any]) -> Card:
    """Return the card of a run.

    Args:
        name: the run's name.
        place: its directory, which may not exist.
        options: what the config of a run that is not trained would contain.
    """
    directory = RunDir(place)
    if not directory.is_complete():
        return Card(
            name,
            f"{options.get('task')} run, not trained",
            {
                "Base model": options.get("base_model_name"),
                "Labels": labels_in_words(options.get("label_names")),
                "Directory": place,
            },
            notes=["train(data) trains it."],
        )
    config, results = directory.read_config(), directory.read_results()
    rows = results.get("rows")
    counts = rows if isinstance(rows, Mapping) else {}
    metrics = results.get("metrics")
    return Card(
        name,
        f"{config.get('task')} run",
        {
            "Base model": config.get("base_model_name"),
            "Labels": labels_in_words(config.get("label_names")),
            **{f"{part.capitalize()} rows": count for part, count in counts.items()},
            "Trained": results.get("finished"),
            **decisions(config, results),
            "Directory": place,
        },
        [metrics_table(metrics, "On the evaluation data") if isinstance(metrics, Mapping) else ""],
        report=place / REPORT,
    )
