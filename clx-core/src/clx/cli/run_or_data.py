"""Tells a run from data, for a command that takes either."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from clx.errors import ConfigError
from clx.problems import did_you_mean


def names_data(word: str) -> bool:
    """Return whether a word names data; otherwise it names a run.

    Data is an address, a glob, a word with the suffix of a data file, or an existing folder that is no
    run. A run is an address ``hf://…``, the directory of a run, or the name of a run in the default
    folder.

    Raises:
        ConfigError: it names both, or neither.
    """
    from clx.ml.run_directory.finding import saved_runs
    from clx.settings import runs_dir

    run, data = _is_run(word), _is_data(word)
    if run and data:
        raise ConfigError(
            f"{word!r} is both a run and data: write {runs_dir() / word} for the run, or "
            f".{os.sep}{word} for the data"
        )
    if not run and not data:
        others = [path.name for path in saved_runs()]
        others += [path.name for path in Path.cwd().iterdir() if _has_suffix(path.name)]
        raise ConfigError(
            f"There is neither a run nor data called {word!r} (looked in {runs_dir()} and "
            f"{Path.cwd()}){did_you_mean(word, others)}. For a data set on the Hub, add --task"
        )
    return data


def _is_run(word: str) -> bool:
    from clx.ml.run_directory.finding import holds_run
    from clx.ml.run_directory.hub_address import is_address
    from clx.ml.run_directory.layout import RunDir
    from clx.settings import runs_dir

    if is_address(word):
        return True
    if _is_run_directory(word):
        return True
    return (
        os.sep not in word and word not in ("", ".", "..") and holds_run(RunDir(runs_dir() / word))
    )


def _is_run_directory(word: str) -> bool:
    from clx.ml.run_directory.finding import holds_run
    from clx.ml.run_directory.layout import CONFIG, RunDir

    path = Path(word).expanduser().absolute()
    place = path.parent if path.name == CONFIG else path
    return place.is_dir() and holds_run(RunDir(place))


def _is_data(word: str) -> bool:
    from clx.ml.data.tables.sources import is_source
    from clx.ml.run_directory.hub_address import is_address

    if is_address(word) or _is_run_directory(word):
        return False
    return is_source(word) or _has_suffix(word) or glob.has_magic(word)


def _has_suffix(word: str) -> bool:
    from clx.ml.data.tables.formats import known_format

    return known_format(word) is not None
