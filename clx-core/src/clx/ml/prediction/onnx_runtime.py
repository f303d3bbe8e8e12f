"""The package ``onnxruntime``, imported with its telemetry off."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clx.errors import MissingDependencyError
from clx.ml.machine.forks import not_forked

PIP_LINE = "pip install 'clx-core[onnx]'"

_QUANTISING = threading.Lock()


def missing(package: str, error: ImportError) -> MissingDependencyError:
    """Return the error for a package of the extra ``onnx`` that is not installed."""
    return MissingDependencyError(f"{package} is needed for ONNX ({error}): {PIP_LINE}")


def import_onnxruntime() -> Any:
    """Return the imported package.

    Since version 1.29 its wheels send usage events unless ``ORT_DISABLE_TELEMETRY`` is set before the
    import (Privacy.md in the package). A value that the user has set stays, and nothing changes if the
    package was imported before.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime", error) from error
    return onnxruntime


@contextmanager
def quantising_in(folder: Path) -> Iterator[Any]:
    """Provide ``onnxruntime.quantization``, with ``folder`` as the place of its temporary files.

    It writes two copies of the model in fp32. The system's temporary folder may be too small for them,
    and they would stay there if the process were killed.

    Raises:
        MissingDependencyError: a package is not installed.
    """
    import_onnxruntime()
    from onnxruntime import quantization
    from onnxruntime.quantization import quant_utils

    here = partial(tempfile.TemporaryDirectory, dir=folder)
    # The module's attribute is global, so one thread at a time replaces it.
    with not_forked(), _QUANTISING:
        before = quant_utils.tempfile
        quant_utils.tempfile = SimpleNamespace(TemporaryDirectory=here)
        try:
            yield quantization
        finally:
            quant_utils.tempfile = before
