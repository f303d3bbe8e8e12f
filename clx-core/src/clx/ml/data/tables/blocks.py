"""Blocks of large text files: a megabyte from several places, read as if it were a file."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clx.errors import ClxError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.copies import TemporaryCopy
from clx.ml.data.tables.formats import FileFormat
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.sources import open_file
from clx.ml.data.tables.streams import FileSource

BLOCK = 1 << 20
COMPRESSED_BLOCK = 8 << 20
"""The decompressed bytes of a block. Decompression reads ahead, which must not count."""

TRIALS = 20
"""How often the end of a block is moved by a line, if it is in a quoted cell."""


@dataclass(frozen=True)
class Block:
    """A part of a text file.

    Attributes:
        file: the file.
        heading: the first line of the file, which a block from elsewhere needs before it.
        body: whole lines.
        begins: whether the block is at the beginning of the file.
        ends: whether it is at the end of the file.
        stored: the bytes of the file that it takes, before decompression.
    """

    file: FileSource
    heading: bytes
    body: bytes
    begins: bool
    ends: bool
    stored: float


def stored_bytes(file: FileSource) -> int:
    """Return the size of a file as it is stored, 0 if that cannot be found out."""
    if isinstance(file.path, Path):
        return file.path.stat().st_size if file.path.is_file() else 0
    from fsspec.core import url_to_fs

    system, path = url_to_fs(file.path)
    return int(system.info(path).get("size") or 0)


def blocks_of(files: Sequence[FileSource], count: int) -> Iterator[Block]:
    """Yield blocks that are spread evenly over the bytes of the files.

    Of a compressed or remote file, only the beginning is read.
    """
    sizes = [stored_bytes(file) for file in files]
    ends = list(itertools.accumulate(sizes))
    seen = set()
    for number in range(count):
        at = ends[-1] * number // count
        place = next(index for index, end in enumerate(ends) if at < end)
        offset = at - (ends[place] - sizes[place])
        plain = isinstance(files[place].path, Path) and files[place].format.compression is None
        offset = offset if plain and sizes[place] > 2 * BLOCK else 0
        if (place, offset) not in seen:
            seen.add((place, offset))
            yield _block(files[place], offset, sizes[place])


def _block(file: FileSource, offset: int, size: int) -> Block:
    if file.format.compression is not None:
        with file.errors_named(), file.open_raw() as raw:
            body = file.decompressed(raw).read(COMPRESSED_BLOCK)
            ends = len(body) < COMPRESSED_BLOCK
            return Block(file, b"", body, True, ends, size if ends else raw.tell())
    with file.errors_named(), file.open_raw() as raw:
        heading = raw.readline(BLOCK) if offset else b""
        raw.seek(offset)
        body = raw.read(BLOCK)
    return Block(file, heading, body, offset == 0, offset + len(body) >= size, len(body))


def block_rows(block: Block, reading: Reading) -> Rows | None:
    """Return the rows of a block, None if it cannot be read by itself.

    A block that ends in a quoted cell of several lines is read without these lines. A block that may
    begin in one must not be passed.
    """
    body = block.body
    if not block.begins:
        body = body[body.find(b"\n") + 1 :]
    for _ in range(TRIALS):
        if not block.ends:
            body = body[: body.rstrip(b"\r\n").rfind(b"\n") + 1] or body
        kind = block.file.format.kind
        has_heading = kind in ("csv", "tsv") and reading.header is True and not block.begins
        whole = (block.heading if has_heading else b"") + body
        copy = TemporaryCopy(io.BytesIO(whole))
        source = replace(
            block.file, format=FileFormat(kind), path=copy.path, inside=None, held=copy
        )
        try:
            return open_file(source, reading, keep=True)
        except ClxError:
            if block.begins and block.ends:
                raise
    return None
