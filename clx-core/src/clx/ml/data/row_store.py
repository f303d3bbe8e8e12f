"""Copies of files as uncompressed Arrow files in the cache, whose rows can be read by position.

A copy is complete or absent. The next training that reads the same unchanged files uses it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from clx.ml.data.arrow_rows import DIGEST_ROWS, BatchRows, is_mappable, mapped
from clx.ml.data.lazy_rows import LazyRows
from clx.ml.data.reading import Reading
from clx.ml.data.tables.fingerprints import batch_fingerprint
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.sources import matching_files, open_rows
from clx.ml.data.tables.streams import FileSource
from clx.ml.machine.distributed import is_main_process
from clx.ml.machine.progress import progress_bar
from clx.ml.machine.running import is_running
from clx.ml.run_directory.files import fsync, write_json, writing
from clx.ml.run_directory.staging import remove
from clx.settings import cache_dir
from clx_runtime.files import read_json_or_empty

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
"""Part of each key: a copy of another format is not used."""

ROWS, COMPLETE, NEW = "rows.arrow", "complete.json", ".new"

UNUSED_S = 14 * 24 * 3600
"""The time without use after which a copy is removed."""


def rows_on_disk(source: str | os.PathLike[str], reading: Reading) -> LazyRows:
    """Return the rows of files by position, from the files themselves or from a copy.

    Uncompressed local Arrow files are used where they are. Anything else is copied once.

    Args:
        source: as for :func:`open_rows`.
        reading: how the caller wants text files to be read.

    Raises:
        DataFormatError: there is no such source, or it is not valid.
        DiskFullError: there is no space for the copy. Nothing of it is left.
        RunDirError: the cache folder cannot be written.
    """
    reading = replace(reading, lazily=False)
    files = matching_files(os.fspath(source))
    in_place = _mappable(files)
    if in_place:
        return BatchRows(files=in_place)
    return RowStore(cache_dir() / "rows").rows(
        _key(source, files, reading), lambda: open_rows(source, reading)
    )


def _mappable(files: Sequence[FileSource]) -> list[Path]:
    """Return the paths of the files if all of them can be used where they are, else an empty list."""
    paths = []
    for file in files:
        plain = file.format.kind == "arrow" and file.format.compression is None
        # A folder such as ``year=2024`` adds a column.
        if not plain or not isinstance(file.path, Path) or "=" in (file.inside or ""):
            return []
        if not is_mappable(file.path):
            return []
        paths.append(file.path)
    schemas = [mapped(path).schema for path in paths]
    return paths if all(schema.equals(schemas[0]) for schema in schemas) else []


def _key(
    source: str | os.PathLike[str], files: Sequence[FileSource], reading: Reading
) -> str | None:
    """Return a name that changes when the files do; None if changes cannot be noticed."""
    if not files or not all(isinstance(file.path, Path) for file in files):
        return None
    found = []
    for file in files:
        path = Path(file.path).resolve()
        state = path.stat()
        if not path.is_file():
            # Such as a named pipe, which can be read once.
            return None
        known = (str(path), file.inside, file.sheet, state.st_size, state.st_mtime_ns)
        found.append((*known, state.st_ino))
    how = (reading.separator, reading.encoding, reading.header)
    content = json.dumps([FORMAT, os.fspath(source), found, how], default=list)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class RowStore:
    """A folder of copies. Each has a folder of its own, and a lock beside it while it is made.

    Args:
        folder: the folder, which may not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, key: str | None, opened: Callable[[], Rows]) -> LazyRows:
        """Return the rows of a copy, which is made if it is absent.

        Args:
            key: the name of the copy. None makes one that is removed when it is no longer used.
            opened: opens the source.

        Raises:
            DiskFullError: there is no space for the copy.
        """
        name = key or f"{_of_this_machine()}-{os.getpid()}-{uuid.uuid4().hex[:16]}"
        place = self._folder / name
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            if is_main_process():
                self.sweep()
            # The system releases the lock of a process that is killed.
            with FileLock(self._lock(place)):
                if not (place / COMPLETE).is_file():
                    self._make(place, opened())
                os.utime(place / COMPLETE)
        record = read_json_or_empty(place / COMPLETE)
        rows = BatchRows(files=[place / ROWS], digest=record.get("digest"))
        if key is None:
            _remove_later(rows, [place, self._lock(place)])
        return rows

    def _make(self, place: Path, rows: Rows) -> None:
        """Write a copy, and put it into its place when it is complete."""
        new = place.with_name(place.name + NEW)
        # Left by a process that was killed: this one holds the lock.
        remove(new)
        remove(place)
        new.mkdir()
        try:
            record = _write(new / ROWS, rows)
            fsync(new / ROWS)
            write_json(new / COMPLETE, {"format": FORMAT, **record})
            fsync(new)
            new.rename(place)
        except BaseException:
            remove(new)
            raise

    def sweep(self) -> None:
        """Remove copies that were not used for a long time, and what killed processes left."""
        now = time.time()
        for path in self._folder.iterdir():
            place = path.with_suffix("") if path.suffix == NEW else path
            if not path.is_dir() or not _is_left(path, now):
                continue
            with contextlib.suppress(OSError, Timeout), FileLock(self._lock(place), timeout=0):
                remove(path)
                self._lock(place).unlink(missing_ok=True)

    def _lock(self, place: Path) -> Path:
        return place.with_name(f"{place.name}.lock")


def _is_left(path: Path, now: float) -> bool:
    """Return whether no process needs a folder, unless one holds its lock."""
    if path.suffix == NEW:
        return True
    machine, _, rest = path.name.partition("-")
    if machine == _of_this_machine():
        return not is_running(int(rest.partition("-")[0]))
    try:
        return now - (path / COMPLETE).stat().st_mtime > UNUSED_S
    except OSError:
        return True


def _of_this_machine() -> str:
    """Return how the names of copies begin that only processes of this machine use."""
    return f"once{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]}"


def _remove_later(rows: LazyRows, paths: Sequence[Path]) -> None:
    """Remove a copy when this process no longer uses it; forked processes leave it alone."""
    owner = os.getpid()

    def drop() -> None:
        if os.getpid() == owner:
            for path in paths:
                remove(path)

    weakref.finalize(rows, drop)


def _write(file: Path, rows: Rows) -> dict[str, Any]:
    """Write rows into an Arrow file, and return their number and digest."""
    import pyarrow as pa

    schema = _plain(rows.schema)
    digest, count = hashlib.sha256(), 0
    bar = progress_bar(
        total=rows.count,
        desc=f"copy {rows.name}",
        unit="rows",
        delay=1,
        disable=not is_main_process(),
    )
    with (
        bar,
        pa.OSFile(str(file), "wb") as stream,
        pa.ipc.new_file(stream, schema) as writer,
    ):
        for batch in rows.parts(DIGEST_ROWS):
            part = _decoded(batch, schema)
            writer.write_batch(part)
            digest.update(batch_fingerprint(part).encode())
            count += batch.num_rows
            bar.update(batch.num_rows)
    return {"rows": count, "digest": digest.hexdigest(), "source": rows.name}


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a copy: values instead of dictionaries, which differ between batches."""
    import pyarrow as pa

    # The metadata of pandas says which rows an index has; class names must stay.
    about = {k: v for k, v in (schema.metadata or {}).items() if k != b"pandas"}
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields, metadata=about or None)


def _decoded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the columns of :func:`_plain`."""
    import pyarrow as pa

    arrays = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
