"""Open an exported run: a run directory, or the archive that ``clx export --to`` wrote."""

from __future__ import annotations

import os
from pathlib import Path

from clx_runtime.cascade import CASCADE
from clx_runtime.errors import ConfigError, ExportError, RunDirError, RunNotFoundError
from clx_runtime.exports import Export
from clx_runtime.label_set import LabelSet
from clx_runtime.model import Identity, Model
from clx_runtime.one_label import OneLabel
from clx_runtime.problems import cell, did_you_mean, names
from clx_runtime.read import LoadedModel
from clx_runtime.rules import rule_of
from clx_runtime.run_folder import export_of_run
from clx_runtime.settings import FILES, Settings
from clx_runtime.static_files import STATIC
from clx_runtime.static_model import StaticModel

_BACKENDS = (*FILES, CASCADE)


def load(
    path: str | os.PathLike[str],
    backend: str | None = None,
    *,
    threads: int | None = None,
    device: str | None = None,
    monitor: bool = True,
) -> Model:
    """Return an exported run, ready to predict.

    Args:
        path: a run directory after ``clx export``, that of a static student, or an archive of
            ``clx export --to``.
        backend: ``"onnx"``, ``"onnx-int8"``, ``"openvino"`` or ``"openvino-int8"``. None takes the
            fastest that is installed and made at least 99 % of torch's decisions. A static student has
            ``"static"`` only. ``"cascade"`` lets the static student that ``run.with_fast`` copied into
            the run directory answer first.
        threads: the number of threads for one batch; None leaves it to the backend.
        device: ``"cpu"`` or ``"cuda"``; None chooses a GPU if the backend has one.
        monitor: whether the teacher of a cascade checks a share of the student's answers.

    Raises:
        RunNotFoundError: there is nothing at that path.
        ExportError: the run was not exported, or its task decides in Python.
        RunDirError: a file is damaged or unsafe.
        ConfigError: there is no such backend or device.
        MissingDependencyError: the package of the backend is not installed.
    """
    place = Path(path)
    if not place.exists():
        place = place.expanduser()
    if backend == CASCADE:
        return _cascade(place, device, threads, monitor)
    found = _in_archive(place) if place.is_file() else None
    if found is not None:
        export, name, digest = found
    elif place.is_dir():
        export, digest = export_of_run(place)
        name = place.resolve().name
    else:
        raise RunNotFoundError(f"There is no run directory and no archive of clx export at {path}")
    rule = _rule(export, name)
    chosen = _backend(export, backend)
    loaded: LoadedModel
    if export.student is not None:
        loaded = StaticModel(export.student, device)
    else:
        from clx_runtime.exported_model import ExportedModel

        loaded = ExportedModel(export, chosen, device, threads)
    return Model(Identity(name, export.settings.task, digest, chosen), loaded, rule)


def _cascade(place: Path, device: str | None, threads: int | None, monitor: bool) -> Model:
    if place.is_file():
        raise ExportError(
            f"{place} is a file, and an archive has no student that answers first: load the run "
            f"directory"
        )
    from clx_runtime.cascade_folder import cascade_of_run

    model, cascade, digest = cascade_of_run(place, device, threads, monitor)
    name = place.resolve().name
    refuse_python(cascade.settings, name)
    return Model(Identity(name, cascade.settings.task, digest, CASCADE), model, cascade.rule())


def _in_archive(path: Path) -> tuple[Export, str, str] | None:
    """Return the export in an archive, with its run's name and identity; None for other files."""
    # Most runs are folders, which need no zipfile.
    from clx_runtime.archive import export_of_archive, is_archive

    if not is_archive(path):
        return None
    export, origin = export_of_archive(path)
    return export, origin.run, origin.identity


def _backend(export: Export, backend: str | None) -> str:
    if export.student is not None:
        if backend in (None, STATIC):
            return STATIC
        raise ConfigError(
            f"{export.where} holds a static student, which has the backend {STATIC!r} only, not "
            f"{cell(backend)}"
        )
    if backend == STATIC:
        raise ExportError(f"{export.where} has no static student, so it has no backend {STATIC!r}")
    if backend is None:
        from clx_runtime.sessions import installed

        return export.best_backend(installed(export.weights))
    if backend not in FILES:
        raise ConfigError(
            f"backend must be one of {names(_BACKENDS)}, but is {cell(backend)}"
            f"{did_you_mean(str(backend), _BACKENDS)}"
        )
    if backend not in export.weights:
        raise ExportError(
            f"{export.where} has no model for backend={backend!r}, only for {names(export.weights)}"
        )
    return backend


def _rule(export: Export, name: str) -> OneLabel | LabelSet:
    """Return the rule by which an exported run decides."""
    refuse_python(export.settings, name)
    try:
        rule = rule_of(export.settings.decision or {})
    except (TypeError, ValueError) as error:
        raise RunDirError(f"{export.where} cannot be used ({error}): export it again") from error
    if not set(rule.labels) <= set(export.settings.labels):
        raise RunDirError(
            f"{export.where} decides between labels that its model does not have: export it again"
        )
    return rule


def refuse_python(settings: Settings, name: str) -> None:
    """Refuse a run whose predictions need the Python code of its task.

    Args:
        settings: the settings of the export.
        name: the name of the run.

    Raises:
        ExportError: the message names the methods.
    """
    if settings.outputs:
        methods = names(["its pipeline", *settings.python])
        raise ExportError(
            f"The run {name!r} needs the Python code of its task {settings.task!r} to predict "
            f"({methods}), which is not in an export: predict with clx"
        )
    if settings.python:
        raise ExportError(
            f"The run {name!r} needs the Python code of its task {settings.task!r} to predict "
            f"({names(settings.python)}), which is not in an export: predict with clx, or return a "
            f"decision_rule() instead of overriding these methods"
        )
    if settings.decision is None:
        raise ExportError(
            f"The run {name!r} has no decision rule: an older clx exported it, or its task "
            f"{settings.task or '(unknown)'!r} has no decision_rule(). Export it again, or predict with "
            f"clx"
        )
