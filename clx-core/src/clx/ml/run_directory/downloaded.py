"""Runs from the Hub on this machine: they stay as they were shared, and are found by a record."""

from __future__ import annotations

import shlex
from pathlib import Path

from clx.errors import RunDirError
from clx.ml.run_directory.layout import RunDir
from clx.settings import runs_dir
from clx_runtime.files import read_json_or_empty

RECORD = "downloaded.json"
"""The file beside a downloaded run that says where it is from."""


def origin_on_hub(run: RunDir) -> str | None:
    """Return the address that a run was downloaded from, None for any other run."""
    record = read_json_or_empty(run.path.parent / RECORD)
    repository, commit = record.get("repository"), record.get("commit")
    if not isinstance(repository, str) or not isinstance(commit, str):
        return None
    return f"hf://{repository}@{commit}"


def refuse_downloaded(run: RunDir) -> None:
    """Refuse to change a downloaded run: its address would not open the shared run any more.

    An export may be added to it, because it does not change the run.

    Raises:
        RunDirError: the run was downloaded; the message says how to make a copy to change.
    """
    address = origin_on_hub(run)
    if address is None:
        return
    own = _free_place(run.path.name)
    source, target = str(run.path), str(own)
    raise RunDirError(
        f"The run in {run.path} cannot be changed, because it is the download of {address}. Copy it, "
        f"and change the copy:\n"
        f"    shutil.copytree({source!r}, {target!r})\n"
        f"or, in a shell:\n"
        f"    mkdir -p {shlex.quote(str(own.parent))} && "
        f"cp -r {shlex.quote(source)} {shlex.quote(target)}\n"
        f"Then open the copy with load={own.name!r}."
    )


def parent_for_next(run: RunDir) -> Path:
    """Return the folder for a new run that continues a run: its own, but not that of a download."""
    return run.path.parent if origin_on_hub(run) is None else runs_dir()


def _free_place(name: str) -> Path:
    place, number = runs_dir() / name, 1
    while place.exists():
        number += 1
        place = runs_dir() / f"{name}-{number}"
    return place
