"""A prediction in parts, as every worker gets it: the run, the inputs, the folder, and the plan."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataFormatError, ResumeError
from clx.ml.batch.causes import may_pass
from clx.ml.batch.inputs import Input, current_fingerprint, inputs_of
from clx.ml.batch.place import place_at
from clx.ml.batch.plan import Part, Plan, Wish, check_part_rows, make_plan
from clx.ml.batch.position import Position
from clx.ml.batch.predictor import Predictor
from clx.ml.batch.records import Record, Records
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.tables.formats import FileFormat
from clx.ml.data.tables.writing import write_rows
from clx.ml.machine.disk import full_disk_named
from clx.ml.prediction.record_batch import output_batch
from clx.ml.prediction.text_rows import row_texts
from clx.problems import raise_problems

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = FileFormat("parquet")


@dataclass(frozen=True)
class PartsJob:
    """What a worker needs to predict any part. It can be pickled.

    Attributes:
        predictor: the run and the options of the prediction.
        inputs: the files, in the order of the plan.
        directory: the folder of the parts: a path or an address.
        plan: which rows are which part.
        reading: how to read the files.
    """

    predictor: Predictor
    inputs: tuple[Input, ...]
    directory: str
    plan: Plan
    reading: Reading = DEFAULT_READING

    def records(self) -> Records:
        """Return what is known about the parts."""
        return Records(place_at(self.directory))

    def worker(self, check: Any = None) -> PartsWorker:
        """Return what predicts the parts in this process, after checking that it can.

        Args:
            check: called between the batches of a part; raises to stop.

        Raises:
            ClxError: this machine cannot read the run or the inputs.
        """
        self.predictor.schema()
        return PartsWorker(self, check or (lambda: None))


@dataclass
class PartsWorker:
    """Predicts parts in sequence. Parts of one file in ascending order read it once.

    Attributes:
        job: the job.
        check: called between the batches of a part; raises to stop.
    """

    job: PartsJob
    check: Any
    _open: Position | None = field(default=None, repr=False)
    _inputs: dict[str, Input] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._inputs = {each.fingerprint: each for each in self.job.inputs}

    def __call__(self, part: Part) -> Record:
        """Predict a part, write it, and return its record.

        Raises:
            DataFormatError: the file changed or cannot be read, or, with ``on_error="raise"``, a row
                has no valid text.
            OSError: the network or a file system failed, which may pass.
        """
        try:
            return self._done(part)
        except DataFormatError as error:
            if may_pass(error):
                raise OSError(str(error)) from error
            raise

    def _done(self, part: Part) -> Record:
        job, began = self.job, time.time()
        given = self._inputs[part.fingerprint]
        if current_fingerprint(given) != part.fingerprint:
            raise DataFormatError(
                f"{part.source} changed after the prediction began: restore it, or start again with "
                f"overwrite=True"
            )
        tally = _Tally()
        schema = job.plan.output_schema()
        records = job.records()
        with full_disk_named(Path(job.directory).parent if "://" not in job.directory else Path()):
            size = records.write_part(
                part,
                lambda path: write_rows(self._output(part, given, tally), schema, path, PARQUET),
            )
        if tally.rows != part.rows:
            raise DataFormatError(
                f"{part.source} has {part.first + tally.rows} rows where the plan has "
                f"{part.first + part.rows}: it changed. Start again with overwrite=True"
            )
        ended = time.time()
        record = Record(
            rows=part.rows,
            errors=tally.errors,
            truncated=tally.truncated,
            limit=tally.limit,
            first_error=tally.first_error,
            seconds=round(ended - began, 3),
            ended=round(ended, 3),
            size=size,
            run=job.predictor.identity,
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )
        records.finish(part, record)
        return record

    def _output(self, part: Part, given: Input, tally: _Tally) -> Iterator[pa.RecordBatch]:
        plan, predictor = self.job.plan, self.job.predictor
        first = part.first
        for batch in self._rows(part, given):
            self.check()
            texts = row_texts(batch, predictor.text_columns, plan.text_cells)
            try:
                predicted = predictor.predicted(texts, first)
            except DataFormatError as error:
                raise DataFormatError(f"{part.source}: {error}") from error
            tally.add(predicted, first, batch.num_rows)
            added = predictor.added(predicted, plan.columns)
            yield output_batch(batch.select(list(plan.columns)), added)
            first += batch.num_rows

    def _rows(self, part: Part, given: Input) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a part in batches, reading on where the last part ended."""
        place = self._open
        if place is None or place.fingerprint != part.fingerprint or place.row > part.first:
            rows = given.rows(self.job.reading, self.job.predictor.text_columns, part.first)
            schema = self.job.plan.read_schema()
            place = self._open = Position(rows, schema, part.fingerprint, part.first)
        try:
            yield from place.take(part.first, part.rows)
        except BaseException:
            self._open = None
            raise


@dataclass
class _Tally:
    rows: int = 0
    errors: int = 0
    truncated: int = 0
    limit: int | None = None
    first_error: tuple[int, str] | None = None

    def add(self, predicted: Any, first: int, rows: int) -> None:
        self.rows += rows
        self.errors += len(predicted.errors)
        self.truncated += predicted.truncated
        self.limit = self.limit if predicted.limit is None else predicted.limit
        if predicted.errors and self.first_error is None:
            place = min(predicted.errors)
            self.first_error = (first + place, predicted.errors[place])


def begin_job(
    predictor: Predictor,
    sources: Sequence[str | os.PathLike[str]],
    directory: str | os.PathLike[str],
    reading: Reading,
    part_rows: int,
    overwrite: bool,
) -> PartsJob:
    """Return the job for a folder: that of an earlier call with the same plan, or a new one.

    Args:
        predictor: the run and the options of the prediction.
        sources: files, folders, globs and addresses.
        directory: the folder of the parts: a path or an address.
        reading: how to read the files.
        part_rows: the most rows of a part.
        overwrite: replace the plan of an earlier call. Parts stay if only other files changed.

    Raises:
        ConfigError: there are no sources.
        DataFormatError: a file cannot be read, or lacks a column.
        ResumeError: the folder has another plan; the message says what differs.
        RunExistsError: the folder holds other files.
    """
    if not sources:
        raise ConfigError("There is nothing to predict: pass files, folders, globs or addresses")
    place = place_at(directory)
    records = Records(place)
    records.refuse_others()
    inputs = inputs_of(sources)
    answer = _answer(predictor, reading, check_part_rows(part_rows))
    plan = _planned(records, answer, inputs, overwrite)
    if plan is None:
        before = records.plan()
        # How a file is read decides how many rows it has.
        known = before.files if before is not None and dict(before.answer) == answer else ()
        counts = {file.fingerprint: file.rows for file in known}
        wish = Wish(answer, predictor.text_columns, predictor.columns, reading, part_rows)
        made = make_plan(inputs, wish, counts, predictor.schema)
        # Counting rows can take long, and another worker may have begun meanwhile.
        plan = _planned(records, answer, inputs, overwrite)
        if plan is None:
            plan = made
            records.begin(plan)
    return PartsJob(predictor, tuple(inputs), place.name, plan, reading)


def _planned(
    records: Records, answer: dict[str, Any], inputs: Sequence[Input], overwrite: bool
) -> Plan | None:
    """Return the plan in the folder if it is for this prediction, None if one must be made."""
    before = records.plan()
    if before is None:
        return None
    if dict(before.answer) == answer and _files(before) == _files_of(inputs):
        return before
    if not overwrite:
        raise_problems(
            ResumeError,
            f"The prediction in {records.place.name} differs from this one:",
            _differences(before, answer, inputs),
            "Restore what changed, choose another folder, or pass overwrite=True to start again. "
            "Parts of unchanged files are kept if only files changed.",
        )
    return None


def _answer(predictor: Predictor, reading: Reading, part_rows: int) -> dict[str, Any]:
    header = reading.header
    return {
        "run": predictor.identity,
        "text_columns": list(predictor.text_columns),
        "columns": None if predictor.columns is None else list(predictor.columns),
        "prefix": predictor.prefix,
        "all_scores": predictor.all_scores,
        "min_score": predictor.min_score,
        "backend": predictor.backend,
        "on_error": predictor.on_error,
        "separator": reading.separator,
        "encoding": reading.encoding,
        "header": header if isinstance(header, bool) else list(header),
        "part_rows": part_rows,
    }


def _files(plan: Plan) -> list[tuple[str, str]]:
    return [(file.name, file.fingerprint) for file in plan.files]


def _files_of(inputs: Sequence[Input]) -> list[tuple[str, str]]:
    return [(given.name, given.fingerprint) for given in inputs]


def _differences(plan: Plan, answer: dict[str, Any], inputs: Sequence[Input]) -> list[str]:
    problems = [
        f"{name} was {plan.answer.get(name)!r} and is {value!r}"
        if name != "run"
        else "the run was trained again, or is a different run"
        for name, value in answer.items()
        if plan.answer.get(name) != value
    ]
    before, now = dict(_files(plan)), dict(_files_of(inputs))
    changed = [name for name in now if name in before and before[name] != now[name]]
    for what, found in (
        ("changed", changed),
        ("are new", [name for name in now if name not in before]),
        ("are missing", [name for name in before if name not in now]),
    ):
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            problems.append(f"files that {what}: {', '.join(found[:5])}{more}")
    return problems or ["the files are in another order"]
