"""Features on disk: the same model never reads the same rows twice.

The key of an entry is a digest of the content: of the loaded weights, the model's config, and the
tokens of the rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from clx.ml.machine.tensor_cache import Entry, TensorCache, bytes_of, digest_of
from clx.ml.model.head.layer import collect_features, model_columns
from clx.ml.model.head.pooling import pooling_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.model.head.request import Collator

NOT_IN_KEY = frozenset({"_name_or_path", "id2label", "label2id", "transformers_version"})
"""Keys of a model's config that do not affect its features."""


@dataclass
class CachedCollector:
    """Collects features as ``collect_features`` does, from the cache where possible.

    Attributes:
        cache: the cache.
        seconds: by call, the time that the model took to read the rows, now or when it did.
    """

    cache: TensorCache
    seconds: list[float] = field(default_factory=list)

    def __call__(
        self, model: PreTrainedModel, layer: torch.nn.Linear, dataset: Dataset, collator: Collator
    ) -> Tensor:
        """Return the layer's input for each row, shape (rows, features)."""
        key = digest_of(model_digest(model, layer), rows_digest(dataset))
        found = self.cache.get(key)
        if found is not None and found.tensor.shape == (len(dataset), layer.in_features):
            self.seconds.append(float(found.about["seconds"]))
            return found.tensor
        started = time.perf_counter()
        features = collect_features(model, layer, dataset, collator)
        self.seconds.append(time.perf_counter() - started)
        self.cache.put(key, Entry(features, {"seconds": repr(self.seconds[-1])}))
        return features


def model_digest(model: PreTrainedModel, layer: torch.nn.Linear) -> str:
    """Return a digest of everything that affects the input of a layer, except the rows."""
    config = {key: value for key, value in model.config.to_dict().items() if key not in NOT_IN_KEY}
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(f"{model.device.type} {pooling_of(model)}".encode())
    of_head = {id(parameter) for parameter in layer.parameters()}
    for name, value in sorted(model.state_dict(keep_vars=True).items()):
        if id(value) not in of_head:
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(bytes_of(value))
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
