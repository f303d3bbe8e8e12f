"""The quantization of ONNX Runtime, with its temporary files in a folder of ours."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clx_runtime.forks import not_forked
from clx_runtime.onnx_session import import_onnxruntime

_QUANTISING = threading.Lock()


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
