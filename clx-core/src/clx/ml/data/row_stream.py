"""Rows that can only be read from the beginning: a streaming Dataset, a generator, an iterable."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.arrow_frames import table_to_frame
from clx.ml.data.dataset import fingerprint
from clx_runtime.objects import comes_from

if TYPE_CHECKING:
    import pandas as pd

HEAD_ROWS = 1000
"""The first rows, from which a task infers its config and which are checked before the training."""

PART_ROWS = 256


def is_stream(data: Any) -> bool:
    """Return whether data can only be read from its beginning."""
    if comes_from(data, "datasets"):
        return hasattr(data, "with_format") and not hasattr(data, "__len__")
    if hasattr(data, "__next__"):
        return True
    return _is_torch_iterable(data)


def _is_torch_iterable(data: Any) -> bool:
    return any(
        base.__name__ == "IterableDataset" and base.__module__.startswith("torch.")
        for base in type(data).__mro__
    )


class RowStream:
    """A stream of rows.

    Args:
        source: a streaming Dataset, an IterableDataset of torch, or an iterator of dicts.

    Attributes:
        shares_itself: whether the source divides its rows among the workers of a data loader.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._taken: list[pd.DataFrame] = []
        self._once = hasattr(source, "__next__")
        self.shares_itself = _is_torch_iterable(source) and not comes_from(source, "datasets")

    def head(self, what: str) -> pd.DataFrame:
        """Return the first rows, which stay in the stream.

        Raises:
            DataFormatError: there are no rows, or they are no dicts.
        """
        import pandas as pd

        parts = []
        for part in self._read(what):
            parts.append(part)
            if sum(map(len, parts)) >= HEAD_ROWS:
                break
        if not parts:
            raise DataFormatError(f"{what} has no rows")
        if self._once:
            self._taken = parts
        return pd.concat(parts, ignore_index=True)

    def digest(self) -> str:
        """Return a digest of the first rows."""
        return fingerprint(self.head("train_data"))

    def set_epoch(self, epoch: int) -> None:
        """Let a shuffled Dataset choose another order."""
        if hasattr(self._source, "set_epoch"):
            self._source.set_epoch(epoch)

    def parts(self, what: str) -> Iterator[pd.DataFrame]:
        """Yield all rows in parts. Their index counts from the beginning of the stream."""
        import pandas as pd

        at = 0
        for part in self._read(what):
            part.index = pd.RangeIndex(at, at + len(part))
            at += len(part)
            yield part

    def _read(self, what: str) -> Iterator[pd.DataFrame]:
        source = self._source
        if self._once:
            # The first rows were taken from an iterator to look at them.
            taken, self._taken = self._taken, []
            return itertools.chain(taken, _plain_parts(source, what))
        if comes_from(source, "datasets") and source.features is not None:
            return _typed_parts(source)
        return _plain_parts(source, what)


def _typed_parts(source: Any) -> Iterator[pd.DataFrame]:
    """Yield the rows of a streaming Dataset that knows its types, such as class names."""
    schema = source.features.arrow_schema
    for table in source.with_format("arrow").iter(batch_size=PART_ROWS):
        yield table_to_frame(table.cast(schema).replace_schema_metadata(schema.metadata))


def _plain_parts(source: Iterable[Any], what: str) -> Iterator[pd.DataFrame]:
    import pandas as pd

    rows = iter(source)
    while part := list(itertools.islice(rows, PART_ROWS)):
        wrong = next((row for row in part if not isinstance(row, Mapping)), None)
        if wrong is not None:
            raise DataFormatError(
                f"{what} must yield rows as dicts, such as {{'text': 'a cat'}}, but yields a "
                f"{type(wrong).__name__}"
            )
        yield pd.DataFrame(part, dtype=object)
