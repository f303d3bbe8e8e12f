"""The encoding of a text file: given, marked, UTF-8, or detected and reported."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.tables.streams import BLOCK, FileSource, blocks
from clx_runtime.callers import user_level

UTF8 = "utf-8"

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks. UTF-32 comes first, because its mark begins like that of UTF-16."""

LATIN = ("cp1252", "cp1250", "cp1254", "cp1257", "mac_roman", "cp850")
"""The encodings of texts in Latin script."""

WORDS = re.compile(rb"[A-Za-z0-9\x80-\xff]*[\x80-\xff][A-Za-z0-9\x80-\xff]*")
"""The words of a sample that are not ASCII."""

LONG_RUNS = re.compile(rb"[\x80-\xff]{4}")

SAMPLE = 1 << 16
"""The number of bytes of non-ASCII lines from which the encoding is detected."""


@dataclass(frozen=True)
class TextFile:
    """A text file whose encoding is known.

    Attributes:
        source: the file.
        encoding: the name of its encoding.
    """

    source: FileSource
    encoding: str

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file as UTF-8 without a byte order mark."""
        with self.source.open() as stream:
            recoded = self.encoding != UTF8
            utf8: Any = _Recoded(stream, self.encoding) if recoded else _Unmarked(stream)
            yield io.BufferedReader(utf8, BLOCK)


class _Unmarked(io.RawIOBase):
    """The bytes of a stream without a byte order mark of UTF-8 at its beginning."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        start = stream.read(3)
        self._rest = b"" if start == codecs.BOM_UTF8 else start

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._rest[: len(buffer)] or self._stream.read(len(buffer))
        self._rest = self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class _Recoded(io.RawIOBase):
    """The text of a stream as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._rest and not self._ended:
            block = self._stream.read(BLOCK)
            self._ended = not block
            self._rest = self._decoder.decode(block, self._ended).encode(UTF8)
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def text_file(source: FileSource, encoding: str | None) -> TextFile:
    """Return the file with its encoding.

    Args:
        source: the file.
        encoding: the caller's encoding. None means that of the byte order mark, UTF-8 if all bytes
            are valid, or else the most likely encoding, with a ``DataWarning``.

    Raises:
        DataFormatError: bytes are not valid in the encoding; the message names the line.
    """
    chosen = encoding or _marked(source) or UTF8
    bad = _first_bad_byte(source, chosen)
    if bad is None:
        return TextFile(source, _utf8_named(chosen))
    if encoding is None and chosen == UTF8:
        detected = _detected(source)
        if detected is not None:
            warnings.warn(
                f"{source.name} is not UTF-8 (line {bad}). It was read as {detected}, the most likely "
                f"encoding. Pass encoding={detected!r} to confirm it, or the correct encoding.",
                DataWarning,
                stacklevel=user_level(),
            )
            return TextFile(source, detected)
    raise DataFormatError(
        f"{source.name}, line {bad}: a byte is not valid {chosen}. Correct the line, or pass the "
        f"file's encoding, such as encoding='cp1252'."
    )


def _utf8_named(encoding: str) -> str:
    name = codecs.lookup(encoding).name
    return UTF8 if name in (UTF8, "utf-8-sig", "ascii") else name


def _marked(source: FileSource) -> str | None:
    with source.open() as stream:
        start = stream.read(4)
    return next((name for mark, name in MARKS if start.startswith(mark)), None)


def _first_bad_byte(source: FileSource, encoding: str) -> int | None:
    """Return the line, counted from 1, of the first byte that is not valid, None if there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with source.open() as stream:
        for block in blocks(stream):
            try:
                lines += decoder.decode(block).count("\n")
            except UnicodeDecodeError as error:
                valid = codecs.decode(error.object[: error.start], encoding, "ignore")
                return lines + valid.count("\n")
        try:
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return lines
    return None


def _detected(source: FileSource) -> str | None:
    """Return the most likely encoding of a file that is not UTF-8.

    Returns None if most lines or bytes beyond ASCII are valid UTF-8, because then only single
    bytes are damaged.
    """
    valid, invalid, sample = 0, 0, bytearray()
    kept, lost = 0, 0
    with source.open() as stream:
        for line in stream:
            if line.isascii():
                continue
            try:
                line.decode(UTF8)
                valid += 1
            except UnicodeDecodeError:
                invalid += 1
                sample += line
                # Chinese and Japanese encodings make some characters of UTF-8 by chance.
                right = _beyond_ascii(line.decode(UTF8, "ignore").encode())
                kept, lost = kept + right, lost + _beyond_ascii(line) - right
            if len(sample) > SAMPLE:
                break
    return None if valid >= invalid or kept >= lost else encoding_like(bytes(sample))


def _beyond_ascii(line: bytes) -> int:
    """Return the number of bytes that are not ASCII."""
    return len(line.translate(None, bytes(range(0x80))))


def encoding_like(sample: bytes) -> str | None:
    """Return the most likely encoding of bytes that are not UTF-8, None if no encoding fits."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=list(LATIN) if _is_latin(sample) else None)
    best = found.best()
    if best is None:
        return None
    # Short samples fit many code pages of Europe alike; this one is by far the most common.
    alike = {name for each in found for name in (each.encoding, *each.could_be_from_charset)}
    return "cp1252" if "cp1252" in alike and best.encoding.startswith("cp125") else best.encoding


def _is_latin(sample: bytes) -> bool:
    """Return whether few bytes of each word are beyond ASCII, as in Latin script with accents.

    For a few such words, the detection by likelihood would choose Chinese or Urdu.
    """
    words = WORDS.findall(sample)
    beyond = sum(map(_beyond_ascii, words))
    long_runs = LONG_RUNS.search(sample)
    alone = all(len(word) == 1 for word in words)
    return bool(words) and (alone or 2 * beyond <= sum(map(len, words))) and long_runs is None
