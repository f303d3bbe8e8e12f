"""Give a run another name, or move it to another folder: all of it, or nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from clx.errors import ConfigError, RunDirError, RunExistsError
from clx.ml.report.markup import escape
from clx.ml.run_directory.config import SCHEMA_VERSION, run_name_problems
from clx.ml.run_directory.copying import copy_run, replace_text
from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.files import json_text, writing
from clx.ml.run_directory.finding import holds_run
from clx.ml.run_directory.identities import with_identities
from clx.ml.run_directory.layout import CARD, CONFIG, REPORT, RESULTS, RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.removal import study_files
from clx.ml.run_directory.staging import recover, remove, staged
from clx.problems import raise_problems


def place_for(run: RunDir, new: str) -> Path:
    """Return where a run is to be moved.

    Args:
        run: the run.
        new: a new name in the same folder; or, with a slash, an existing folder for the run, or the
            new path of the run.

    Raises:
        ConfigError: a name is also a folder here, so it is not clear what is meant.
    """
    path = Path(os.path.abspath(Path(new).expanduser()))  # noqa: PTH100 (keeps links, drops ..)
    if os.sep in new or new in (".", ".."):
        into = (path.is_dir() and not holds_run(RunDir(path))) or new.endswith(os.sep)
        return path / run.path.name if into else path
    raise_problems(ConfigError, "The run cannot be moved:", run_name_problems(new))
    target = run.path.parent / new
    if path != target and path.is_dir():
        raise ConfigError(
            f"{new!r} can be a new name or the folder {path}: write ./{new}/ to move the run into the "
            f"folder, or {target} to rename it"
        )
    return target


def move_run(run: RunDir, target: Path) -> RunDir:
    """Move a run, with the trials of its tuning, and give it the name of the target.

    The name in the config, in the report and in the model card follows. If anything fails, the run
    stays where it was.

    Raises:
        ConfigError: the name is not valid, or there is no folder for the run.
        RunExistsError: there is something at the target.
        RunBusyError: another process is writing into the run.
        RunDirError: the run is damaged, a link, or a download from the Hub, or cannot be moved.
    """
    new = RunDir(target)
    _refuse(run, new)
    with only_writer(run, exists=True), only_writer(new, exists=True):
        try:
            _refuse_taken(new)
            with writing(new.path):
                recover(run)
                _move_all(run, new)
        finally:
            # Removed while held: a process that acquires a removed file's lock notices and retries.
            for place in (run, new):
                place.lock.unlink(missing_ok=True)
    return new


def _move_all(run: RunDir, new: RunDir) -> None:
    if _is_renamed(run, new):
        _write_renamed(run, new)
    else:
        _move(run.path, new.path)
    if run.rejected.exists():
        _move(run.rejected, new.rejected)
    for path in study_files(run):
        journal = path.name.removeprefix(run.study.name)
        _move(path, new.study.with_name(new.study.name + journal))
    remove(run.path)


def _refuse(run: RunDir, new: RunDir) -> None:
    refuse_downloaded(run)
    if run.path.is_symlink():
        raise RunDirError(f"{run.path} is a link to {run.path.resolve()}: move that directory")
    raise_problems(ConfigError, "The run cannot be moved:", run_name_problems(new.path.name))
    if not new.path.parent.is_dir():
        raise ConfigError(f"There is no folder {new.path.parent}: create it, or choose another one")
    if run.path in new.path.parents:
        raise ConfigError(f"{run.path} cannot be moved into itself")
    _refuse_taken(new)


def _refuse_taken(new: RunDir) -> None:
    for path in (new.path, new.study, new.staging, new.previous):
        if os.path.lexists(path):
            raise RunExistsError(f"{path} exists: choose another name, or remove it first")


def _is_renamed(run: RunDir, new: RunDir) -> bool:
    """Return whether files of the run must change, because it is complete and gets another name."""
    if not run.is_complete():
        return False
    if new.path.name == run.path.name:
        # A run that is only moved may even be damaged.
        with contextlib.suppress(RunDirError):
            return run.read_config().get("run_name") != new.path.name
        return False
    return True


def _write_renamed(run: RunDir, new: RunDir) -> None:
    # A new manifest would hide that a file changed on the disk.
    run.check(hashes=True)
    name, config = new.path.name, run.read_config()
    old = str(config.get("run_name") or run.path.name)
    with staged(new) as copy:
        copy_run(run, copy)
        changed = {**config, "schema_version": SCHEMA_VERSION, "run_name": name}
        replace_text(copy.path / CONFIG, json_text(changed))
        results = with_identities(run.read_results(), run)
        replace_text(copy.path / RESULTS, json_text(results))
        for path, pairs in _titles(copy, {old, run.path.name}, name):
            text = path.read_text(encoding="utf-8")
            for before, after in pairs:
                text = text.replace(before, after, 1)
            replace_text(path, text)


def _titles(copy: RunDir, olds: set[str], new: str) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """Yield the files whose title is the name of the run, with what to replace in each."""
    page, card = copy.path / REPORT, copy.model / CARD
    if page.is_file():
        forms = ("<title>{}</title>", '<h1 dir="auto">{}</h1>')
        yield page, [(f.format(escape(o)), f.format(escape(new))) for o in olds for f in forms]
    if card.is_file():
        named = 'model-index: [{{"name": {}'
        texts = [(f"\n# {old}\n", f"\n# {new}\n") for old in olds]
        yield (
            card,
            [*texts, *((named.format(json.dumps(o)), named.format(json.dumps(new))) for o in olds)],
        )


def _move(old: Path, new: Path) -> None:
    """Rename a file or folder, or copy it to another file system; it appears when it is complete."""
    try:
        old.rename(new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copied = new.with_name(f".{new.name.lstrip('.')}.unchecked")
        remove(copied)
        if old.is_dir():
            shutil.copytree(old, copied, symlinks=True)
        else:
            shutil.copy2(old, copied)
        copied.rename(new)
        remove(old)
