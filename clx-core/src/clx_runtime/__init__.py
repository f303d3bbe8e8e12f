"""Run an exported clx model without torch: ``load("run-dir").predict(texts)``.

This package imports nothing of ``clx``. It needs numpy and tokenizers, and the package of a backend.
"""

from clx_runtime.model import Model
from clx_runtime.opening import load

__version__ = "0.1.0"

__all__ = ["Model", "__version__", "load"]
