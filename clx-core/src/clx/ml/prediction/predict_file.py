"""Predict a file into another file: every row, in order, in bounded memory, resumable.

The output is made in parts. A part holds rows of the source with their predictions, and records the
rows that it was made from. When all parts exist, they are written as one file with one schema,
which a rename moves to the target. A resumed call keeps the parts whose rows did not change.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataWarning
from clx.ml.data.lengths import warn_truncated
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.tables.fingerprints import batch_fingerprint
from clx.ml.data.tables.parts import PartFolder
from clx.ml.data.tables.rows import Rows, check_conversions
from clx.ml.data.tables.sources import open_rows
from clx.ml.data.tables.targets import Target, file_identity, open_target
from clx.ml.data.tables.writing import write_rows
from clx.ml.machine.disk import full_disk_named
from clx.ml.machine.progress import progress_bar
from clx.ml.prediction.output_types import Types
from clx.ml.prediction.record_batch import (
    PredictedRows,
    RowFunction,
    RowPrediction,
    added_columns,
    output_batch,
    predicted_rows,
)
from clx.ml.prediction.text_rows import (
    check_texts_of,
    require_columns,
    require_in_all_files,
    row_texts,
    with_empty_texts,
    with_export_texts,
)
from clx.ml.run_directory.lock import only_writer_of_file
from clx_runtime.callers import user_level
from clx_runtime.columns import ERROR, ON_ERROR, Columns

if TYPE_CHECKING:
    import pyarrow as pa

PART_ROWS = 4096


@dataclass(frozen=True)
class FilePrediction:
    """One prediction of a file into another file.

    Attributes:
        source: what to read: a file, a folder, a glob, or an address.
        target: the file to write, or an address.
        text_columns: the columns of texts.
        answer: everything that the predictions depend on besides the source, such as run and backend.
        columns: the input columns to carry through, None for all.
        prefix: the prefix of the names of the predicted columns.
        on_error: ``raise``, or ``skip`` to leave bad rows without a prediction.
        resume: continue an interrupted call.
        overwrite: replace an existing target.
        reading: how to read the source.
        types: the types of the predicted columns, None to take those of the values.
    """

    source: str | Path
    target: str | Path
    text_columns: tuple[str, ...]
    answer: dict[str, Any]
    columns: tuple[str, ...] | None = None
    prefix: str = ""
    on_error: str = "raise"
    resume: bool = False
    overwrite: bool = False
    reading: Reading = DEFAULT_READING
    types: Types | None = None


@dataclass
class Tally:
    """The counts of a call.

    Attributes:
        texts: the texts that were predicted.
        truncated: how many of these were truncated.
        limit: the most tokens of a text that the model reads.
        skipped: the number of rows without a prediction.
        first_error: the row number, counted from 0, and the error of the first skipped row.
    """

    texts: int = 0
    truncated: int = 0
    limit: int | None = None
    skipped: int = 0
    first_error: tuple[int, str] | None = None

    def add(self, predicted: PredictedRows, first: int) -> None:
        """Count some rows; ``first`` is the number of the first one."""
        self.texts += predicted.texts
        self.truncated += predicted.truncated
        self.limit = self.limit if predicted.limit is None else predicted.limit
        self.skipped += len(predicted.errors)
        if predicted.errors and self.first_error is None:
            place = min(predicted.errors)
            self.first_error = (first + place, predicted.errors[place])


def predict_file(job: FilePrediction, rows: RowFunction) -> Path | str:
    """Predict every row of a source; see ``TrainingRun.predict_file``.

    Args:
        job: the prediction to make.
        rows: predicts some texts.
    """
    if job.on_error not in ON_ERROR:
        raise ConfigError(f"on_error must be 'raise' or 'skip', but is {job.on_error!r}")
    import pyarrow as pa

    target = open_target(job.target)
    if not job.resume:
        # Reading through the source may take long.
        target.refuse(job.source, job.overwrite)
    opened = with_empty_texts(open_rows(job.source, job.reading), job.text_columns)
    source = with_export_texts(opened, job.text_columns)
    require_columns(source, job.text_columns, "columns of texts")
    require_in_all_files(source, job.text_columns)
    require_columns(source, job.columns or (), "the columns to carry through")
    parts, identity = PartFolder(target.parts), _identity(job)
    tally = Tally()
    with only_writer_of_file(target.local), full_disk_named(target.local.parent):
        evidence = {"source": _source_identity(job), "target": target.identity()}
        if job.resume and parts.was_finished(identity, evidence):
            parts.remove()
            return _result(target)
        target.refuse(job.source, job.overwrite)
        parts.begin(identity, job.resume, job.overwrite)
        try:
            if job.on_error == "raise":
                check_texts_of(source, job.text_columns, PART_ROWS)
            else:
                check_conversions(source.sources, source.schema)
            done = list(_parts(job, source, parts, rows, tally))
        except Exception:
            parts.remove_if_empty()
            raise
        carried = [source.schema.field(name) for name in _carried(job, source)]
        _publish(target, parts, done, pa.schema(carried), _source_identity(job))
    _tell(job, tally)
    return _result(target)


def _parts(
    job: FilePrediction, source: Rows, parts: PartFolder, rows: RowFunction, tally: Tally
) -> Iterator[str]:
    """Make the missing parts, and yield the fingerprint of each part's input."""
    carried = _carried(job, source)
    used = [name for name in source.schema.names if name in {*carried, *job.text_columns}]
    skip = job.on_error == "skip"
    columns = Columns(tuple(carried), job.prefix, skip)
    how = RowPrediction(rows, job.text_columns, skip, job.types)
    first = 0
    with progress_bar(desc=f"predict {Path(source.name).name}", unit="rows", delay=1) as bar:
        bar.total = source.count
        for number, whole in enumerate(source.parts(PART_ROWS)):
            batch = whole.select(used)
            fingerprint = batch_fingerprint(batch)
            if not parts.has(number, fingerprint):
                found = row_texts(batch, job.text_columns, source.text_cells)
                predicted = predicted_rows(how, found, first)
                tally.add(predicted, first)
                output = output_batch(
                    batch.select(carried), added_columns(predicted, columns, job.types)
                )
                parts.write(number, fingerprint, output)
            yield fingerprint
            first += batch.num_rows
            bar.update(batch.num_rows)


def _carried(job: FilePrediction, source: Rows) -> list[str]:
    return list(source.schema.names if job.columns is None else job.columns)


def _publish(
    target: Target,
    parts: PartFolder,
    done: Sequence[str],
    empty: pa.Schema,
    source: list[int] | None,
) -> None:
    """Write the parts as one file, and move it to the target."""
    schema = parts.schema(done) if done else empty
    write_rows(parts.batches(done, schema), schema, target.new, target.format)
    parts.finish({"source": source, "target": file_identity(target.new)})
    target.publish()
    parts.remove()


def _tell(job: FilePrediction, tally: Tally) -> None:
    warn_truncated(tally.limit, tally.truncated, tally.texts, str(job.source))
    if tally.first_error is not None:
        row, error = tally.first_error
        warnings.warn(
            f"{tally.skipped} rows of {job.source} were skipped; the column {ERROR!r} says why. The "
            f"first is row {row}: {error}",
            DataWarning,
            stacklevel=user_level(),
        )


def _result(target: Target) -> Path | str:
    return target.local if target.address is None else target.address


def _source_identity(job: FilePrediction) -> list[int] | None:
    return file_identity(Path(job.source))


def _identity(job: FilePrediction) -> dict[str, Any]:
    is_path = isinstance(job.source, Path) or "://" not in job.source
    return {
        "source": str(Path(job.source).absolute()) if is_path else job.source,
        "text_columns": list(job.text_columns),
        "columns": None if job.columns is None else list(job.columns),
        "prefix": job.prefix,
        "on_error": job.on_error,
        **job.answer,
        "part_rows": PART_ROWS,
    }
