"""Files as streams of bytes: local or at an address, decompressed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from clx.errors import ClxError, DataFormatError
from clx.ml.data.tables.formats import FileFormat
from clx.problems import cell

BLOCK = 1 << 20


@dataclass(frozen=True)
class FileSource:
    """One file to read.

    Attributes:
        name: the file in messages.
        format: the format that its name stands for.
        path: the local file, or an address such as ``s3://bucket/rows.csv``.
        inside: its path below the requested folder or glob, None for a file that the caller named
            directly.
        sheet: the sheet of a workbook, None for the first one with rows.
        held: what must live as long as this file is read, such as a temporary copy.
    """

    name: str
    format: FileFormat
    path: Path | str
    inside: str | None = None
    sheet: str | None = None
    held: object = None

    def open_raw(self) -> IO[bytes]:
        """Open the file as it is stored."""
        if isinstance(self.path, Path):
            return self.path.open("rb")
        import fsspec

        opened: IO[bytes] = fsspec.open(self.path, "rb").open()
        return opened

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the decompressed file.

        Raises:
            DataFormatError: the file cannot be opened, or is not compressed as its name says.
        """
        with self.errors_named(), self.open_raw() as raw:
            stream = self.decompressed(raw)
            try:
                yield stream
            finally:
                if stream is not raw:
                    stream.close()

    def decompressed(self, raw: IO[bytes]) -> IO[bytes]:
        """Return a stream of the decompressed content."""
        kind = self.format.compression
        if kind == "gzip":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        if kind == "bz2":
            return bz2.BZ2File(raw)
        if kind == "zstd":
            import pyarrow as pa

            return io.BufferedReader(pa.CompressedInputStream(raw, "zstd"))
        if kind == "zip":
            archive = zipfile.ZipFile(raw)
            members = zip_members(archive)
            if len(members) != 1:
                raise DataFormatError(
                    f"{self.name} holds {len(members)} files, but must hold one: unpack it and pass "
                    f"the folder"
                )
            return archive.open(members[0])
        return raw

    @contextlib.contextmanager
    def errors_named(self) -> Iterator[None]:
        """Name the file in the errors of the libraries that read it.

        Raises:
            DataFormatError: a library raised an error.
        """
        import pyarrow as pa

        # zlib.error and zipfile.BadZipFile have no common base class except Exception.
        try:
            yield
        except DataFormatError:
            raise
        except (ValueError, OSError, EOFError, pa.ArrowException) as error:
            raise DataFormatError(self.unreadable(error)) from error
        except Exception as error:
            # Each kind of address has its own library, with its own errors.
            elsewhere = isinstance(self.path, str) and not isinstance(error, ClxError)
            if type(error).__module__ not in ("zlib", "zipfile") and not elsewhere:
                raise
            raise DataFormatError(self.unreadable(error)) from error

    def unreadable(self, error: Exception) -> str:
        """Return the message for an error of the library that read the file."""
        kind = " ".join(part for part in (self.format.compression, self.format.kind) if part)
        text = str(error) or type(error).__name__
        return f"{self.name} cannot be read as {kind}: {text if len(text) < 300 else cell(text)}"


def zip_members(archive: zipfile.ZipFile) -> list[str]:
    """Return the files in an archive, without those that macOS adds."""
    inside = [name for name in archive.namelist() if not name.endswith("/")]
    return [name for name in inside if not name.startswith("__MACOSX/")]


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a stream in blocks of about one megabyte."""
    while block := stream.read(BLOCK):
        yield block
