"""The files of an exported model, wherever they are stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx_runtime.errors import RunDirError
from clx_runtime.files import read_json_or_empty, read_text
from clx_runtime.safe_export import MAX_TOKENIZER_BYTES
from clx_runtime.settings import FILES, REPORT, SETTINGS, TOKENIZER, Settings, settings_of
from clx_runtime.static_files import StudentFiles

SAME_DECISIONS = 0.99
"""The share of equal decisions from which an 8-bit model is used instead of torch."""


@dataclass(frozen=True)
class Export:
    """An exported model.

    Attributes:
        where: the folder or archive, for messages.
        settings: the settings of its pipeline.
        tokenizer: the content of ``tokenizer.json``.
        report: the content of ``report.json``: how each backend compares with torch.
        weights: backend → the file of the model, or its content.
        student: the static student, None for other exports. It has no weights for other backends.
    """

    where: str
    settings: Settings
    tokenizer: str
    report: Mapping[str, Any]
    weights: Mapping[str, Callable[[], Path | bytes]]
    student: StudentFiles | None = None

    def best_backend(self, among: Iterable[str] = ()) -> str:
        """Return the fastest backend that decides like torch.

        Args:
            among: the backends to choose from; the choice is between all if the export has none of them.
        """
        checks, wanted = self.report.get("checks"), set(among)
        backends = [each for each in self.weights if each in wanted] or list(self.weights)
        for backend in reversed(backends):
            check = checks.get(backend) if isinstance(checks, dict) else None
            share = check.get("equal_decisions") if isinstance(check, dict) else None
            if isinstance(share, float | int) and share >= SAME_DECISIONS:
                return backend
        return backends[0]


def export_in(folder: Path) -> Export:
    """Return the export in a folder.

    Raises:
        RunDirError: a file cannot be read.
    """
    return Export(
        str(folder),
        settings_of(read_text(folder / SETTINGS).encode(), str(folder / SETTINGS)),
        read_text(folder / TOKENIZER, MAX_TOKENIZER_BYTES),
        read_json_or_empty(folder / REPORT),
        {
            backend: (folder / name).absolute
            for backend, name in FILES.items()
            if (folder / name).is_file()
        },
    )


def export_of_student(student: StudentFiles) -> Export:
    """Return a static student as an export; it needs no call of ``export``."""
    return Export(student.where, student.settings, student.tokenizer, {}, {}, student)


def report_of(content: bytes, where: str) -> dict[str, Any]:
    """Return the report of an export.

    Raises:
        RunDirError: the content is damaged.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunDirError(f"{where} is not valid JSON ({error})") from error
    return value if isinstance(value, dict) else {}
