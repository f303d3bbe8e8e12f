"""Hashes of texts: the same text has the same hash in every process and on every machine."""

from __future__ import annotations

import hashlib

from clx_runtime.texts import TextRow

HASH_BYTES = 8
"""The bytes of a hash."""


def text_hash(text: str) -> int:
    """Return 64 bits that depend on a text alone, or on the texts of a row of several."""
    parts = text.texts if isinstance(text, TextRow) else (text,)
    data = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(data).digest()[:HASH_BYTES], "big")
