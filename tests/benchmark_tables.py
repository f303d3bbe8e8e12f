"""Write the tables of logged benchmarks into their pages of docs/."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import figure_tables
import figures

PAGES = {
    "benchmarks/quality/table.py": ROOT / "docs" / "background" / "defaults.md",
    "benchmarks/peers/table.py": ROOT / "docs" / "background" / "peers.md",
}
"""The programs that print tables, and the pages that have them."""
MARKED = {ROOT / "docs" / name: made for name, made in figure_tables.layouts().items()}
"""The pages with marks for tables of logged figures, and their layouts by name."""
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


def made(program: str) -> list[str]:
    """Return the tables that a program prints."""
    done = subprocess.run(
        [sys.executable, program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return TABLE.findall(done.stdout)


def page(text: str, tables: list[str]) -> str:
    """Return a page with these tables in place of those with the same headings, in their order.

    Raises:
        ValueError: the page lacks one of the tables.
    """
    start = 0
    for table in tables:
        heading = table.split("\n", 1)[0]
        found = next(
            (old for old in TABLE.finditer(text, start) if old[0].startswith(heading)), None
        )
        if found is None:
            raise ValueError(f"the page has no table with the heading {heading}")
        text = text[: found.start()] + table + text[found.end() :]
        start = found.start() + len(table)
    return text


def marked_page(path: Path, layouts: dict[str, figure_tables.Layout]) -> str:
    """Return a page with the newest logged figures."""
    try:
        return figure_tables.page(path.read_text(encoding="utf-8"), layouts, figures.newest())
    except ValueError as error:
        raise ValueError(f"{path.relative_to(ROOT)}: {error}") from error


if __name__ == "__main__":
    for program, path in PAGES.items():
        path.write_text(page(path.read_text(encoding="utf-8"), made(program)), encoding="utf-8")
    for path, layouts in MARKED.items():
        if path.is_file():
            path.write_text(marked_page(path, layouts), encoding="utf-8")
