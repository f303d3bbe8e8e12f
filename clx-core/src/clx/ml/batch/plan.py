"""The plan of a prediction in parts: which rows of which files are which part.

It depends on the inputs and the options alone, so that any number of workers make the same one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, RunDirError
from clx.ml.batch.inputs import Input
from clx.ml.data.reading import Reading
from clx.ml.data.tables.rows import check_conversions, joined_rows
from clx.ml.machine.progress import progress_bar
from clx.ml.prediction.text_rows import require_columns, require_in_all_files
from clx.problems import cell

if TYPE_CHECKING:
    import pyarrow as pa

PLAN = "plan.json"
SCHEMA_VERSION = 1

PART_ROWS = 8192
"""The most rows of a part (see docs/background/large-predictions.md for how it was chosen)."""


@dataclass(frozen=True)
class Part:
    """A range of rows of one file.

    Attributes:
        source: the name of the file.
        fingerprint: identifies the content of the file.
        first: the number of the first row in the file, counted from 0.
        rows: the number of rows.
        answer: identifies the run, the options and the columns, so that the parts of a worker that
            still follows an earlier plan are not taken for those of the present one.
    """

    source: str
    fingerprint: str
    first: int
    rows: int
    answer: str

    @property
    def name(self) -> str:
        """The name of its files, without a suffix."""
        return f"{self.fingerprint}-{self.first:012d}-{self.rows}-{self.answer}"

    def __str__(self) -> str:
        return f"rows {self.first} to {self.first + self.rows - 1} of {self.source}"


@dataclass(frozen=True)
class PlannedFile:
    """A file of the plan.

    Attributes:
        name: the file.
        fingerprint: identifies its content.
        rows: the number of its rows.
    """

    name: str
    fingerprint: str
    rows: int


@dataclass(frozen=True)
class Plan:
    """What a prediction in parts reads and writes.

    Attributes:
        answer: everything that the predictions depend on besides the inputs, such as run and backend.
        files: the inputs, in order.
        part_rows: the most rows of a part.
        text_cells: whether every cell of the inputs is text, as in a csv file.
        columns: the columns of the inputs that are carried through, in order.
        schema: the columns to read, serialized by Arrow.
        output: the columns to write, serialized by Arrow.
    """

    answer: Mapping[str, Any]
    files: tuple[PlannedFile, ...]
    part_rows: int
    text_cells: bool
    columns: tuple[str, ...]
    schema: str
    output: str

    def parts(self) -> list[Part]:
        """Return the parts, in the order of the rows."""
        values = [dict(self.answer), self.columns, self.schema, self.output]
        answer = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:8]
        return [part for file in self.files for part in _parts_of(file, self.part_rows, answer)]

    @property
    def rows(self) -> int:
        """The number of rows of all inputs."""
        return sum(file.rows for file in self.files)

    def read_schema(self) -> pa.Schema:
        """Return the columns to read, with one type for all files."""
        return _schema_of(self.schema)

    def output_schema(self) -> pa.Schema:
        """Return the columns that every part has."""
        return _schema_of(self.output)

    def to_json(self) -> bytes:
        """Return the content of ``plan.json``."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=1).encode()


def plan_of(content: bytes, where: str) -> Plan:
    """Return the plan in the content of ``plan.json``.

    Raises:
        RunDirError: the content is damaged, or a newer clx wrote it.
    """
    try:
        values = json.loads(content)
        if values.pop("schema_version") > SCHEMA_VERSION:
            raise RunDirError(f"A newer clx wrote the plan in {where}: pip install -U clx-core")
        files = tuple(PlannedFile(**each) for each in values.pop("files"))
        columns = tuple(values.pop("columns"))
        return Plan(files=files, columns=columns, **values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunDirError(
            f"The plan in {where} is damaged ({error}): use overwrite=True"
        ) from error


@dataclass(frozen=True)
class Wish:
    """The arguments of a plan.

    Attributes:
        answer: everything that the predictions depend on besides the inputs.
        text_columns: the columns of texts.
        columns: the columns to carry through, None for all.
        reading: how to read the files.
        part_rows: the most rows of a part.
    """

    answer: Mapping[str, Any]
    text_columns: tuple[str, ...]
    columns: tuple[str, ...] | None
    reading: Reading
    part_rows: int = PART_ROWS


def make_plan(
    inputs: Sequence[Input],
    wish: Wish,
    counts: Mapping[str, int],
    added: Callable[[Sequence[str]], pa.Schema],
) -> Plan:
    """Return the plan for some inputs.

    The rows of parquet files are counted by their footers. Other files are read once for it.

    Args:
        inputs: the files.
        wish: what to plan.
        counts: the known numbers of rows, by the fingerprint of the file.
        added: returns the columns of the predictions beside the carried columns; raises if a name
            is taken.

    Raises:
        DataFormatError: a file cannot be read, lacks a column of texts, or has columns whose types
            cannot be combined with those of another file.
    """
    import pyarrow as pa

    opened = [each.rows(wish.reading, wish.text_columns) for each in inputs]
    joined = joined_rows(inputs[0].name if len(inputs) == 1 else f"{len(inputs)} files", opened)
    require_columns(joined, wish.text_columns, "columns of texts")
    require_in_all_files(joined, wish.text_columns)
    require_columns(joined, wish.columns or (), "the columns to carry through")
    columns = tuple(joined.schema.names) if wish.columns is None else wish.columns
    used = [name for name in joined.schema.names if name in {*columns, *wish.text_columns}]
    schema = pa.schema([joined.schema.field(name).remove_metadata() for name in used])
    check_conversions(opened, schema)
    files = []
    with progress_bar(inputs, desc="count rows", unit="files", delay=1) as bar:
        for given, rows in zip(bar, opened, strict=True):
            count = counts.get(given.fingerprint, rows.count)
            if count is None:
                count = sum(batch.num_rows for batch in rows.read())
            files.append(PlannedFile(given.name, given.fingerprint, count))
    output = pa.schema([*(schema.field(name) for name in columns), *added(columns)])
    return Plan(
        answer=dict(wish.answer),
        files=tuple(files),
        part_rows=wish.part_rows,
        text_cells=joined.text_cells,
        columns=columns,
        schema=_serialized(schema),
        output=_serialized(output),
    )


def _serialized(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _schema_of(serialized: str) -> pa.Schema:
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(serialized)))


def check_part_rows(part_rows: Any) -> int:
    """Return the most rows of a part.

    Raises:
        ConfigError: the value is not a whole number of at least 1.
    """
    if isinstance(part_rows, bool) or not isinstance(part_rows, int) or part_rows < 1:
        raise ConfigError(
            f"part_rows must be a whole number of at least 1, but is {cell(part_rows)}"
        )
    return part_rows


def _parts_of(file: PlannedFile, part_rows: int, answer: str) -> Iterator[Part]:
    for first in range(0, file.rows, part_rows):
        rows = min(part_rows, file.rows - first)
        yield Part(file.name, file.fingerprint, first, rows, answer)
