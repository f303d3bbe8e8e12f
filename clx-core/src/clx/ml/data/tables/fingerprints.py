"""A digest of some rows: equal rows have equal digests, however they were read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 24


def batch_fingerprint(batch: pa.RecordBatch) -> str:
    """Return hex digits that depend on the names, types and values of the columns."""
    digest = hashlib.sha256()
    for field in batch.schema:
        digest.update(f"\0{field.name}\0{field.type}\0{batch.num_rows}\0".encode())
        for piece in _pieces(batch.column(field.name)):
            digest.update(piece)
    return digest.hexdigest()[:DIGITS]


def _pieces(array: pa.Array) -> list[bytes]:
    """Return the contents of an array as bytes, without the unused parts of its buffers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    array = getattr(array, "storage", array)
    missing = np.packbits(array.is_null().to_numpy(zero_copy_only=False)).tobytes()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        lengths = pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        joined = "".join(array.fill_null("").to_pylist())
        return [missing, lengths.astype("int64").tobytes(), joined.encode()]
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return [missing, array.fill_null(0).to_numpy(zero_copy_only=False).tobytes()]
    return [missing, repr(array.to_pylist()).encode("utf-8", "surrogatepass")]
