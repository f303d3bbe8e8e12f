"""Full disks: a look before a training, and an error that says where, and how much is needed."""

from __future__ import annotations

import contextlib
import errno
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clx.errors import ClxWarning, DiskFullError

OPTIMIZER_FACTOR = 2
"""AdamW keeps two numbers a weight."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAID = ("no space left", "os error 28", "disk quota exceeded", "os error 122")
_TORCH_WRITER = ("inline_container", "pytorchstreamwriter")
_NEARLY_NOTHING = 2**20


def training_bytes(base: Path, arguments: Mapping[str, Any]) -> int:
    """Return about how many bytes a training writes beside what is there.

    That is the new model and, when checkpoints are asked for, one more of them than are kept: each
    has the weights and the optimizer's state.
    """
    weights = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    checkpoints = 0
    if str(arguments.get("save_strategy", "no")) != "no":
        checkpoints = 1 + int(arguments.get("save_total_limit") or 1)
        checkpoints += bool(arguments.get("load_best_model_at_end"))
    return weights * (1 + checkpoints * (1 + OPTIMIZER_FACTOR))


def warn_if_short(folder: Path, needed: int) -> None:
    """Warn when there is less space than ``needed`` bytes in a folder, which may not exist yet."""
    free = _free(folder)
    if free is not None and free < needed:
        warnings.warn(
            f"The training writes about {readable(needed)}, and there are {readable(free)} in {folder}: "
            f"free some, or take another run_dir_parent",
            ClxWarning,
            stacklevel=3,
        )


@contextlib.contextmanager
def full_disk_named(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Turn what libraries say of a full disk into an error that says which disk.

    Args:
        folder: where is written.
        needed: bytes, if that is known.

    Raises:
        DiskFullError: the disk is full, or the user's share of it.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, DiskFullError) or not _is_full(error, folder):
            raise
        free = _free(folder)
        raise DiskFullError(
            f"The disk of {folder} is full: "
            + (f"about {readable(needed)} are needed" if needed else "more is needed")
            + (f", and {readable(free)} are free" if free is not None else "")
            + ". What was there before is unchanged. Free some space and do it again, or take "
            "another folder."
        ) from error


def _is_full(error: BaseException, folder: Path) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        if any(said in text for said in _SAID):
            return True
        if any(said in text for said in _TORCH_WRITER):
            # torch.save says only that the file is shorter than it wrote.
            return (_free(folder) or 0) < _NEARLY_NOTHING
        seen = seen.__cause__ or seen.__context__
    return False


def _free(folder: Path) -> int | None:
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(path).free
    return None


def readable(size: float) -> str:
    """Return bytes in a unit that people would take."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
