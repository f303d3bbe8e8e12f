"""What is known about the parts in a folder: the plan, what is done, and what has failed.

``plan.json`` is the plan, ``parts/`` the predicted rows, ``done/`` one record per finished part and
``failed/`` one per failed part. A part counts only if there is a record with its size, which is in the
record's name, so that a listing tells what is finished.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clx.errors import DataFormatError, RunExistsError
from clx.ml.batch.place import Place
from clx.ml.batch.plan import PLAN, Part, Plan, plan_of
from clx.problems import examples

PARTS, DONE, FAILED = "parts", "done", "failed"
OURS = frozenset({PLAN, f"{PARTS}/", f"{DONE}/", f"{FAILED}/"})


@dataclass(frozen=True)
class Record:
    """A finished part.

    Attributes:
        rows: the number of rows.
        errors: how many of them have no prediction.
        truncated: how many texts were truncated.
        limit: the most tokens of a text that the model reads, None if that is not known.
        first_error: the row of the file and the error of the first row without a prediction.
        seconds: how long it took.
        ended: when it was finished, in seconds since 1970.
        size: the size of its file in bytes.
        run: the identity of the run.
        worker: the machine and process.
    """

    rows: int
    errors: int
    truncated: int
    limit: int | None
    first_error: tuple[int, str] | None
    seconds: float
    ended: float
    size: int
    run: str
    worker: str


@dataclass(frozen=True)
class Failure:
    """A part that failed.

    Attributes:
        rows: what it was, such as ``rows 0 to 99 of texts.csv``.
        cause: why it failed.
        attempts: how often it was tried.
        worker: the machine and process that tried it last.
    """

    rows: str
    cause: str
    attempts: int
    worker: str


class Records:
    """The files of a prediction in parts, in a folder.

    Args:
        place: the folder.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def plan(self) -> Plan | None:
        """Return the plan, None if there is none.

        Raises:
            RunDirError: the plan is damaged.
        """
        content = self.place.read(PLAN)
        return None if content is None else plan_of(content, self.place.name)

    def begin(self, plan: Plan) -> None:
        """Write a plan, and remove the parts of an earlier one that it does not have.

        Another worker may have begun the same plan, so nothing that belongs to it is removed.
        """
        keep = {part.name for part in plan.parts()}
        for folder in (DONE, FAILED, PARTS):
            for name in self.place.sizes(folder):
                if name.removeprefix(".").partition(".")[0] not in keep:
                    self.place.remove(f"{folder}/{name}")
        self._write(PLAN, plan.to_json())

    def refuse_others(self) -> None:
        """Refuse a folder that holds anything else.

        Raises:
            RunExistsError: the message names some of it.
        """
        others = [
            name for name in self.place.sizes() if name not in OURS and not name.startswith(".")
        ]
        if others:
            raise RunExistsError(
                f"{self.place.name} holds other files ({examples(others)}): the parts of a prediction "
                f"need a folder of their own"
            )

    def finished(self, parts: Iterable[Part]) -> dict[Part, int]:
        """Return the finished parts, in order, with the sizes of their files."""
        done, files = self.place.sizes(DONE), self.place.sizes(PARTS)
        return {
            part: size
            for part in parts
            if (size := files.get(f"{part.name}.parquet")) is not None
            and _done_name(part, size) in done
        }

    def missing(self, parts: Iterable[Part]) -> list[Part]:
        """Return the parts that are not finished, in order."""
        parts = list(parts)
        finished = self.finished(parts)
        return [part for part in parts if part not in finished]

    def record(self, part: Part, size: int) -> Record | None:
        """Return the record of a finished part whose file has this size, None if it is damaged."""
        content = self.place.read(f"{DONE}/{_done_name(part, size)}")
        values = _values(content)
        if values is None:
            return None
        first = values.get("first_error")
        try:
            return Record(**{**values, "first_error": None if first is None else tuple(first)})
        except TypeError:
            return None

    def failures(self, parts: Iterable[Part]) -> dict[Part, Failure]:
        """Return the parts that failed, in order, and why."""
        names = self.place.sizes(FAILED)
        found = {}
        for part in parts:
            if f"{part.name}.json" in names:
                values = _values(self.place.read(f"{FAILED}/{part.name}.json"))
                if values is not None:
                    found[part] = Failure(**values)
        return found

    def write_part(self, part: Part, fill: Callable[[Path], None]) -> int:
        """Write the rows of a part, and return the size of the file."""
        return self.place.write(f"{PARTS}/{part.name}.parquet", fill)

    def finish(self, part: Part, record: Record) -> None:
        """Write the record of a part, which makes it count."""
        self._write(f"{DONE}/{_done_name(part, record.size)}", json.dumps(asdict(record)).encode())
        self.place.remove(f"{FAILED}/{part.name}.json")

    def fail(self, part: Part, failure: Failure) -> None:
        """Write why a part failed."""
        self._write(f"{FAILED}/{part.name}.json", json.dumps(asdict(failure)).encode())

    @contextlib.contextmanager
    def open_part(self, part: Part) -> Iterator[Any]:
        """Open the predicted rows of a part as a parquet file.

        Raises:
            DataFormatError: the file is damaged, or has another number of rows.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self.place.open(f"{PARTS}/{part.name}.parquet") as file:
            try:
                opened = pq.ParquetFile(file)
            except (OSError, pa.ArrowException) as error:
                raise DataFormatError(f"The part with {part} cannot be read: {error}") from error
            if opened.metadata.num_rows != part.rows:
                raise DataFormatError(
                    f"The part with {part} has {opened.metadata.num_rows} rows instead of {part.rows}"
                )
            yield opened

    def _write(self, name: str, content: bytes) -> None:
        def fill(path: Path) -> None:
            path.write_bytes(content)

        self.place.write(name, fill)


def _done_name(part: Part, size: int) -> str:
    return f"{part.name}.{size}.json"


def _values(content: bytes | None) -> dict[str, Any] | None:
    try:
        values = json.loads(content or b"null")
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
