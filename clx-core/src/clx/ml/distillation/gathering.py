"""Read the texts, and let the teacher answer them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.text_hashes import text_hash
from clx.ml.distillation.setting_aside import Sides, sides_of
from clx.ml.machine.progress import progress_bar
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import numpy as np

    from clx.ml.distillation.teacher import Teacher
    from clx.ml.distillation.texts import TextSource

MIN_TEXTS = 200
"""Fewer texts are not enough to learn from and to measure on."""


@dataclass(frozen=True)
class Lesson:
    """Different texts with the teacher's scores.

    Attributes:
        texts: the texts, in the order of the source.
        scores: the teacher's scores, float32 of shape (texts, labels).
        hashes: the hash of each text, shape (texts,).
        sides: what each text is for.
        read: the number of texts of the source, with repeated ones.
    """

    texts: list[str]
    scores: np.ndarray[Any, Any]
    hashes: np.ndarray[Any, Any]
    sides: Sides
    read: int


def gathered(source: TextSource, teacher: Teacher, max_texts: int, hidden: bool) -> Lesson:
    """Return the source's texts, each once, with the scores of the teacher.

    Args:
        source: the texts.
        teacher: answers them.
        max_texts: stop after this number of different texts.
        hidden: whether to hide the progress bar.

    Raises:
        DataFormatError: there are too few different texts.
    """
    import numpy as np

    texts: list[str] = []
    seen: dict[int, None] = {}
    scores, read, is_cut = [], 0, False
    total = None if source.count is None else min(source.count, max_texts)
    with progress_bar(desc="teacher", unit="texts", total=total, delay=1, disable=hidden) as bar:
        for chunk in source.chunks:
            fresh = _fresh(chunk, seen, max_texts)
            read += len(chunk)
            if fresh:
                scores.append(teacher.scores(fresh))
                texts += fresh
            bar.update(len(chunk))
            if len(seen) >= max_texts:
                is_cut = source.count is None or read < source.count
                break
    if len(texts) < MIN_TEXTS:
        raise DataFormatError(
            f"{source.name} has {len(texts)} different texts, but a student needs at least "
            f"{MIN_TEXTS}, and thousands to be good: pass more texts like those that it will "
            f"read; they need no labels"
        )
    if is_cut:
        warnings.warn(
            f"The student learns from the first {len(texts):,} different texts of {source.name}. Pass "
            f"a larger max_texts to use more, or shuffle the texts if they are sorted.",
            DataWarning,
            stacklevel=user_level(),
        )
    hashes = np.fromiter(seen, dtype=np.uint64)
    return Lesson(texts, np.concatenate(scores), hashes, sides_of(hashes), read)


def _fresh(chunk: list[str], seen: dict[int, None], most: int) -> list[str]:
    """Return the texts of a chunk that have not occurred before, and remember their hashes."""
    fresh = []
    for text in chunk:
        digest = text_hash(text)
        if digest not in seen and len(seen) < most:
            seen[digest] = None
            fresh.append(text)
    return fresh
