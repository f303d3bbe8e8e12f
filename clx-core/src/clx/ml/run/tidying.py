"""Runs on disk, by name or path, without their tasks: remove, move, and note about them."""

from __future__ import annotations

import os
from pathlib import Path

from clx.ml.run_directory.finding import find_any_run
from clx.ml.run_directory.moving import move_run as move
from clx.ml.run_directory.moving import place_for
from clx.ml.run_directory.notes import read_note, write_note
from clx.ml.run_directory.removal import remove_run as remove


def remove_run(run: str | os.PathLike[str]) -> list[Path]:
    """Remove a run, with its checkpoints and the trials of its tuning, as ``clx rm`` does.

    Nobody is asked. A damaged or unfinished run can be removed too. Of a symbolic link to a run, the
    link is removed.

    Args:
        run: the name of a run, or its directory.

    Returns:
        The files and folders that stay in the run directory, because clx did not write them.

    Raises:
        RunNotFoundError: there is no such run.
        RunBusyError: another process is writing into the run.
        RunDirError: the folder is not a run, is a download from the Hub, or cannot be removed.
    """
    return remove(find_any_run(run))


def move_run(run: str | os.PathLike[str], new: str | os.PathLike[str]) -> Path:
    """Rename a run, or move it to another folder, as ``clx mv`` does, and return its new directory.

    The trials of its tuning and its checkpoints move with it, and the name in the config, the report and
    the model card follows. If anything fails, the run stays where it was. A ``TrainingRun`` that was
    opened before has to be opened again.

    Args:
        run: the name of a run, or its directory.
        new: a new name in the same folder; or, with a slash, an existing folder for the run, or its new
            path.

    Raises:
        RunNotFoundError: there is no such run.
        RunExistsError: there is something at the target.
        RunBusyError: another process is writing into the run.
        ConfigError: the name is not valid, or there is no folder for the run.
        RunDirError: the run is damaged, a link, or a download from the Hub, or cannot be moved.
    """
    found = find_any_run(run)
    return move(found, place_for(found, os.fspath(new))).path


def note_run(run: str | os.PathLike[str], text: str | None = None) -> str:
    """Replace the note about a run, or only read it, as ``clx note`` does, and return the note.

    Args:
        run: the name of a run, or its directory.
        text: the new note; an empty text removes the note, and None leaves it.

    Raises:
        RunNotFoundError: there is no such run.
        RunBusyError: another process is writing into the run.
        ConfigError: the text is not valid Unicode.
        RunDirError: the folder is not a run, is a download from the Hub, or cannot be written.
    """
    found = find_any_run(run)
    if text is not None:
        write_note(found, text)
    return read_note(found)
