"""Full disks: a check before training, and an error that says which disk and how much is needed."""

from __future__ import annotations

import contextlib
import errno
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clx.errors import ClxWarning, DiskFullError
from clx_runtime.callers import user_level

OPTIMIZER_FACTOR = 2
"""AdamW keeps two numbers per weight."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MESSAGES = ("no space left", "os error 28", "disk quota exceeded", "os error 122")
_TORCH_WRITER = ("inline_container", "pytorchstreamwriter")
_NEARLY_NOTHING = 2**20


def training_bytes(base: Path, arguments: Mapping[str, Any], all_weights: bool = True) -> int:
    """Return about how many bytes a training writes.

    That is the new model and, if checkpoints are saved, one more checkpoint than is kept. Each
    checkpoint holds the trained weights and the optimizer's state; those of an adapter are small.
    """
    weights = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    checkpoints = 0
    if all_weights and str(arguments.get("save_strategy", "no")) != "no":
        checkpoints = 1 + int(arguments.get("save_total_limit") or 1)
        checkpoints += bool(arguments.get("load_best_model_at_end"))
    return weights * (1 + checkpoints * (1 + OPTIMIZER_FACTOR))


def warn_if_short(folder: Path, needed: int) -> None:
    """Warn if a folder, which may not exist yet, has less than ``needed`` bytes of free space."""
    free = _free(folder)
    if free is not None and free < needed:
        warnings.warn(
            f"The training writes about {readable(needed)}, but only {readable(free)} are free in "
            f"{folder}: free some space, or choose another run_dir_parent",
            ClxWarning,
            stacklevel=user_level(),
        )


@contextlib.contextmanager
def full_disk_named(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Turn a library's error about a full disk into an error that names the disk.

    Args:
        folder: the folder that is written to.
        needed: the number of bytes to be written, if known.

    Raises:
        DiskFullError: the disk or the user's quota is full.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, DiskFullError) or not _is_full(error, folder):
            raise
        free = _free(folder)
        raise DiskFullError(
            f"The disk of {folder} is full: "
            + (f"about {readable(needed)} are needed" if needed else "more space is needed")
            + (f", and {readable(free)} are free" if free is not None else "")
            + ". Earlier files are unchanged. Free some space and try again, or choose another "
            "folder."
        ) from error


def _is_full(error: BaseException, folder: Path) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        if any(message in text for message in _MESSAGES):
            return True
        if any(message in text for message in _TORCH_WRITER):
            # torch.save only reports that the file is shorter than what it wrote.
            return (_free(folder) or 0) < _NEARLY_NOTHING
        seen = seen.__cause__ or seen.__context__
    return False


def _free(folder: Path) -> int | None:
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(path).free
    return None


def readable(size: float) -> str:
    """Return a number of bytes with a unit, such as ``1.5 MB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
