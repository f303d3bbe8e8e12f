"""Print the table of finished trials, and which ones are missing, as Markdown.

python benchmarks/quality/table.py > table.md
"""

from __future__ import annotations

from typing import Any

import search

import data


def headline(trial: dict[str, Any]) -> float:
    """Return accuracy, or micro-F1 at 0.5 where rows have several labels."""
    return float(trial[data.metric(trial["data"])])


def rows(trials: list[dict[str, Any]], a_label: int | None, variants: list[str]) -> list[str]:
    """Return the lines of one size: a variant a line, a data set a column."""
    found = {
        (t["variant"], t["data"]): t for t in trials if t["a_label"] == a_label and t["seed"] == 0
    }
    lines = []
    for variant in variants:
        cells = [
            f"{headline(found[variant, name]):.3f}" if (variant, name) in found else ""
            for name in search.SETS
        ]
        if any(cells):
            lines.append(f"| {variant} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Print a table a size."""
    trials = search.finished()
    sizes: list[tuple[int | None, str, list[str]]] = [
        (8, "8 rows a label", list(search.VARIANTS)),
        (64, "64 rows a label", list(search.VARIANTS)),
        (None, "all rows", list(search.FINALISTS)),
    ]
    for a_label, name, variants in sizes:
        lines = rows(trials, a_label, variants)
        if lines:
            print(f"\n| {name} | {' | '.join(search.SETS)} |\n|---|{'---|' * len(search.SETS)}")
            print("\n".join(lines))
    planned = [tuple(trial.values()) for trial in search.plan()]
    done = {tuple(t[key] for key in search.trial("", 0, "")) for t in trials}
    missing = [trial for trial in planned if trial not in done]
    print(f"\n{len(planned) - len(missing)} of {len(planned)} planned trials are finished.")


if __name__ == "__main__":
    main()
