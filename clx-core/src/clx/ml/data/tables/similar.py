"""Suggest the file that a user meant by a name that does not exist."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from clx.ml.data.tables.addresses import is_address
from clx.ml.data.tables.formats import known_format
from clx.problems import closest

MAX_ENTRIES = 10_000
"""How many entries of a folder are compared with a name."""


def like_it(source: str) -> str:
    """Return which file may be meant by a missing one, as the end of a sentence, or an empty text.

    Args:
        source: the file, folder or glob that does not exist.
    """
    if is_address(source):
        return ""
    path = Path(source)
    try:
        if source.endswith(("/", "\\")) and path.is_file():
            return f"; {str(path)!r} is a file: leave out the slash at its end"
        if path.exists():
            return ""
        folder = path.expanduser().parent
        entries = [
            entry.name
            for entry in islice(folder.iterdir(), MAX_ENTRIES)
            if not entry.name.startswith(".") and (known_format(entry.name) or entry.is_dir())
        ]
    except (OSError, RuntimeError, ValueError):
        return ""
    # Suffixes are alike for most files, so they would make all names similar.
    by_stem: dict[str, list[str]] = {}
    for name in sorted(entries):
        by_stem.setdefault(_stem(name), []).append(name)
    stem = closest(_stem(path.name), by_stem)
    if stem is None:
        return ""
    match = next((n for n in by_stem[stem] if n.endswith(path.suffix)), by_stem[stem][0])
    return f"; did you mean {str(path.parent / match)!r}?"


def _stem(name: str) -> str:
    """Return a file name without the suffixes of its format and compression."""
    form = known_format(name)
    return Path(Path(name).stem).stem if form and form.compression else Path(name).stem
