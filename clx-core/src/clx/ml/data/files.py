"""Frames from csv, tsv, jsonl and parquet: one file, a folder of files, or a glob."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.reading import Reading
from clx.ml.plugins.hookspecs import hookimpl
from clx.problems import cell, names

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}

SEPARATORS = {"csv": ",", "tsv": "\t"}

CSV_ARGS: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""]}
"""Cells are read as text, so that '007' and 'NA' stay unchanged. Only an empty cell is missing."""


def file_format(path: Path) -> str:
    """Return the format that the file's suffix stands for: ``csv``, ``tsv``, ``jsonl`` or ``parquet``.

    Raises:
        DataFormatError: the suffix is not one of ``FORMATS``.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataFormatError(
            f"{path} has the suffix {suffix!r}, which is not one of {', '.join(FORMATS)}. "
            f"Rename or convert the file, or pass a DataFrame."
        )
    return FORMATS[suffix]


def read_file(path: Path) -> pd.DataFrame:
    """Read one whole file.

    Raises:
        DataFormatError: the file is not valid in the format of its suffix.
    """
    import pandas as pd

    kind = file_format(path)
    frame: pd.DataFrame
    try:
        if kind in SEPARATORS:
            refuse_repeated_columns(path, SEPARATORS[kind])
            frame = pd.read_csv(path, sep=SEPARATORS[kind], **CSV_ARGS)
        elif kind == "jsonl":
            frame = pd.DataFrame(list(json_rows(path)), dtype=object)
        else:
            frame = pd.read_parquet(path)
    except DataFormatError:
        raise
    except (ValueError, UnicodeError, OSError) as error:
        raise DataFormatError(
            f"{path} cannot be read as {kind}: {type(error).__name__}: {cell(str(error))}"
        ) from error
    return frame


def refuse_repeated_columns(path: Path, separator: str) -> None:
    """Raise if two columns of a csv file have the same name. pandas would rename the second one.

    Raises:
        DataFormatError: a column name occurs more than once.
    """
    import pandas as pd

    header = pd.read_csv(path, sep=separator, header=None, nrows=1, **CSV_ARGS).iloc[0]
    repeated = sorted({str(name) for name in header[header.duplicated() & header.notna()]})
    if repeated:
        raise DataFormatError(f"{path} has more than one column called {names(repeated)}")


def json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a jsonl file, with their values unchanged.

    ``pandas.read_json`` would drop lone surrogates and convert strings that look like dates.

    Raises:
        DataFormatError: a line is not a JSON object.
    """
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                raise DataFormatError(f"{path}, line {number}: not JSON ({error})") from error
            if not isinstance(value, dict):
                raise DataFormatError(f"{path}, line {number}: {cell(value)} is not a JSON object")
            yield value


def matching_files(source: str) -> list[Path]:
    """Return the files that a path, a folder or a glob stands for, sorted by name.

    Raises:
        DataFormatError: there are no such files.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in FORMATS)
    elif path.exists():
        files = [path]
    else:
        files = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    if not files:
        raise DataFormatError(
            f"There is no data at {source!r} (looked in {Path.cwd()}). Pass a file "
            f"({', '.join(FORMATS)}), a folder or glob of such files, or a DataFrame."
        )
    return files


@hookimpl(trylast=True)
def clx_open_data(source: str, reading: Reading) -> pd.DataFrame:
    """Read the source from files, if no other plugin has opened it."""
    files = matching_files(source)
    if len(files) == 1:
        return read_file(files[0])
    import pandas as pd

    return pd.concat([read_file(file) for file in files], ignore_index=True)
