"""Print the table of finished trials, and which ones are missing, as Markdown.

python benchmarks/quality/table.py > table.md
"""

from __future__ import annotations

from typing import Any

import search

import data

TITLES = {
    "nlupp": "NLU++",
    "r8": "R8",
    "banking77": "Banking77",
    "20news": "20 Newsgroups",
    "20news-hierarchy": "20 Newsgroups, hierarchy",
    "r52": "R52",
}
"""The names of data sets in the tables."""


def headline(trial: dict[str, Any]) -> float:
    """Return accuracy, or micro-F1 at 0.5 where rows have several labels."""
    return float(trial[data.metric(trial["data"])])


def rows(trials: list[dict[str, Any]], title: str, variants: list[str]) -> list[str]:
    """Return the table of one size: one line per variant, one column per data set."""
    found = {(t["variant"], t["data"]): t for t in trials if t["variant"] in variants}
    sets = [name for name in search.SETS if any(name == known for _, known in found)]
    lines = []
    for variant in variants:
        cells = [
            f"{headline(found[variant, name]):.3f}" if (variant, name) in found else "-"
            for name in sets
        ]
        if set(cells) != {"-"}:
            shown = variant.removeprefix("all: ").replace("centre", "baseline")
            lines.append(f"| {shown} | {' | '.join(cells)} |")
    titles = " | ".join(TITLES[name] for name in sets)
    return [f"\n| {title} | {titles} |", f"|---|{'---|' * len(sets)}", *lines]


def main() -> None:
    """Print one table per size."""
    trials = search.finished()
    sizes: list[tuple[int | None, str, list[str]]] = [
        (8, "8 rows per label", list(search.VARIANTS)),
        (64, "64 rows per label", list(search.VARIANTS)),
        (None, "all rows", list(search.FINALISTS)),
    ]
    for a_label, title, variants in sizes:
        of_size = [t for t in trials if t["a_label"] == a_label and t["seed"] == 0]
        if of_size:
            print("\n".join(rows(of_size, title, variants)))
    planned = [tuple(trial.values()) for trial in search.plan()]
    done = {tuple(t[key] for key in search.trial("", 0, "")) for t in trials}
    missing = [trial for trial in planned if trial not in done]
    print(f"\n{len(planned) - len(missing)} of {len(planned)} planned trials are finished.")


if __name__ == "__main__":
    main()
