"""Warn if a student would learn from the texts that its teacher was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clx.errors import DataWarning
from clx.ml.data.text_sketch import MOST_LEARNED, TextSketch
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from clx.ml.run_directory.layout import RunDir


def warn_if_training_texts(name: str, directory: RunDir, texts: Sequence[str]) -> None:
    """Warn if the teacher was trained on the texts, as its results remember them.

    Args:
        name: the name of the teacher.
        directory: its directory.
        texts: the different texts.
    """
    sketch = TextSketch.of_results(directory.read_results())
    share = None if sketch is None else sketch.share(texts)
    if share is not None and share >= MOST_LEARNED:
        warnings.warn(
            f"The run {name!r} was trained on about {share:.0%} of the texts. It is surer of them than "
            f"of new ones, so the agreement measured on them is optimistic: pass other texts of the "
            f"same domain, which need no labels.",
            DataWarning,
            stacklevel=user_level(),
        )
