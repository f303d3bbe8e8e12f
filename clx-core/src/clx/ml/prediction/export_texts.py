"""The texts on which an export is compared with torch."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, ConfigError
from clx.ml.data.text_sketch import LEARNED_TEXTS, MOST_LEARNED, TextSketch
from clx_runtime.callers import user_level
from clx_runtime.texts import as_text_rows, as_texts, check_texts

if TYPE_CHECKING:
    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task

CHECKED_TEXTS = 500
"""The most texts of the caller that are compared."""

DEFAULT_TEXTS = 300
"""The number of sentences that are compared if the caller passes no texts."""


def checked_texts(task: Task, texts: Iterable[Any]) -> list[str]:
    """Return the first texts of the caller.

    Raises:
        ConfigError: there are no texts.
        DataFormatError: items are not texts.
    """
    rows = as_texts(as_text_rows(texts, task.text_columns))
    checked = check_texts(row for _, row in zip(range(CHECKED_TEXTS), rows, strict=False))
    if not checked:
        raise ConfigError("export() needs at least one text to compare, or texts=None")
    return checked


def default_texts(task: Task) -> list[str]:
    """Return sentences that are on every machine, evenly spread over Python's documentation."""
    from pydoc_data.topics import topics

    paragraphs = [
        " ".join(paragraph.split())
        for topic in topics.values()
        for paragraph in re.split(r"\n\s*\n", topic)
    ]
    sentences = [text for text in dict.fromkeys(paragraphs) if len(text.split()) > 3]
    step = max(1, len(sentences) // DEFAULT_TEXTS)
    chosen = sentences[::step][:DEFAULT_TEXTS]
    columns = len(task.text_columns)
    if columns == 1:
        return chosen
    return check_texts(
        as_text_rows([(text, *chosen[-columns + 1 :]) for text in chosen], task.text_columns)
    )


def learned_share(directory: RunDir, texts: Sequence[str]) -> float | None:
    """Return about which share of the texts the run was trained on, None if it is not known."""
    sketch = TextSketch.from_json(directory.read_results().get(LEARNED_TEXTS))
    return None if sketch is None else sketch.share(texts)


def warn_of_texts(own: bool, learned: float | None) -> None:
    """Warn if the compared texts say little about the texts that the run will predict."""
    message = None
    if not own:
        message = (
            "The export was compared with torch on sentences from Python's documentation. To see "
            "how it compares on your data, pass texts="
        )
    elif learned is not None and learned >= MOST_LEARNED:
        message = (
            f"The run was trained on about {learned:.0%} of the texts that the export was compared "
            f"on. A run is surer of texts that it was trained on, so the shares of equal decisions are "
            f"too high. Pass texts= that it was not trained on"
        )
    if message is not None:
        warnings.warn(message, ClxWarning, stacklevel=user_level())
