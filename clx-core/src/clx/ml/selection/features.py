"""Features on disk: the same model never reads the same rows twice.

The key of an entry is a digest of the content: of the loaded weights, the model's config, and the
tokens of the rows. Entries are safetensors files, which hold numbers and no texts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clx.errors import ClxWarning
from clx.ml.model.head.layer import collect_features, model_columns
from clx.ml.model.head.pooling import pooling_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.model.head.request import Collator

MAX_BYTES = 2 * 2**30
"""The size of the cache; beyond it, the entries that were unused for the longest time are removed."""

SUFFIX = ".safetensors"
TENSOR, CHECKSUM = "features", "sha256"

NOT_IN_KEY = frozenset({"_name_or_path", "id2label", "label2id", "transformers_version"})
"""Keys of a model's config on which its features do not depend."""


@dataclass(frozen=True)
class Entry:
    """What the cache holds under a key.

    Attributes:
        features: shape (rows, features).
        about: what was recorded with them.
    """

    features: Tensor
    about: dict[str, str]


@dataclass(frozen=True)
class FeatureCache:
    """Features in a folder, one file per entry.

    Attributes:
        folder: created when it is needed.
        limit: the most bytes to keep.
    """

    folder: Path
    limit: int = MAX_BYTES

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, None if there is none or its file is damaged."""
        from safetensors import SafetensorError, safe_open

        path = self.folder / f"{key}{SUFFIX}"
        try:
            with safe_open(path, framework="pt") as file:
                about = dict(file.metadata() or {})
                features: Tensor = file.get_tensor(TENSOR)
        except (SafetensorError, OSError):
            return None
        if about.pop(CHECKSUM, None) != _checksum(features):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return Entry(features, about)

    def put(self, key: str, entry: Entry) -> None:
        """Write an entry; a reader sees all of it or nothing. A failure is a warning."""
        from safetensors.torch import save

        features = entry.features.contiguous()
        data = save({TENSOR: features}, {**entry.about, CHECKSUM: _checksum(features)})
        if len(data) > self.limit:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(key, data)
            self._shrink()
        except OSError as error:
            warnings.warn(
                f"The features cannot be kept in {self.folder}: {error.strerror or error}. The next "
                f"comparison computes them again.",
                ClxWarning,
                stacklevel=2,
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


@dataclass
class CachedCollector:
    """Collects features as ``collect_features`` does, from the cache where possible.

    Attributes:
        cache: the cache.
        seconds: by call, the time that the model took to read the rows, now or when it did.
    """

    cache: FeatureCache
    seconds: list[float] = field(default_factory=list)

    def __call__(
        self, model: PreTrainedModel, layer: torch.nn.Linear, dataset: Dataset, collator: Collator
    ) -> Tensor:
        """Return the layer's input for each row, shape (rows, features)."""
        key = digest_of(model_digest(model, layer), rows_digest(dataset))
        found = self.cache.get(key)
        if found is not None and found.features.shape == (len(dataset), layer.in_features):
            self.seconds.append(float(found.about["seconds"]))
            return found.features
        started = time.perf_counter()
        features = collect_features(model, layer, dataset, collator)
        self.seconds.append(time.perf_counter() - started)
        self.cache.put(key, Entry(features, {"seconds": repr(self.seconds[-1])}))
        return features


def digest_of(*parts: str) -> str:
    """Return one digest of several strings."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def model_digest(model: PreTrainedModel, layer: torch.nn.Linear) -> str:
    """Return a digest of everything that the input of a layer depends on, but for the rows."""
    config = {key: value for key, value in model.config.to_dict().items() if key not in NOT_IN_KEY}
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(f"{model.device.type} {pooling_of(model)}".encode())
    of_head = {id(parameter) for parameter in layer.parameters()}
    for name, value in sorted(model.state_dict(keep_vars=True).items()):
        if id(value) not in of_head:
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(_bytes(value))
    return digest.hexdigest()


def rows_digest(dataset: Dataset, labels: bool = False) -> str:
    """Return a digest of tokenized rows, with or without their labels."""
    import pyarrow as pa

    names = sorted(dataset.column_names if labels else model_columns(dataset))
    table = dataset.select_columns(names).with_format("arrow")[:].combine_chunks()
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata(None).select(names)
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


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


def _checksum(features: Tensor) -> str:
    return hashlib.sha256(_bytes(features)).hexdigest()


def _bytes(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
