"""Names for base models that suit a purpose."""

from __future__ import annotations

PRESETS = {
    "small": "MongoDB/mdbr-leaf-mt",
    "fast": "sentence-transformers/paraphrase-MiniLM-L3-v2",
    "best": "BAAI/bge-base-en-v1.5",
    "multilingual": "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
}
"""Preset → Hub id; ``docs/how-to/base-models.md`` says why each was chosen."""
