"""The page on which a person tries a run."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def page() -> str:
    """Return the page: one HTML file that asks the server that it comes from, and nobody else."""
    return (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
