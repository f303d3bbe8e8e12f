"""The package ``onnxruntime``, imported so that it keeps what it sees to itself."""

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

PIP_LINE = "pip install 'clx-core[onnx]'"

_QUANTISING = threading.Lock()


def missing(package: str, error: ImportError) -> MissingDependencyError:
    """Return the error for a package of the extra that is not installed."""
    return MissingDependencyError(f"{package} is needed for ONNX ({error}): {PIP_LINE}")


def import_onnxruntime() -> Any:
    """Return the imported package.

    From 1.29 on, its wheels send events to their maker unless this variable is set before the
    import (Privacy.md in the package). Who sets ``ORT_DISABLE_TELEMETRY=0``, or has imported the
    package before, keeps what was chosen.

    Raises:
        MissingDependencyError: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime", error) from error
    return onnxruntime


@contextmanager
def quantising_in(folder: Path) -> Iterator[Any]:
    """Give ``onnxruntime.quantization``, which keeps its copies of the model in ``folder`` meanwhile.

    It writes two in fp32. In the system's folder they may not fit, and a kill would leave them.

    Raises:
        MissingDependencyError: a package is not installed.
    """
    import_onnxruntime()
    from onnxruntime import quantization
    from onnxruntime.quantization import quant_utils

    here = partial(tempfile.TemporaryDirectory, dir=folder)
    # The name is the whole package's, hence one at a time.
    with _QUANTISING:
        before = quant_utils.tempfile
        quant_utils.tempfile = SimpleNamespace(TemporaryDirectory=here)
        try:
            yield quantization
        finally:
            quant_utils.tempfile = before
