"""A changed copy of a published run that takes its place: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clx import __version__
from clx.ml.run_directory.files import writing
from clx.ml.run_directory.layout import MANIFEST, ONNX, RunDir
from clx.ml.run_directory.staging import staged

LINKED_BYTES = 2**20
"""Files of this size, such as weights, are linked instead of copied. Nothing writes into them."""

Reopen = Callable[[RunDir, str | None], Any]
"""Opens a run directory as a user would; None stands for the device in its config."""


@contextlib.contextmanager
def edited(place: RunDir, reopen: Reopen) -> Iterator[RunDir]:
    """Yield a copy of a run to change; it takes the run's place after it was opened once.

    The caller holds the run's lock. If anything fails, the run stays as it was.

    Raises:
        RunDirError: the run is damaged, cannot be opened after the change, or cannot be written.
    """
    # A new manifest would hide that a file changed on the disk.
    place.check(hashes=True)
    with writing(place.path), staged(place, lambda new: reopen(new, None)) as new:
        copy_run(place, new)
        yield new


def replace_text(path: Path, text: str) -> None:
    """Replace a file of the copy. If the file is a link, its original does not change."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def history_entry(**values: Any) -> dict[str, Any]:
    """Return an entry for a history in ``results.json``, with the time and the version of clx."""
    return {"when": time.strftime("%Y-%m-%d %H:%M:%S %z"), "clx_version": __version__, **values}


def copy_run(old: RunDir, new: RunDir) -> None:
    """Copy a run into an empty directory, without its manifest; large files are links."""
    listed = old.listed_files()
    for path in sorted(old.path.iterdir()):
        if path.name == MANIFEST:
            continue
        if path.name == ONNX and listed and not any(n.startswith(f"{ONNX}/") for n in listed):
            # An interrupted export left these files; the new manifest must not list them.
            continue
        target = new.path / path.name
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, target, symlinks=True, copy_function=_copy_file)
        else:
            _copy_file(str(path), str(target))


def _copy_file(source: str, target: str) -> str:
    """Copy a file, or link it if it is large; links stay links."""
    path = Path(source)
    if not path.is_symlink() and path.stat().st_size >= LINKED_BYTES:
        # Not every file system has hard links.
        with contextlib.suppress(OSError):
            os.link(source, target)
            return target
    return str(shutil.copy2(source, target, follow_symlinks=False))
