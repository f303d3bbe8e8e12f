"""Addresses that fsspec opens, such as ``s3://bucket/rows.csv``: the files that are there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clx.errors import DataFormatError, MissingDependencyError
from clx.ml.data.tables.found import FoundFile, is_hidden
from clx.problems import cell

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+://")
"""The scheme has two letters or more: a drive of Windows has one."""

LOST_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")

DATABASES = ("sqlite", "duckdb")

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "adl": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "oci": "ocifs",
    "dbfs": "requests",
}
"""Maps a scheme to the package that fsspec opens it with."""


def is_address(source: str) -> bool:
    """Return whether the source is an address such as ``s3://bucket/rows.csv``, not a path."""
    return bool(ADDRESS.match(source))


def source_name(source: str | os.PathLike[str]) -> str:
    """Return a source as text, with the slash that ``Path("s3://…")`` drops.

    Raises:
        DataFormatError: it is empty, or a Path holds the address of a database, whose slashes
            matter.
    """
    name = os.fspath(source)
    if not name.strip():
        # pathlib takes an empty path for the working directory.
        raise DataFormatError(
            f"The source is {name!r}: pass a file, a folder, a glob or an address"
        )
    lost = LOST_SLASH.match(name)
    if lost is None or Path(name).exists():
        return name
    scheme = lost.group(1).lower()
    if scheme in DATABASES:
        raise DataFormatError(f"Pass the address {name} as a str: a Path drops slashes")
    from fsspec import available_protocols

    known = scheme in available_protocols()
    return f"{scheme}://{name[lost.end() :]}" if known else name


def scheme_of(address: str) -> str:
    """Return the scheme of an address, the last one of a chain such as ``simplecache::s3://``."""
    return address.partition("://")[0].rpartition("::")[2].lower()


def files_at(address: str) -> tuple[list[FoundFile], bool]:
    """Return the files at an address, and whether it is a folder or a glob.

    Raises:
        DataFormatError: the address cannot be opened.
        MissingDependencyError: a package is needed for it.
    """
    if scheme_of(address) in ("http", "https"):
        # Servers list no folders, and not all of them answer whether a file exists.
        return [FoundFile(_without_secrets(address), address, urlsplit(address).path)], False
    try:
        return _listed(address)
    except ImportError as error:
        raise MissingDependencyError(
            f"{address} needs a package that is not installed ({error}): "
            f"pip install {PACKAGES.get(scheme_of(address), 'the package that it names')}"
        ) from error
    except Exception as error:
        # Each scheme has its own library, and their errors have no common base class.
        raise DataFormatError(
            f"{address} cannot be opened: {type(error).__name__}: {cell(str(error))}"
        ) from error


def _listed(address: str) -> tuple[list[FoundFile], bool]:
    from fsspec.core import url_to_fs

    files, path = url_to_fs(address)
    kind = _kind(files, path)
    if kind == "file":
        return [FoundFile(address, address, path)], False
    if kind == "directory":
        base, found = path, files.find(path)
    else:
        before = re.split(r"[*?\[]", path, maxsplit=1)[0]
        base = before.rpartition("/")[0]
        matches = files.glob(path, detail=True) if before != path else {}
        found = [each for each, about in matches.items() if about["type"] == "file"]
    base = base.rstrip("/") + "/"
    located = []
    for each in sorted(found):
        inside = each.removeprefix(base)
        if not is_hidden(inside) or (kind is None and is_hidden(path.removeprefix(base))):
            name = files.unstrip_protocol(each)
            located.append(FoundFile(name, name, each, inside))
    return located, True


def _kind(files: Any, path: str) -> str | None:
    try:
        return str(files.info(path)["type"])
    except FileNotFoundError:
        return None


def _without_secrets(address: str) -> str:
    """Return an address for messages, without a signature or password in it."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
