"""The location of a run on the Hub: its address, and the path of each file in the repository.

The files of ``model/`` lie at the root, where transformers looks for them, and the others in ``clx/``,
because both the run and the model have a ``config.json``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ConfigError
from clx.ml.run_directory.layout import MODEL
from clx.problems import cell
from clx.settings import local_data_dir

FOLDER = "clx"
"""The folder of a repository for the files of a run that are not the model's."""

BESIDE = "beside"
"""The key of a shared manifest for files that may change later, such as a log. ``files`` may not."""

_ADDRESS = re.compile(r"hf:/{1,2}(?P<repo>[^@]*)(@(?P<revision>.*))?", re.DOTALL)
_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9_][\w./+-]{0,199}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubAddress:
    """``hf://owner/name@revision``.

    Attributes:
        repo: the repository, ``owner/name``.
        revision: a branch, a tag, or a commit.
    """

    repo: str
    revision: str = "main"

    def __str__(self) -> str:
        suffix = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf://{self.repo}{suffix}"

    @property
    def commit(self) -> str | None:
        """The revision if it is the full hash of a commit, else None."""
        return self.revision if _COMMIT.fullmatch(self.revision) else None

    @property
    def folder(self) -> Path:
        """The local folder for all downloaded commits of the repository."""
        return local_data_dir() / "hub" / self.repo


def is_address(load: Any) -> bool:
    """Return whether a value is meant as the address of a run on the Hub."""
    # A Path drops the second slash.
    return isinstance(load, str | os.PathLike) and os.fspath(load).startswith("hf:/")


def hub_address(load: str | os.PathLike[str]) -> HubAddress:
    """Return the parsed address.

    Raises:
        ConfigError: it does not have the form ``hf://owner/name`` or ``hf://owner/name@revision``.
    """
    match = _ADDRESS.fullmatch(os.fspath(load))
    if match is None:
        raise ConfigError(f"{cell(load)} is not an address of the Hub")
    check_repository(match["repo"])
    if match["revision"] is None:
        return HubAddress(match["repo"])
    check_revision(match["revision"])
    return HubAddress(match["repo"], match["revision"])


def check_repository(repo: Any) -> None:
    """Raise a :class:`ConfigError` unless ``repo`` has the form ``owner/name``."""
    if not isinstance(repo, str) or not _REPOSITORY.fullmatch(repo) or ".." in repo:
        raise ConfigError(
            f"A repository of the Hub is written owner/name, such as 'me/my-run', not {cell(repo)}"
        )


def check_revision(revision: Any) -> None:
    """Raise a :class:`ConfigError` unless ``revision`` can be a branch, a tag, or a commit."""
    if not isinstance(revision, str) or not _REVISION.fullmatch(revision) or ".." in revision:
        raise ConfigError(f"A revision is a branch, a tag or a commit, not {cell(revision)}")


def repository_path(name: str) -> str:
    """Return the path in a repository of a file of a run directory, such as ``model/config.json``."""
    top, _, rest = name.partition("/")
    return rest if top == MODEL else f"{FOLDER}/{name}"
