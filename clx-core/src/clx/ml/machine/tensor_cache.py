"""A cache of tensors on disk: expensive results are computed once for all calls.

An entry is one safetensors file, which holds numbers and no texts. Its key is a digest of everything
that the numbers depend on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clx.errors import ClxWarning
from clx_runtime.callers import user_level

MAX_BYTES = 2 * 2**30
"""The size of the cache; beyond it, the entries that were unused for the longest time are removed."""

SUFFIX = ".safetensors"
TENSOR, CHECKSUM = "features", "sha256"


@dataclass(frozen=True)
class Entry:
    """An entry of the cache.

    Attributes:
        tensor: the numbers.
        about: what was recorded with them.
    """

    tensor: Tensor
    about: dict[str, str]


@dataclass(frozen=True)
class TensorCache:
    """Tensors in a folder, one file per entry.

    Attributes:
        folder: created when it is needed.
        limit: the most bytes to keep.
        what: what the tensors are, for a message.
    """

    folder: Path
    limit: int = MAX_BYTES
    what: str = "The features"

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, None if there is none or its file is damaged."""
        from safetensors import SafetensorError, safe_open

        path = self.folder / f"{key}{SUFFIX}"
        try:
            with safe_open(path, framework="pt") as file:
                about = dict(file.metadata() or {})
                tensor: Tensor = file.get_tensor(TENSOR)
        except (SafetensorError, OSError):
            return None
        if about.pop(CHECKSUM, None) != _checksum(tensor):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return Entry(tensor, about)

    def put(self, key: str, entry: Entry) -> None:
        """Write an entry; a reader sees all of it or nothing. A failure is a warning."""
        from safetensors.torch import save

        tensor = entry.tensor.contiguous()
        data = save({TENSOR: tensor}, {**entry.about, CHECKSUM: _checksum(tensor)})
        if len(data) > self.limit:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(key, data)
            self._shrink()
        except OSError as error:
            warnings.warn(
                f"{self.what} cannot be kept in {self.folder}: {error.strerror or error}. The next "
                f"call computes them again.",
                ClxWarning,
                stacklevel=user_level(),
            )

    def _write(self, key: str, data: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        new = Path(name)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            new.replace(self.folder / f"{key}{SUFFIX}")
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def _shrink(self) -> None:
        """Remove the entries that were unused for the longest time, until the rest fits."""
        found = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            # Another process may remove it at the same time.
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.limit:
                break
            path.unlink(missing_ok=True)
            total -= size


def digest_of(*parts: str) -> str:
    """Return one digest of several strings."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Return a digest of a checkpoint: its weights and its configuration."""
    files = sorted(
        {*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("*/*.json")}
    )
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def bytes_of(tensor: Tensor) -> Any:
    """Return the bytes of a tensor as a NumPy array."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def _checksum(tensor: Tensor) -> str:
    return hashlib.sha256(bytes_of(tensor)).hexdigest()
