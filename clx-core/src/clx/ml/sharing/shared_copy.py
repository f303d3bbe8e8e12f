"""A copy of a run directory for others: without texts, paths and secrets, and with its own manifest."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clx.errors import ConfigError, RunDirError
from clx.ml.results.pages import run_report
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.hub_address import BESIDE
from clx.ml.run_directory.hub_download import TAKEN_BESIDE
from clx.ml.run_directory.layout import (
    ADAPTER,
    CARD,
    CONFIG,
    ENVIRONMENT,
    LEARNED_HASHES,
    LOGS,
    MANIFEST,
    METRICS_LOG,
    MODEL,
    PARTS,
    REPORT,
    RESULTS,
    RunDir,
)
from clx.ml.sharing.card import DIGEST
from clx.ml.sharing.cleaning import clean_config, clean_library_file, clean_values
from clx.ml.sharing.entries import for_others
from clx.ml.sharing.schema import Sieve
from clx.ml.sharing.texts import log_without_texts, read_log
from clx.problems import raise_problems
from clx_runtime.cascade import FAST
from clx_runtime.files import file_sha256, read_json, read_json_or_empty

OF_ENVIRONMENT = (
    "python",
    "platform",
    "processor",
    "threads",
    "cuda",
    "device",
    "seed",
    "versions",
)
"""The entries of ``environment.json`` that are shared."""

NO_WEIGHTS = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack")
"""Files of a model folder that clx never reads, because they may be pickles."""

_OF_MODELS = ("config.json", "tokenizer_config.json", "generation_config.json")
CLEANED = {
    MODEL: _OF_MODELS,
    FAST: _OF_MODELS,
    ADAPTER: ("adapter_config.json",),
}
"""Files in a run that other libraries write and that may contain paths."""

LEFT_AFTER_S = 24 * 3600
"""The age in seconds from which a copy is a leftover of a killed call."""

_SEARCHED_BYTES = 2**24


@dataclass(frozen=True)
class SharedCopy:
    """What will be uploaded.

    Attributes:
        directory: the copy, a complete run directory; its model card and its report are beside the
            manifest's files.
        left_out: what was left out or changed, as ``file: what``.
    """

    directory: RunDir
    left_out: list[str] = field(default_factory=list)

    def note(self, file: str, what: list[str]) -> None:
        """Record what was left out of a file."""
        self.left_out.extend(f"{file}: {each}" for each in what)


def shared_copy(
    source: RunDir,
    folder: Path,
    include_texts: bool,
    card: Callable[[dict[str, Any], dict[str, Any]], tuple[str, str]],
) -> SharedCopy:
    """Write a copy of a run for others into a new folder.

    Args:
        source: the run, which does not change.
        folder: where to write the copy; it gets the name of the run.
        include_texts: whether results and report keep the texts of the data.
        card: returns the model card for the copy's config and results, and its digest for the
            manifest.

    Raises:
        RunDirError: the run is damaged, or was replaced meanwhile.
        ConfigError: a file that the run needs has a path or a token in it.
    """
    before = source.manifest()
    source.check(hashes=True)
    copy = SharedCopy(RunDir(folder / source.path.name))
    copy.directory.path.mkdir(parents=True)
    config = _write_config(source, copy)
    results = _write_results(source, copy, include_texts, config)
    _write_log(source, copy)
    environment = read_json_or_empty(source.path / ENVIRONMENT)
    kept = {key: environment[key] for key in OF_ENVIRONMENT if key in environment}
    write_json(copy.directory.path / ENVIRONMENT, clean_values(kept)[0])
    for name in _files(source):
        _copy_file(source, copy, name)
    _note_the_rest(source, copy)
    if source.manifest() != before:
        raise RunDirError(
            f"The run in {source.path} was replaced meanwhile: open and share it again"
        )
    text, digest = card(config, results)
    (copy.directory.model / CARD).write_text(text, encoding="utf-8")
    _write_manifest(copy.directory, digest)
    page = run_report(copy.directory, name=source.path.name)
    (copy.directory.path / REPORT).write_text(page, encoding="utf-8")
    _refuse_traces(source, copy.directory)
    return copy


def uploaded_files(copy: SharedCopy) -> list[str]:
    """Return the names of the copy's files, sorted."""
    root = copy.directory.path
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def _write_config(source: RunDir, copy: SharedCopy) -> dict[str, Any]:
    # The file itself, not a migrated one: the copy has the schema of the run.
    config, found = clean_config(read_json(source.path / CONFIG))
    write_json(copy.directory.path / CONFIG, config)
    copy.note(CONFIG, [f"the path or secret in {key!r}" for key in found])
    return config


def _write_results(
    source: RunDir, copy: SharedCopy, include_texts: bool, config: dict[str, Any]
) -> dict[str, Any]:
    names = config.get("label_names")
    labels = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    sieve = Sieve(labels, include_texts)
    results = for_others(source.read_results(), sieve)
    copy.note(RESULTS, sieve.texts)
    if sieve.texts:
        copy.note(REPORT, ["the same texts, and the sections of plugins"])
    copy.note(RESULTS, sieve.private)
    if (source.path / RESULTS).is_file():
        write_json(copy.directory.path / RESULTS, results)
    return results


def _write_log(source: RunDir, copy: SharedCopy) -> None:
    log = log_without_texts(read_log(source.path / LOGS / METRICS_LOG))
    if log:
        (copy.directory.path / LOGS).mkdir()
        (copy.directory.path / LOGS / METRICS_LOG).write_text(log, encoding="utf-8")


def _files(source: RunDir) -> Iterator[str]:
    """Yield the names of the files to copy from the folders that make up the run."""
    listed = source.listed_files()
    for top in PARTS:
        folder = source.path / top
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = path.relative_to(source.path).as_posix()
            # A run of schema 0 has no manifest.
            if path.is_file() and (name in listed or not listed):
                yield name


def _copy_file(source: RunDir, copy: SharedCopy, name: str) -> None:
    path, target = source.path / name, copy.directory.path / name
    part = name.partition("/")[0]
    if name == f"{MODEL}/{CARD}":
        return
    if path.name == LEARNED_HASHES:
        copy.note(name, ["the hashes of the texts that the student has learned from"])
        return
    if part in CLEANED and path.suffix in NO_WEIGHTS:
        copy.note(name, ["a file that may be a pickle"])
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.name in CLEANED.get(part, ()):
        clean = clean_config if name == f"{FAST}/{CONFIG}" else clean_library_file
        values, found = clean(read_json(path))
        write_json(target, values)
        copy.note(name, [f"the path or secret in {key!r}" for key in found])
        return
    try:
        # The copy is read and removed, and never changed.
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)


def _note_the_rest(source: RunDir, copy: SharedCopy) -> None:
    """Record the files of the run directory that are not shared."""
    root, there = source.path, copy.directory.path
    written_anew = {MANIFEST, REPORT, RESULTS, CONFIG, ENVIRONMENT, f"{MODEL}/{CARD}"}
    noted = {entry.partition(": ")[0] for entry in copy.left_out}
    for path in sorted(root.iterdir()):
        if path.name in (*PARTS, LOGS):
            inner = (each for each in sorted(path.rglob("*")) if each.is_file())
            names = [each.relative_to(root).as_posix() for each in inner]
        else:
            names = [path.name]
        for name in names:
            known = name in written_anew or name in noted or name == f"{LOGS}/{METRICS_LOG}"
            if not known and not (there / name).exists():
                copy.left_out.append(f"{name}: not a file that another machine needs")


def _write_manifest(directory: RunDir, card: str) -> None:
    """List the files that must not change, and those that may: the card can be edited on the Hub."""
    files: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    for path in sorted(directory.path.rglob("*")):
        name = path.relative_to(directory.path).as_posix()
        if not path.is_file() or name == f"{MODEL}/{CARD}":
            continue
        entry = {"size": path.stat().st_size, "sha256": file_sha256(path)}
        (beside if name in TAKEN_BESIDE else files)[name] = entry
    write_json(directory.path / MANIFEST, {"files": files, BESIDE: beside, DIGEST: card})


def _refuse_traces(source: RunDir, directory: RunDir) -> None:
    """Refuse to share a file that still holds a folder of this machine, or the token.

    Raises:
        ConfigError: there is one.
    """
    from huggingface_hub import get_token

    found = [str(source.path.parent).encode() + b"/", str(Path.home()).encode() + b"/"]
    traces = {each: "the path of a folder of this machine" for each in found if len(each) > 2}
    token = get_token()
    if token:
        traces[token.encode()] = "the token for the Hub"
    problems = []
    for path in sorted(directory.path.rglob("*")):
        for trace in _found_in(path, traces) if path.is_file() else ():
            name = path.relative_to(directory.path).as_posix()
            problems.append(f"{name} holds {traces[trace]}")
    raise_problems(
        ConfigError,
        "The run is not shared, because of what is in its files:",
        problems,
        "Remove it from what the task saves, and train or export again.",
    )


def _found_in(path: Path, traces: Collection[bytes]) -> list[bytes]:
    """Return the traces in a file; for weights, search only the header, as the rest is numbers."""
    found: set[bytes] = set()
    overlap = max(map(len, traces), default=0)
    with path.open("rb") as file:
        end = b""
        while chunk := file.read(_SEARCHED_BYTES):
            found |= {trace for trace in traces if trace in end + chunk}
            if path.suffix == ".safetensors":
                break
            end = chunk[-overlap:]
    return sorted(found)


@contextlib.contextmanager
def workplace(source: RunDir) -> Iterator[Path]:
    """Yield a new folder for a copy, beside the run, where large files take no extra space."""
    prefix = f".{source.path.name}.shared-"
    for left in source.path.parent.glob(f"{glob.escape(prefix)}*"):
        # Remove leftovers of killed calls, but not the copy of a concurrent call.
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_AFTER_S:
                shutil.rmtree(left)
    try:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=source.path.parent))
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="clx-shared-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
