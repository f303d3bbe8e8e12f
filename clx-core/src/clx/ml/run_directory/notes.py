"""A user's note about a run, in a file of the run directory that no manifest lists."""

from __future__ import annotations

from clx.errors import ConfigError, RunDirError
from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.files import fsync, writing
from clx.ml.run_directory.layout import NOTE, RunDir
from clx.ml.run_directory.lock import only_writer
from clx.problems import cell


def read_note(run: RunDir) -> str:
    """Return the note about a run, an empty string without a note.

    Characters that are not valid UTF-8 are replaced.

    Raises:
        RunDirError: the note is there, but cannot be read.
    """
    path = run.path / NOTE
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise RunDirError(f"{path} cannot be read: {error.strerror or error}") from error


def write_note(run: RunDir, text: str) -> None:
    """Replace the note about a run; an empty text removes it. A failure leaves the old note.

    Raises:
        ConfigError: the text is not valid Unicode.
        RunBusyError: another process is writing into the run.
        RunDirError: the run cannot be written, or is a download from the Hub.
    """
    refuse_downloaded(run)
    text = text.strip()
    try:
        content = f"{text}\n".encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"The note {cell(text)} is not valid Unicode") from error
    path = run.path / NOTE
    new = path.with_name(f".{NOTE}.new")
    with only_writer(run, exists=True), writing(run.path):
        if not text:
            path.unlink(missing_ok=True)
            return
        try:
            new.write_bytes(content)
            fsync(new)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
