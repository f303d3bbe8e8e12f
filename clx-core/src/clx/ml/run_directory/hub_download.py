"""A run on the Hub as a local run directory: only what its manifest lists, checked before it is used.

``LOCAL_DATA_DIR/hub/<owner>/<name>/`` has a folder per commit, with the run directory ``<name>`` and
``downloaded.json``, and in ``refs/`` the last known commit of each branch and tag.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from clx.errors import ClxWarning, HubError, RunDirError, RunNotFoundError
from clx.ml.run_directory.downloaded import RECORD
from clx.ml.run_directory.files import write_json, writing
from clx.ml.run_directory.hub_address import BESIDE, FOLDER, HubAddress, repository_path
from clx.ml.run_directory.hub_requests import (
    TIMEOUT_S,
    first_answer,
    hub_errors,
    is_missing,
    is_offline,
)
from clx.ml.run_directory.layout import (
    CONFIG,
    ENVIRONMENT,
    IN_MANIFEST,
    LOGS,
    MANIFEST,
    METRICS_LOG,
    MODEL,
    RESULTS,
    RunDir,
)
from clx.problems import cell, raise_problems
from clx_runtime.callers import user_level
from clx_runtime.files import MAX_JSON_BYTES, file_sha256, read_json, read_json_or_empty
from clx_runtime.safe_files import MAX_FILES

TAKEN_BESIDE = (ENVIRONMENT, f"{LOGS}/{METRICS_LOG}")
"""The files besides the manifest's that are taken from a shared run."""

LINKED_FROM = 2**20
"""The size in bytes from which a file shares its disk space with the Hub's cache."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\:]")


@dataclass(frozen=True)
class _Known:
    """A commit, and the sizes of the files in it; None if only the cache was asked."""

    commit: str
    sizes: dict[str, int | None] | None


def downloaded_run(address: HubAddress) -> Path:
    """Return the run directory of a run on the Hub, downloading what is not on this machine yet.

    Raises:
        RunNotFoundError: there is no such repository or revision, or no run in it.
        RunDirError: the shared files do not fit the manifest, or the local copy was changed.
        HubError: the Hub cannot be reached within seconds, or refuses; the run is not on this
            machine.
        DiskFullError: the disk is full.
    """
    local = _local_copy(address, address.commit)
    if local is not None:
        return local
    known = _known(address)
    local = _local_copy(address, known.commit)
    if local is None:
        local = _download(address, known)
    if address.commit is None:
        _remember(address, known.commit)
    return local


def _local_copy(address: HubAddress, commit: str | None) -> Path | None:
    """Return the run directory of a commit if it is here.

    Raises:
        RunDirError: another run took its place.
    """
    if commit is None:
        return None
    folder = address.folder / commit
    run = RunDir(folder / folder.parent.name)
    if not (folder / RECORD).is_file() or not run.path.exists():
        return None
    if run.is_complete() and read_json(folder / RECORD).get("identity") == run.identity():
        return run.path
    raise RunDirError(
        f"The copy of {address} in {run.path} was changed after its download. To use the "
        f"changed run, open it by that path. To get the shared run again, move or remove that folder."
    )


def _known(address: HubAddress) -> _Known:
    """Return the commit of a revision: from the Hub, or from an earlier download if it is away."""
    from huggingface_hub import HfApi

    what = f"{address} cannot be opened"
    reference = _reference(address)
    last = read_json_or_empty(reference).get("commit") if reference.is_file() else None
    if is_offline():
        if isinstance(last, str):
            return _Known(last, None)
        raise HubError(
            f"{what}: it is not on this machine, and HF_HUB_OFFLINE is set, so the Hub is not asked. "
            f"Unset it and try again."
        )
    api = HfApi()
    try:
        with hub_errors(what, address.repo):
            info = first_answer(
                lambda: api.model_info(
                    address.repo, revision=address.revision, files_metadata=True, timeout=TIMEOUT_S
                )
            )
    except HubError as error:
        if not isinstance(last, str) or _local_copy(address, last) is None:
            raise
        warnings.warn(
            f"{error} The run of the last download is used.", ClxWarning, stacklevel=user_level()
        )
        return _Known(last, None)
    files = info.siblings or []
    return _Known(str(info.sha), {file.rfilename: file.size for file in files})


def _download(address: HubAddress, known: _Known) -> Path:
    target = address.folder / known.commit / address.folder.name
    sizes = known.sizes or {}
    manifest_path = f"{FOLDER}/{MANIFEST}"
    if known.sizes is None:
        raise HubError(
            f"{address} cannot be opened: its commit {known.commit} is not on this machine any more. "
            f"Unset HF_HUB_OFFLINE and try again."
        )
    if manifest_path not in sizes:
        raise RunNotFoundError(
            f"{address} holds no clx run: there is no {manifest_path} in the repository"
        )
    if (sizes[manifest_path] or 0) > MAX_JSON_BYTES:
        raise RunDirError(f"{address} cannot be opened: its {manifest_path} is too large")
    with writing(address.folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        manifest = read_json(_fetched(address, known.commit, manifest_path))
        listed = listed_in(manifest, str(address), sizes)
        workplace = Path(tempfile.mkdtemp(prefix=".download-", dir=target.parent))
        try:
            new = RunDir(workplace / target.name)
            _assemble(new, address, known.commit, listed)
            files = {name: listed[name] for name in listed if name not in TAKEN_BESIDE}
            write_json(new.path / MANIFEST, {"files": files})
            record = {"repository": address.repo, "commit": known.commit}
            write_json(target.parent / RECORD, {**record, "identity": new.identity()})
            _put(new.path, target)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)
    return target


def _put(new: Path, target: Path) -> None:
    try:
        new.rename(target)
    except OSError:
        # Another process may have been faster; both have the same content.
        if not target.is_dir():
            raise


def listed_in(
    manifest: dict[str, Any], where: str, sizes: dict[str, int | None]
) -> dict[str, dict[str, Any]]:
    """Return the entries of a shared manifest after checking them. Nothing is downloaded before.

    Args:
        manifest: the content of ``clx/manifest.json``.
        where: the address, for messages.
        sizes: the files of the repository with their sizes.

    Raises:
        RunDirError: entries lead out of the directory, are not in the repository, or have other
            sizes.
    """
    files, beside = manifest.get("files"), manifest.get(BESIDE) or {}
    if not isinstance(files, dict) or not isinstance(beside, dict):
        raise RunDirError(f"{where} cannot be opened: its manifest has no list of files")
    listed = {**files, **{name: beside[name] for name in TAKEN_BESIDE if name in beside}}
    problems = [f"the manifest lists {len(listed)} files"] if len(listed) > MAX_FILES else []
    if CONFIG not in listed or not any(name.startswith(f"{MODEL}/") for name in listed):
        problems.append("the manifest lists no config or no model")
    problems += [
        f"{cell(name)} {problem}"
        for name, entry in (listed.items() if not problems else ())
        if (problem := _entry_problem(name, entry, sizes))
    ]
    raise_problems(RunDirError, f"{where} cannot be opened:", problems)
    return listed


def _entry_problem(name: str, entry: Any, sizes: dict[str, int | None]) -> str | None:
    parts = name.split("/")
    allowed = name in TAKEN_BESIDE or parts[0] in IN_MANIFEST
    plain = all(part not in ("", ".", "..") for part in parts) and not _FORBIDDEN.search(name)
    is_file = parts[0] in (CONFIG, RESULTS, ENVIRONMENT)
    if (
        not allowed
        or not plain
        or is_file != (len(parts) == 1)
        or PurePosixPath(name).is_absolute()
    ):
        return "is not the name of a file of a run"
    size = entry.get("size") if isinstance(entry, dict) else None
    checksum = entry.get("sha256") if isinstance(entry, dict) else None
    if not isinstance(size, int) or size < 0 or not isinstance(checksum, str):
        return "has no size and SHA-256"
    if not _SHA256.fullmatch(checksum):
        return "has no valid SHA-256"
    if is_file and size > MAX_JSON_BYTES:
        return f"has {size} bytes, which is too large"
    path = repository_path(name)
    if path not in sizes:
        return f"is missing in the repository ({path})"
    found = sizes[path]
    if found is not None and found != size:
        return f"has {found} bytes in the repository instead of {size}"
    return None


def _assemble(
    new: RunDir, address: HubAddress, commit: str, listed: dict[str, dict[str, Any]]
) -> None:
    """Download the listed files, and compare each with its size and SHA-256."""
    problems = []
    for name, entry in listed.items():
        source = _fetched(address, commit, repository_path(name))
        if source.stat().st_size != entry["size"] or file_sha256(source) != entry["sha256"]:
            problems.append(f"{name} differs from what the manifest says")
            continue
        target = new.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, target)
    raise_problems(RunDirError, f"{address} is damaged and cannot be opened:", problems)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or link a large one: clx replaces files, and never changes them in place."""
    if source.stat().st_size >= LINKED_FROM:
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def _fetched(address: HubAddress, commit: str, path: str) -> Path:
    """Return a file of the repository from the Hub's cache, downloading it if necessary."""
    from huggingface_hub import hf_hub_download

    with hub_errors(f"{address} cannot be downloaded", address.repo):
        try:
            found = hf_hub_download(address.repo, path, revision=commit)
        except Exception as error:
            if not is_missing(error):
                raise
            raise RunDirError(f"{address} is incomplete: {path} is missing") from error
        return Path(found).resolve(strict=True)


def _reference(address: HubAddress) -> Path:
    return address.folder / "refs" / f"{quote(address.revision, safe='')}.json"


def _remember(address: HubAddress, commit: str) -> None:
    """Record the commit of a branch or tag, for the time when the Hub cannot be reached."""
    path = _reference(address)
    if read_json_or_empty(path).get("commit") != commit:
        with writing(address.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"commit": commit})
