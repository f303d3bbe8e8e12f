"""Decide which errors of a part are temporary, so that it is worth another try."""

from __future__ import annotations

import gzip
import zipfile
import zlib

from clx.errors import ClxError

_LASTING = (
    ClxError,
    ValueError,
    TypeError,
    LookupError,
    NotImplementedError,
    ImportError,
    EOFError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
)
"""The errors that a damaged, missing or forbidden file raises."""


def is_about_data(error: Exception) -> bool:
    """Return whether trying again cannot help."""
    return isinstance(error, ClxError) and not isinstance(error, MemoryError | OSError)


def may_pass(error: Exception) -> bool:
    """Return whether the network or a file system is behind an error that names a file."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return not isinstance(cause, _LASTING)
