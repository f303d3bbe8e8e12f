"""Remove a run, and everything beside it that belongs to it; the user's own files stay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from clx.errors import RunDirError
from clx.ml.run_directory.downloaded import origin_on_hub
from clx.ml.run_directory.layout import CONFIG, MANIFEST, NOTE, OUR_NAMES, RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.staging import remove

_JOURNALS = ("", "-journal", "-wal", "-shm")
"""SQLite's suffixes for extra files; a later file of the name would read a journal that stays."""


def remove_run(run: RunDir) -> list[Path]:
    """Remove a run, and what lies beside it: leftovers, and the trials of a tuning.

    A symbolic link to a run is removed, and the run stays. Files in the run directory that clx did not
    write stay too, with the directory.

    Returns:
        The files and folders that stay in the run directory.

    Raises:
        RunBusyError: another process is writing into the run.
        RunDirError: the run cannot be removed, or is a download from the Hub.
    """
    address = origin_on_hub(run)
    if address is not None:
        raise RunDirError(
            f"{run.path} is the download of {address}, which clx keeps in its cache: to free the space, "
            f"delete the folder {run.path.parent}"
        )
    with only_writer(run, exists=True), _failure_named(run):
        if run.path.is_symlink():
            run.path.unlink()
            kept = []
        else:
            # These go first: a complete copy of the run would take its place again.
            for left in (run.staging, run.previous, run.unchecked, run.rejected, run.trial):
                remove(left)
            kept = _remove_own(run.path)
        remove_study(run)
        # Removed while held: a process that acquires a removed file's lock notices and retries.
        run.lock.unlink(missing_ok=True)
    return kept


def study_files(run: RunDir) -> list[Path]:
    """Return the files of the trials of a tuning, with those that SQLite keeps beside them."""
    named = [run.study.with_name(run.study.name + journal) for journal in _JOURNALS]
    return [path for path in named if path.is_file()]


def remove_study(run: RunDir) -> None:
    """Remove the trials of a tuning, if there are any."""
    for path in study_files(run):
        path.unlink()


def _remove_own(folder: Path) -> list[Path]:
    """Remove what clx wrote into a run directory, and return what stays."""
    if not folder.exists():
        return []
    ours = OUR_NAMES | {NOTE}
    # Without a manifest, half a run does not look complete. With its config, it can be removed again.
    order = [MANIFEST, *sorted(ours - {MANIFEST, CONFIG}), CONFIG]
    for name in order:
        remove(folder / name)
    kept = sorted(folder.iterdir())
    if not kept:
        folder.rmdir()
    return kept


@contextlib.contextmanager
def _failure_named(run: RunDir) -> Iterator[None]:
    try:
        yield
    except RunDirError:
        raise
    except OSError as error:
        raise RunDirError(
            f"{run.path} cannot be removed: {error.strerror or error}. Part of it may be gone; remove "
            f"it again when its folder can be written"
        ) from error
