"""Which texts a student may have learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.distillation.setting_aside import ASIDE, text_hashes
from clx.ml.run_directory.layout import EXTRA, LEARNED_HASHES

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Learned:
    """The texts of a student.

    Attributes:
        below: a text with a smaller hash was set aside.
        hashes: the sorted hashes of the texts that it learned from, None if they were not kept. Then
            every text with a hash from ``below`` on may be one of them.
    """

    below: int
    hashes: np.ndarray[Any, Any] | None = None

    def holds(self, texts: Sequence[str]) -> list[bool]:
        """Return whether the student may have learned from each text."""
        import numpy as np

        if not len(texts):
            return []
        hashes = text_hashes(texts)
        if self.hashes is None:
            return [bool(each >= self.below) for each in hashes.tolist()]
        return [bool(each) for each in np.isin(hashes, self.hashes)]


def write_learned(extra: Path, hashes: np.ndarray[Any, Any]) -> None:
    """Write the hashes of the texts that a student has learned from into its ``extra/``.

    Args:
        extra: the folder, which may not exist yet.
        hashes: shape (texts,).
    """
    import numpy as np

    extra.mkdir(parents=True, exist_ok=True)
    np.save(extra / LEARNED_HASHES, np.sort(hashes).astype(np.uint64), allow_pickle=False)


def learned_by(student: Path, student_of: Mapping[str, Any]) -> Learned:
    """Return what a student has learned from.

    Args:
        student: its run directory.
        student_of: the entry of its config.
    """
    import numpy as np

    # Which tenth is set aside depends a little on the texts, so half of it is safe for all.
    below = student_of.get("below")
    path = student / EXTRA / LEARNED_HASHES
    hashes = None
    if path.is_file():
        hashes = np.sort(np.load(path, allow_pickle=False).astype(np.uint64))
    return Learned(below if isinstance(below, int) else int(ASIDE / 2 * 2**64), hashes)
