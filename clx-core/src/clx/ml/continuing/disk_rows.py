"""The rows of a continued training that stay on disk: the new ones, and old ones after them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from clx.errors import ConfigError
from clx.ml.continuing.rows import JoinedRows, Readers, Replay, row_labels, sample_rows
from clx.ml.data.arrow_rows import lazy_rows
from clx.ml.data.frames import training_sources
from clx.ml.data.lazy_rows import PART_ROWS, LazyRows
from clx.ml.data.row_pass import representative_rows
from clx.ml.data.row_stream import is_stream
from clx.ml.data.stacked_rows import StackedRows

MAX_STRATIFIED = 1_000_000
"""From more old rows, a plain random sample is taken, in which labels keep their shares too."""


def joined_on_disk(readers: Readers, more: Any, replay: Replay, seed: int) -> JoinedRows:
    """Return the new rows, followed by the replayed ones; their frame stands for all of them.

    Args:
        readers: read the rows.
        more: the new rows, which were opened already.
        replay: the old rows.
        seed: the seed of the samples.

    Raises:
        ConfigError: rows are a stream.
        DataFormatError: the old rows are not in the task's format.
    """
    rows = _rows(more, "train_data")
    new = len(rows)
    if replay.data is not None:
        reading = replace(readers.reading, lazily=True)
        old = _rows(training_sources(replay.data, None, reading)[0], "replay")
        rows = StackedRows(rows, old, _chosen(readers, old, replay, seed))
    found = representative_rows(readers.blank, rows, None, "train_data", seed)
    frame = rows.frame(np.union1d(found.sampled, found.first).tolist())
    if replay.data is None:
        return JoinedRows(frame, data=rows)
    return JoinedRows(frame, new, len(rows) - new, rows)


def _rows(source: Any, what: str) -> LazyRows:
    if is_stream(source):
        raise ConfigError(
            f"{what} is a stream, whose labels are known only when it ends, so a run cannot be "
            f"continued with it: pass files, or a Dataset that is not streaming"
        )
    return lazy_rows(source, what)


def _chosen(
    readers: Readers, old: LazyRows, replay: Replay, seed: int
) -> np.ndarray[Any, Any] | None:
    """Return the positions of the old rows to take, None for all."""
    wanted = replay.wanted(len(old))
    if wanted >= len(old):
        return None
    labels: list[Any] = []
    if len(old) <= MAX_STRATIFIED:
        for _, part in old.parts(PART_ROWS):
            labels += row_labels(*readers.validated(part, "replay")) or ()
    return sample_rows(labels or None, len(old), wanted, seed)
