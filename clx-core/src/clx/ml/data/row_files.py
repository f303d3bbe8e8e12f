"""Reading and writing csv, tsv, jsonl and parquet files in chunks of rows."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.files import (
    CSV_ARGS,
    SEPARATORS,
    file_format,
    json_rows,
    refuse_repeated_columns,
)
from clx.problems import cell

if TYPE_CHECKING:
    import pandas as pd


def read_chunks(source: Path, rows: int) -> Iterator[pd.DataFrame]:
    """Yield the file as frames of ``rows`` rows each, with only one of them in memory.

    Raises:
        DataFormatError: the file is not valid in the format of its suffix.
    """
    kind = file_format(source)
    try:
        if kind in SEPARATORS:
            yield from _csv_chunks(source, SEPARATORS[kind], rows)
        elif kind == "jsonl":
            yield from _jsonl_chunks(source, rows)
        else:
            yield from _parquet_chunks(source, rows)
    except (ValueError, OSError) as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(f"{source} cannot be read as {kind}: {cell(str(error))}") from error


def _csv_chunks(source: Path, separator: str, rows: int) -> Iterator[pd.DataFrame]:
    import pandas as pd

    refuse_repeated_columns(source, separator)
    with pd.read_csv(source, sep=separator, chunksize=rows, **CSV_ARGS) as reader:
        yield from reader


def _jsonl_chunks(source: Path, rows: int) -> Iterator[pd.DataFrame]:
    import pandas as pd

    objects = json_rows(source)
    while chunk := list(islice(objects, rows)):
        yield pd.DataFrame(chunk, dtype=object)


def _parquet_chunks(source: Path, rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(batch_size=rows):
            yield batch.to_pandas()


def write_part(frame: pd.DataFrame, path: Path, kind: str, first: bool) -> None:
    """Write one part of a file. The part is either complete or does not exist.

    Only the ``first`` part of a csv file has the header, so that the concatenated parts are the file.
    """
    new = path.with_suffix(".new")
    if kind in SEPARATORS:
        frame.to_csv(new, sep=SEPARATORS[kind], index=False, header=first, encoding="utf-8")
    elif kind == "jsonl":
        with new.open("w", encoding="utf-8") as file:
            for row in frame.to_dict("records"):
                plain = {str(key): _plain(value) for key, value in row.items()}
                file.write(json.dumps(plain, ensure_ascii=False) + "\n")
    else:
        frame.to_parquet(new, index=False)
    flush(new)
    new.replace(path)


def _plain(value: Any) -> Any:
    """Return a cell as a JSON value. Missing values and infinities become null."""
    import pandas as pd

    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if pd.isna(value) or value in (math.inf, -math.inf):
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)


def join_parts(parts: Sequence[Path], target: Path, kind: str) -> Path:
    """Join the parts to one file beside the target, and return its path. The caller renames it.

    Raises:
        DataFormatError: the parts of a parquet file have columns with incompatible types.
    """
    new = target.with_name(f".{target.name}.new")
    if kind == "parquet":
        _join_parquet(parts, new)
    else:
        with new.open("wb") as out:
            for part in parts:
                with part.open("rb") as file:
                    while block := file.read(1 << 20):
                        out.write(block)
    flush(new)
    return new


def _join_parquet(parts: Sequence[Path], new: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # A column that is empty in one part has another type there.
        schema = pa.unify_schemas(
            [pq.read_schema(part) for part in parts], promote_options="permissive"
        ).remove_metadata()
        with pq.ParquetWriter(new, schema) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part).cast(schema))
    except pa.ArrowException as error:
        raise DataFormatError(
            f"The rows do not fit a single parquet schema ({cell(str(error))}): write jsonl instead"
        ) from error


def flush(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
