"""Notice that a run on disk changed, without reading it."""

from __future__ import annotations

from pathlib import Path

from clx_runtime.run_folder import CONFIG, MANIFEST


def stamp_of(path: Path) -> object:
    """Return a value that changes when a run directory or an archive changes; None if it is gone.

    The manifest of a run directory is written last, and a new one takes the old one's place.
    """
    candidates = [path / MANIFEST, path / CONFIG] if path.is_dir() else [path]
    for candidate in candidates:
        try:
            found = candidate.stat()
        except OSError:
            continue
        return candidate.name, found.st_ino, found.st_mtime_ns, found.st_size
    return None
