"""What a path, a folder, a glob or an address stands for, opened as rows."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Sequence
from pathlib import Path

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.tables.formats import COMPRESSIONS, FORMATS, file_format, known_format
from clx.ml.data.tables.rows import Rows, joined_rows
from clx.ml.data.tables.streams import FileSource
from clx.problems import examples


def open_rows(source: str | Path, reading: Reading = DEFAULT_READING, keep: bool = False) -> Rows:
    """Open all rows that a source stands for.

    Args:
        source: a file, a folder, a glob, or an address that fsspec opens, such as ``s3://…``.
        reading: what the caller says about text files.
        keep: keep rows in memory where that saves reading them twice, for a caller that needs all.

    Raises:
        DataFormatError: there is no such source, or it is not valid.
    """
    files = matching_files(str(source))
    return joined_rows(str(source), [_open_file(file, reading, keep) for file in files])


def _open_file(source: FileSource, reading: Reading, keep: bool) -> Rows:
    kind = source.format.kind
    if kind in ("csv", "tsv"):
        from clx.ml.data.tables.delimited import open_delimited

        return open_delimited(source, reading, keep)
    if kind == "jsonl":
        from clx.ml.data.tables.json_rows import open_json_lines

        return open_json_lines(source, reading, keep)
    if kind == "json":
        from clx.ml.data.tables.json_rows import open_json

        return open_json(source, reading, keep)
    from clx.ml.data.tables import columnar

    return columnar.open_parquet(source) if kind == "parquet" else columnar.open_arrow(source)


def matching_files(source: str) -> list[FileSource]:
    """Return the files that a path, a folder or a glob stands for, sorted by name.

    Files of a folder that clx does not read are named in a ``DataWarning``.

    Raises:
        DataFormatError: there are no such files.
    """
    if is_address(source):
        return _at_address(source)
    path = Path(source).expanduser()
    if path.is_dir():
        inside = sorted(
            file for file in path.rglob("*") if file.is_file() and not _hidden(file, path)
        )
        return _readable(source, inside)
    if path.exists():
        return [_local(path)]
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    files = [match for match in matches if match.is_file()]
    if len(files) == 1:
        return [_local(files[0])]
    return _readable(source, files)


def _readable(source: str, files: Sequence[Path]) -> list[FileSource]:
    known = [file for file in files if known_format(file.name)]
    unknown = [str(file) for file in files if not known_format(file.name)]
    if not known:
        also = f" The files there have other suffixes: {examples(unknown)}." if unknown else ""
        raise DataFormatError(
            f"There is no data at {source!r} (looked in {Path.cwd()}).{also} Pass a file "
            f"({', '.join(FORMATS)}; also with {', '.join(COMPRESSIONS)}), a folder or glob of such "
            f"files, or a DataFrame."
        )
    if unknown:
        warnings.warn(
            f"{len(unknown)} files of {source!r} were left out, because clx does not read their "
            f"format: {examples(unknown)}",
            DataWarning,
            stacklevel=2,
        )
    return [_local(file) for file in known]


def _local(path: Path) -> FileSource:
    # A name that is not UTF-8 cannot be printed as it is.
    name = str(path).encode("utf-8", "backslashreplace").decode()
    return FileSource(name, file_format(name), path)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def is_address(source: str) -> bool:
    """Return whether the source is an address such as ``s3://bucket/rows.csv``, not a path."""
    scheme, found, _ = source.partition("://")
    return bool(found) and len(scheme) > 1 and scheme.replace("+", "").isalnum()


def _at_address(source: str) -> list[FileSource]:
    import fsspec

    try:
        files, _, found = fsspec.get_fs_token_paths(source, expand=True)
        protocol = source.partition("://")[0]
        if len(found) == 1 and files.isdir(found[0]):
            found = sorted(files.find(found[0]))
            found = [each for each in found if known_format(each)]
        elif not any(files.exists(each) for each in found):
            found = []
    except (ImportError, ValueError, OSError) as error:
        raise DataFormatError(f"{source} cannot be opened: {error}") from error
    if not found:
        raise DataFormatError(f"There is no data at {source!r}")
    names = [each if "://" in each else f"{protocol}://{each.lstrip('/')}" for each in found]
    return [FileSource(name, file_format(name), name) for name in names]
