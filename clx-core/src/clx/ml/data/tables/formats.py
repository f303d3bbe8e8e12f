"""File formats: which suffix stands for which format and compression."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from clx.errors import DataFormatError

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".txt": "text",
    ".conll": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
}
"""Maps a suffix to the format that clx reads."""

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zip": "zip"}
"""Maps a suffix after that of the format to a compression."""

WRITABLE = ("csv", "tsv", "jsonl", "parquet")

SEPARATORS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class FileFormat:
    """The format of a file, as its name states it.

    Attributes:
        kind: a value of :data:`FORMATS`.
        compression: a value of :data:`COMPRESSIONS`, or None.
    """

    kind: str
    compression: str | None = None


def known_format(name: str) -> FileFormat | None:
    """Return the format that a file name stands for, such as ``rows.csv.gz``, None if unknown."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    last = suffixes[-2:-1] if compression else suffixes[-1:]
    kind = FORMATS.get(last[0]) if last else None
    return FileFormat(kind, compression) if kind else None


def file_format(name: str) -> FileFormat:
    """Return the format that a file name stands for.

    Raises:
        DataFormatError: clx does not read files of this format.
    """
    found = known_format(name)
    if found is None:
        raise DataFormatError(
            f"{name} has the suffix {PurePath(name).suffix!r}, which is not one of "
            f"{', '.join(FORMATS)} (also with {', '.join(COMPRESSIONS)}). Rename or convert the file, "
            f"or pass a DataFrame."
        )
    return found


def target_format(name: str) -> FileFormat:
    """Return the format of a file to write.

    Raises:
        DataFormatError: clx does not write files of this format.
    """
    found = known_format(name)
    if found is None or found.kind not in WRITABLE or found.compression == "zip":
        raise DataFormatError(
            f"{name} cannot be written: its suffix must be one of .csv, .tsv, .jsonl or .parquet "
            f"(the first three also with .gz, .bz2 or .zst)"
        )
    if found.kind == "parquet" and found.compression:
        raise DataFormatError(f"{name}: parquet is already compressed; leave out the last suffix")
    return found
