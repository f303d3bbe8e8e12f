"""Estimate what a prediction costs: rows, tokens, time, memory, output. Nothing is written."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataFormatError
from clx.ml.batch.apart import measure_apart
from clx.ml.batch.measuring import SECONDS, Measured, Measuring, Predictions
from clx.ml.batch.plan import PART_ROWS
from clx.ml.batch.tokens import SampledTexts, sampled_texts
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.tables.formats import FileFormat
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.samples import COUNTED, Places, Run, sample_sources, starts_of
from clx.ml.data.tables.writing import write_rows
from clx.ml.machine.progress import with_progress
from clx.ml.prediction.predict_file import PART_ROWS as BATCH_ROWS
from clx.ml.prediction.record_batch import PredictedRows, added_columns, output_batch
from clx.ml.prediction.text_rows import require_columns, row_texts, with_export_texts
from clx.ml.results.estimates import BackendEstimate, Estimate, Shards
from clx.problems import cell
from clx_runtime.columns import Columns

if TYPE_CHECKING:
    import pyarrow as pa

    from clx.ml.task.task import Task

PLACES = Places(runs=4, rows=2048)
"""How much of a source is sampled: two windows of a CPU, from each of four places."""

MOST_CHARACTERS = 8_000_000
"""The most characters that all sampled texts may have together."""

NOISE = 0.1
"""The relative difference in speed between runs on one machine."""

WIDEST = 0.6
"""The largest relative distance of a range's ends from its middle."""

PARQUET = FileFormat("parquet")


@dataclass(frozen=True)
class EstimateRequest:
    """What to estimate.

    Attributes:
        name: the source in the result.
        text_columns: the columns of texts.
        columns: the input columns to carry through, None for all.
        prefix: the prefix of the names of the predicted columns.
        form: the format of the output, None if there is no file.
        part_rows: the rows of a part.
        shards: the number of shards, None if one process predicts all rows.
        seconds: how long to measure each backend.
    """

    name: str
    text_columns: tuple[str, ...] = ("text",)
    columns: tuple[str, ...] | None = None
    prefix: str = ""
    form: FileFormat | None = PARQUET
    part_rows: int = PART_ROWS
    shards: int | None = None
    seconds: float = SECONDS


@dataclass(frozen=True)
class SampledRows:
    """The rows to estimate, known by their number and a sample.

    Attributes:
        rows: the number of rows.
        counted: how the number is known.
        error: its relative standard error.
        texts: the valid texts of each run of consecutive rows.
        tables: the rows of each run, in the same order; empty for texts without a file.
        files: the number of files.
    """

    rows: int
    counted: str
    error: float
    texts: tuple[list[str], ...]
    tables: tuple[Run, ...] = ()
    files: int = 1


def rows_of_texts(texts: Sequence[str]) -> SampledRows:
    """Return texts in memory as sampled rows."""
    starts = starts_of(len(texts), PLACES)
    runs = [list(texts[start : start + PLACES.rows]) for start in starts]
    return _limited(SampledRows(len(texts), COUNTED, 0.0, tuple(runs)))


def rows_of_sources(
    sources: Sequence[str], columns: Sequence[str], reading: Reading = DEFAULT_READING
) -> SampledRows:
    """Return the rows of files, counted and sampled.

    Raises:
        DataFormatError: a source cannot be read, or lacks a column.
    """
    found = sample_sources(sources, reading, PLACES)
    texts, tables = [], []
    for run in found.runs:
        rows = _with_texts(run, columns)
        require_columns(rows, columns, "columns of texts")
        for batch in rows.parts(PLACES.rows):
            read = row_texts(batch, columns, run.text_cells)
            good = [text for place, text in enumerate(read.texts) if place not in read.errors]
            texts.append(good)
            tables.append(replace(run, rows=rows.table()))
    return _limited(
        SampledRows(found.rows, found.how, found.error, tuple(texts), tuple(tables), found.files),
    )


def _with_texts(run: Run, columns: Sequence[str]) -> Rows:
    table = run.rows
    rows = Rows("the sample", table.schema, lambda: iter(table.to_batches()), table.num_rows)
    return with_export_texts(rows, columns)


def _limited(rows: SampledRows) -> SampledRows:
    """Return fewer texts of each run if the texts are very long.

    Raises:
        DataFormatError: there are no texts.
    """
    characters = sum(len(text) for texts in rows.texts for text in texts)
    count = sum(map(len, rows.texts))
    if not count:
        raise DataFormatError(
            "There is nothing to estimate: the source has no rows"
            + (" with a valid text" if rows.rows else "")
        )
    share = min(1.0, MOST_CHARACTERS / max(1, characters))
    texts = tuple(run[: max(1, math.ceil(len(run) * share))] for run in rows.texts if run)
    return replace(rows, texts=texts)


def estimate_prediction(
    task: Task,
    request: EstimateRequest,
    rows: SampledRows,
    engines: Mapping[str, Callable[[], Predictions]],
) -> Estimate:
    """Return what the prediction of the rows costs on this machine.

    Args:
        task: the run.
        request: what to estimate.
        rows: the rows.
        engines: backend → a function that loads it. It can be pickled.
    """
    texts = sampled_texts(task, rows.texts)
    shards = None if request.shards is None else _shards(rows, request)
    output: list[tuple[float, float]] = []
    backends = []
    for name in with_progress(list(engines), "estimate", "backends", {}):
        measured = measure_apart(Measuring(engines[name], texts, request.seconds))
        if measured.problem is None and request.form is not None and not output:
            output.append(_written(request, request.form, rows, measured))
        seconds = output[0][1] if output else 0.0
        backends.append(_of_backend(name, measured, (rows, texts, shards), seconds))
    return Estimate(
        source=request.name,
        rows=rows.rows,
        counted=rows.counted,
        rows_error=round(rows.error, 3),
        tokens=texts.tokens(),
        backends=tuple(backends),
        output=round(output[0][0] * rows.rows) if output else None,
        shards=shards,
    )


def _of_backend(
    name: str,
    measured: Measured,
    about: tuple[SampledRows, SampledTexts, Shards | None],
    write_seconds: float,
) -> BackendEstimate:
    """Return the estimate of a backend from its measurement.

    Args:
        name: the backend.
        measured: its measurement.
        about: the rows, their texts, and how they are divided.
        write_seconds: the seconds per row of making and writing the output.
    """
    if measured.problem is not None:
        return BackendEstimate(name, problem=measured.problem)
    rows, texts, shards = about
    per_row, error = texts.computed(min(measured.window, BATCH_ROWS))
    row_seconds = measured.token_seconds * per_row + write_seconds
    middle = row_seconds * rows.rows
    spread = 2 * math.hypot(measured.error, error if rows.rows > texts.rows else 0.0, rows.error)
    spread = min(WIDEST, NOISE + spread)
    low, high = middle * (1 - spread), middle * (1 + spread)
    share = None if shards is None else shards.rows / max(1, rows.rows)
    return BackendEstimate(
        backend=name,
        low=low,
        high=high,
        start=measured.start,
        rows_per_second=1 / row_seconds if row_seconds else None,
        memory=measured.memory,
        device_memory=measured.device_memory,
        shard=None if share is None else (low * share, high * share),
    )


def check_count(count: Any, name: str, least: int = 1) -> int | None:
    """Return a number of shards or folds, None for None.

    Raises:
        ConfigError: it is not a whole number of at least ``least``.
    """
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or count < least:
        raise ConfigError(
            f"{name} must be a whole number of at least {least}, but is {cell(count)}"
        )
    return count


def _shards(rows: SampledRows, request: EstimateRequest) -> Shards:
    """Return how the rows are divided, if all files have the same number of rows."""
    count = request.shards or 1
    by_file = max(1, -(-rows.rows // rows.files))
    part = min(by_file, request.part_rows)
    parts = rows.files * -(-by_file // request.part_rows)
    longest = min(rows.rows, -(-parts // count) * part)
    return Shards(count, parts, longest, max(0, count - parts))


def _written(
    request: EstimateRequest, form: FileFormat, rows: SampledRows, measured: Measured
) -> tuple[float, float]:
    """Return the bytes and the seconds per row of an output, from a temporary file."""
    batches = list(filter(None, (_output(request, run, measured) for run in rows.tables)))
    if not batches:
        return 0.0, 0.0
    largest = max(batches, key=len)
    count = largest.num_rows
    with tempfile.TemporaryDirectory(prefix="clx-estimate-") as folder:
        path = Path(folder) / "rows"
        write = partial(write_rows, [largest], largest.schema, path, form)
        write()
        began = time.perf_counter()
        write()
        return path.stat().st_size / count, (time.perf_counter() - began) / count


def _output(request: EstimateRequest, run: Run, measured: Measured) -> pa.RecordBatch | None:
    """Return the rows of a run whose texts were predicted, with their predictions."""
    rows = _with_texts(run, request.text_columns)
    for batch in rows.parts(PLACES.rows):
        texts = row_texts(batch, request.text_columns, run.text_cells).texts
        found = [place for place, text in enumerate(texts) if text in measured.predicted]
        if not found:
            return None
        carried = request.columns or tuple(run.rows.schema.names)
        predicted = [measured.predicted[texts[place]] for place in found]
        columns = Columns(
            tuple(name for name in carried if name in batch.schema.names), request.prefix
        )
        rows_found = PredictedRows(list(predicted), {}, len(predicted), 0, None)
        kept = batch.take(found).select(list(columns.carried))
        return output_batch(kept, added_columns(rows_found, columns))
    return None
