"""Files as frames, for the verbs that hold all their data in memory, or as rows on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.data.arrow_frames import table_to_frame
from clx.ml.data.reading import Reading
from clx.ml.data.texts import TEXT_CELLS
from clx.ml.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.data.lazy_rows import LazyRows


@hookimpl(trylast=True)
def clx_open_data(source: str, reading: Reading) -> pd.DataFrame | LazyRows:
    """Read the source from files, if no other plugin has opened it."""
    from clx.ml.data.tables.sources import open_rows

    if reading.lazily:
        from clx.ml.data.row_store import rows_on_disk

        return rows_on_disk(source, reading)

    rows = open_rows(source, reading, keep=True)
    frame = table_to_frame(rows.table())
    # A value that a file lacks is not an empty text.
    frame.attrs[TEXT_CELLS] = rows.text_cells and not rows.lacking
    return frame
