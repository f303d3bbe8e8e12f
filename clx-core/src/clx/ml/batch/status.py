"""The progress of a prediction in parts, and its parts merged into one file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import RunNotFoundError, UnfinishedError
from clx.ml.batch.place import place_at
from clx.ml.batch.plan import Part, Plan
from clx.ml.batch.records import Records
from clx.ml.data.arrow_values import is_json
from clx.ml.data.tables.targets import open_target
from clx.ml.data.tables.writing import write_rows
from clx.ml.machine.disk import full_disk_named
from clx.ml.machine.progress import progress_bar
from clx.ml.results.parts import PartsStatus
from clx.ml.run_directory.lock import only_writer_of_file
from clx.problems import examples

if TYPE_CHECKING:
    import pyarrow as pa

READERS = 16
"""How many records to read at a time."""


def parts_status(directory: str | os.PathLike[str]) -> PartsStatus:
    """Return the progress of the prediction in a folder.

    Args:
        directory: the folder of the parts: a path or an address.

    Raises:
        RunNotFoundError: no prediction was begun there.
    """
    records, plan = _opened(directory)
    parts = plan.parts()
    finished = records.finished(parts).items()
    # In an object store, each record is a request.
    with ThreadPoolExecutor(READERS) as pool:
        read = list(pool.map(lambda item: records.record(*item), finished))
    found = [each for each in read if each is not None]
    failed = records.failures(parts)
    rows_done = sum(each.rows for each in found)
    speed = None
    if found:
        began = min(each.ended - each.seconds for each in found)
        speed = rows_done / max(1e-3, max(each.ended for each in found) - began)
    left = plan.rows - rows_done
    return PartsStatus(
        directory=records.place.name,
        parts=len(parts),
        done=len(found),
        rows=plan.rows,
        rows_done=rows_done,
        errors=sum(each.errors for each in found),
        truncated=sum(each.truncated for each in found),
        rows_per_second=speed,
        seconds_left=left / speed if speed else None,
        failed=[asdict(failure) for failure in failed.values()],
    )


def join_parts(
    directory: str | os.PathLike[str], target: str | os.PathLike[str], overwrite: bool = False
) -> Path | str:
    """Write the parts of a finished prediction into one file, in the order of the inputs.

    Args:
        directory: the folder of the parts: a path or an address.
        target: the csv, tsv, jsonl or parquet file to write, or an address; it appears when it is
            complete.
        overwrite: replace an existing target.

    Raises:
        RunNotFoundError: no prediction was begun in the folder.
        UnfinishedError: parts are missing or failed; the message names some.
        RunExistsError: the target exists.
        DataFormatError: a part is damaged.
    """
    records, plan = _opened(directory)
    parts = plan.parts()
    _require_finished(records, parts)
    place = open_target(os.fspath(target))
    place.refuse(records.place.name, overwrite)
    schema = plan.output_schema()
    with only_writer_of_file(place.local), full_disk_named(place.local.parent):
        write_rows(_rows(records, parts, schema), schema, place.new, place.format)
        place.publish()
    return place.local if place.address is None else place.address


def _opened(directory: str | os.PathLike[str]) -> tuple[Records, Plan]:
    records = Records(place_at(directory))
    plan = records.plan()
    if plan is None:
        raise RunNotFoundError(
            f"There is no prediction in parts in {records.place.name}: clx predict RUN SOURCE -o DIR/"
        )
    return records, plan


def _require_finished(records: Records, parts: Sequence[Part]) -> None:
    missing = records.missing(parts)
    if not missing:
        return
    failed = records.failures(missing)
    causes = [f"{part}: {failure.cause}" for part, failure in failed.items()]
    told = f" {len(failed)} of them failed: {examples(causes)}." if failed else ""
    raise UnfinishedError(
        f"{len(missing)} of {len(parts)} parts in {records.place.name} are missing, such as the one "
        f"with {missing[0]}.{told} Predict them with the command that began the prediction"
    )


def _rows(records: Records, parts: Sequence[Part], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for part in progress_bar(parts, desc="join", unit="parts", delay=1):
        with records.open_part(part) as opened:
            for batch in opened.iter_batches():
                yield _typed(batch, schema)


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows of a part with JSON columns restored: parquet stores them as text."""
    import pyarrow as pa

    arrays = [
        pa.ExtensionArray.from_storage(field.type, batch.column(field.name))
        if is_json(field.type)
        else batch.column(field.name).cast(field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
