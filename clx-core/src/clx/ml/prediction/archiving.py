"""Write the exported model of a run as one file, which ``clx_runtime.load`` opens without clx."""

from __future__ import annotations

import os
from pathlib import Path

from clx import __version__
from clx.errors import ConfigError, ExportError, RunExistsError
from clx.ml.prediction.backends import backend_of
from clx.ml.prediction.exported import needed
from clx.ml.prediction.onnx_export import ExportReport
from clx.ml.prediction.openvino_export import require_packages
from clx.ml.run_directory.files import writing
from clx.ml.run_directory.layout import ONNX, RunDir
from clx.problems import cell, did_you_mean, names
from clx_runtime.archive import SUFFIX, Origin, write_archive
from clx_runtime.exports import export_in
from clx_runtime.opening import load, refuse_python
from clx_runtime.sessions import is_openvino
from clx_runtime.settings import FILES, REPORT, SETTINGS, TOKENIZER
from clx_runtime.static_files import STATIC, STUDENT_FILES, read_student


def checked_archive(
    to: str | os.PathLike[str], overwrite: bool, backend: str | None = None
) -> Path:
    """Return the path of an archive to write.

    Raises:
        MissingDependencyError: an export for the backend lacks a package.
        ConfigError: the name does not end in ``.clx.zip``, or there is no such folder.
        RunExistsError: the file exists, and ``overwrite`` is not set.
    """
    target = Path(to).expanduser()
    if not target.name.endswith(SUFFIX) or target.name == SUFFIX:
        raise ConfigError(f"An archive is called <name>{SUFFIX}, but to is {cell(str(to))}")
    if not target.absolute().parent.is_dir():
        raise ConfigError(f"There is no folder {target.absolute().parent}: make it first")
    if target.exists() and not overwrite:
        raise RunExistsError(f"{target} exists: pass overwrite=True to replace it")
    require_packages(backend)
    return target


def archive_student(directory: RunDir, target: Path, backend: str | None) -> ExportReport:
    """Write the archive of a static student, open it once, and return what was written.

    Args:
        directory: the run.
        target: the new file; it appears when it is complete.
        backend: the caller's choice, which can only be ``static``.

    Raises:
        ConfigError: another backend.
        ExportError: the task decides in Python.
        RunDirError: the run is damaged.
    """
    backend_of(directory, backend)
    directory.check(hashes=True)
    refuse_python(read_student(directory.model).settings, directory.path.name)
    origin = Origin(directory.path.name, directory.identity(), __version__)
    with writing(target.absolute().parent):
        write_archive(directory.model, STUDENT_FILES, origin, target, check=load)
    return ExportReport(target.absolute().parent, {}, default=STATIC)


def archive_run(directory: RunDir, target: Path, backend: str | None) -> Path:
    """Write the archive of a run that was exported, open it once, and return its path.

    Args:
        directory: the run.
        target: the new file; it appears when it is complete.
        backend: the model to include; None takes the fastest of ONNX Runtime whose decisions equal
            those of torch.

    Raises:
        ConfigError: there is no such backend.
        ExportError: the run has no such export, or its task decides in Python.
    """
    folder = directory.path / ONNX
    if f"{ONNX}/{SETTINGS}" not in directory.listed_files():
        raise ExportError(f"The run in {directory.path} was not exported: call run.export() first")
    export = export_in(folder)
    refuse_python(export.settings, directory.path.name)
    if backend is not None and backend not in FILES:
        raise ConfigError(
            f"backend must be one of {names(FILES)}, but is {cell(backend)}"
            f"{did_you_mean(str(backend), FILES)}"
        )
    # The file is for other machines, and most of these have only ONNX Runtime.
    chosen = backend or export.best_backend(name for name in FILES if not is_openvino(name))
    if chosen not in export.weights:
        raise ExportError(
            f"The run in {directory.path} has no export for backend={chosen!r}, only for "
            f"{names(export.weights)}: call run.export() again{needed(chosen)}"
        )
    origin = Origin(directory.path.name, directory.identity(), __version__)
    with writing(target.absolute().parent):
        files = [SETTINGS, TOKENIZER, REPORT, FILES[chosen]]
        write_archive(folder, files, origin, target, check=load)
    return target
