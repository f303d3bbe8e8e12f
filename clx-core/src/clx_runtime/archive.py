"""One file with everything that an exported run needs: ``model.clx.zip``.

The models are stored and not compressed, because weights hardly shrink. The manifest inside says the
size and the SHA-256 of every other file. Equal exports give equal archives.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clx_runtime.errors import RunDirError
from clx_runtime.exports import Export, export_of_student, report_of
from clx_runtime.files import MAX_JSON_BYTES, read_bytes
from clx_runtime.problems import cell, raise_problems
from clx_runtime.safe_export import MAX_TOKENIZER_BYTES, expansion_problems, model_problems
from clx_runtime.settings import FILES, MODEL_FILES, REPORT, SETTINGS, TOKENIZER, settings_of
from clx_runtime.static_files import STUDENT, STUDENT_FILES, WEIGHTS, student_of

SUFFIX = ".clx.zip"
MANIFEST = "manifest.json"
SCHEMA_VERSION = 1

_TIME = (1980, 1, 1, 0, 0, 0)
_LIMITS = {
    MANIFEST: MAX_JSON_BYTES,
    STUDENT: MAX_JSON_BYTES,
    SETTINGS: MAX_JSON_BYTES,
    REPORT: MAX_JSON_BYTES,
    TOKENIZER: MAX_TOKENIZER_BYTES,
}
_STORED = frozenset({*MODEL_FILES, WEIGHTS})
_NAMES = frozenset(_LIMITS) | _STORED


@dataclass(frozen=True)
class Origin:
    """The run that an archive was made from.

    Attributes:
        run: the name of the run.
        identity: the digest of its content.
        clx_version: the version that wrote the archive.
    """

    run: str
    identity: str
    clx_version: str


def write_archive(
    folder: Path,
    files: Iterable[str],
    origin: Origin,
    target: Path,
    check: Callable[[Path], object],
) -> None:
    """Write an archive; it appears when it is complete.

    Args:
        folder: the ``onnx/`` of a run, or the ``model/`` of a static student.
        files: the names of the files to include, of those that are there.
        origin: the run.
        target: the new file.
        check: opens the complete archive before it takes its place.
    """
    contents = {name: read_bytes(folder / name) for name in files if (folder / name).is_file()}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        **vars(origin),
        "files": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
    }
    new = target.with_name(f".{target.name}.new")
    try:
        with zipfile.ZipFile(new, "w") as archive:
            # The manifest comes first, so that whoever opens the archive reads it at once.
            text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
            for name, content in {MANIFEST: text.encode(), **contents}.items():
                entry = zipfile.ZipInfo(name, _TIME)
                is_model = name in _STORED
                entry.compress_type = zipfile.ZIP_STORED if is_model else zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        check(new)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its first bytes."""
    return path.is_file() and zipfile.is_zipfile(path)


def export_of_archive(path: Path) -> tuple[Export, Origin]:
    """Return the export or the static student in an archive, and the run that it was made from.

    Every file is compared with the manifest, and checked as the files of a run directory are. Nothing
    is unpacked to the disk.

    Raises:
        RunDirError: the archive is damaged or unsafe; the message lists all problems.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents, manifest = _contents(archive, path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise RunDirError(f"{path} cannot be read: {error}") from error
    origin = Origin(*(str(manifest.get(name, "")) for name in ("run", "identity", "clx_version")))
    if STUDENT in contents:
        return _student(contents, path), origin
    for name in (SETTINGS, TOKENIZER):
        if name not in contents:
            raise RunDirError(f"{path} has no {name}: write the archive again")
    weights = {
        backend: partial(_content, contents[name])
        for backend, name in FILES.items()
        if name in contents
    }
    if not weights:
        raise RunDirError(f"{path} has none of {', '.join(MODEL_FILES)}: write it again")
    tokenizer = _text(contents[TOKENIZER], path)
    problems = expansion_problems(_object(tokenizer, f"{path}: {TOKENIZER}"), TOKENIZER)
    for name in MODEL_FILES:
        if name in contents:
            problems += model_problems(contents[name], name)
    raise_problems(RunDirError, f"{path} is not loaded:", problems, "Take a copy that you trust.")
    export = Export(
        str(path),
        settings_of(contents[SETTINGS], f"{path}: {SETTINGS}"),
        tokenizer,
        report_of(contents.get(REPORT, b"{}"), f"{path}: {REPORT}"),
        weights,
    )
    return export, origin


def _student(contents: Mapping[str, bytes], path: Path) -> Export:
    """Return the static student in an archive."""
    if set(contents) != set(STUDENT_FILES):
        raise RunDirError(f"{path} lacks the files of a static student: write the archive again")
    student, tokenizer = (_text(contents[name], path) for name in (STUDENT, TOKENIZER))
    return export_of_student(student_of(student, tokenizer, contents[WEIGHTS], str(path)))


def _contents(archive: zipfile.ZipFile, path: Path) -> tuple[dict[str, bytes], Mapping[str, Any]]:
    """Return the files of an archive and its manifest, after comparing them."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    known = [name in _NAMES for name in entries]
    if not all(known) or len(entries) != len(archive.infolist()) or MANIFEST not in entries:
        raise RunDirError(f"{path} is not an archive of clx export: it has {cell(list(entries))}")
    manifest = _object(
        _text(_read(archive, entries[MANIFEST], _LIMITS[MANIFEST], path), path), str(path)
    )
    version = manifest.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise RunDirError(f"A newer clx wrote {path}: pip install --upgrade clx-runtime")
    listed = manifest.get("files")
    contents, problems = {}, []
    for name in [name for name in entries if name != MANIFEST]:
        expected = listed.get(name) if isinstance(listed, dict) else None
        # A model is stored as it is, so the archive's own size limits it.
        limit = _LIMITS.get(name, path.stat().st_size)
        content = _read(archive, entries[name], limit, path)
        digest = hashlib.sha256(content).hexdigest()
        if not isinstance(expected, dict) or expected.get("sha256") != digest:
            problems.append(f"{name} does not match the manifest")
        contents[name] = content
    missing = set(listed if isinstance(listed, dict) else ()) - set(contents)
    problems += [f"{name} is missing" for name in sorted(missing)]
    raise_problems(RunDirError, f"{path} is damaged:", problems, "Take another copy.")
    return contents, manifest


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int, path: Path) -> bytes:
    if entry.file_size > limit:
        raise RunDirError(
            f"{path} is not loaded: {entry.filename} has {entry.file_size} bytes, more than the limit "
            f"of {limit}"
        )
    with archive.open(entry) as file:
        # The size in the header may be wrong.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise RunDirError(f"{path} is not loaded: {entry.filename} is larger than its header says")
    return content


def _content(content: bytes) -> bytes:
    return content


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RunDirError(f"{path} cannot be read: {error}") from error


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise RunDirError(f"{where} is not valid JSON: it is nested too deeply") from error
    except ValueError as error:
        raise RunDirError(f"{where} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise RunDirError(f"{where} is not a JSON object, but {cell(value)}")
    return value
