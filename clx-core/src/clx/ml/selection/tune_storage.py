"""The file of the studies of a run's tunings."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import MissingDependencyError, RunDirError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

PUBLISHING = "publishing"
"""The entry of a study whose best trial is being published: the number of that trial."""


def require_optuna() -> None:
    """Raise if Optuna is not installed.

    Raises:
        MissingDependencyError: Optuna is not installed.
    """
    try:
        import optuna  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"tune needs Optuna ({error}): pip install 'clx-core[optuna]'"
        ) from error


@contextlib.contextmanager
def opened_storage(path: Path) -> Iterator[RDBStorage]:
    """Open the file of studies, which is created if it does not exist.

    Raises:
        RunDirError: the file cannot be opened.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    try:
        # A URL could not express every path, such as one with a question mark.
        storage = optuna.storages.RDBStorage(
            "sqlite://",
            engine_kwargs={
                "creator": lambda: sqlite3.connect(path, timeout=60),
                "poolclass": NullPool,
            },
        )
        yield storage
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or error.__cause__ or error)
        raise RunDirError(
            f"The trials in {path} cannot be read or written ({reason}). Free space on the disk, or "
            f"move the file away to begin a new tuning."
        ) from error
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
        optuna.logging.set_verbosity(before)


def is_publishing(path: Path) -> bool:
    """Return whether a tuning was stopped while it published its best trial."""
    import optuna

    if not path.is_file():
        return False
    with opened_storage(path) as storage:
        studies = optuna.get_all_study_summaries(storage)
        return any(study.user_attrs.get(PUBLISHING) is not None for study in studies)


def end_publishing(path: Path) -> None:
    """Record that no trial is being published any more."""
    import optuna

    with opened_storage(path) as storage:
        for summary in optuna.get_all_study_summaries(storage):
            if summary.user_attrs.get(PUBLISHING) is not None:
                study = optuna.load_study(study_name=summary.study_name, storage=storage)
                study.set_user_attr(PUBLISHING, None)
