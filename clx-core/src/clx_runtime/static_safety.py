"""Check the files of a static student for content that could harm its readers."""

from __future__ import annotations

import mmap
from pathlib import Path

from clx_runtime.errors import RunDirError
from clx_runtime.files import read_json
from clx_runtime.problems import cell
from clx_runtime.safe_export import MAX_TOKENIZER_BYTES, expansion_problems
from clx_runtime.safetensors_file import tensors_of
from clx_runtime.settings import TOKENIZER
from clx_runtime.static_files import (
    STUDENT,
    STUDENT_FILES,
    WEIGHTS,
    student_settings,
    tensor_problems,
)

CARD = "README.md"


def strange_files(folder: Path) -> list[str]:
    """Return a problem for each file of a static student that is missing or unknown.

    Args:
        folder: the ``model/`` of a run.
    """
    known = {*STUDENT_FILES, CARD}
    found = {path.name for path in folder.iterdir()}
    problems = [
        f"{folder.name}/{name} does not belong to a static student"
        for name in sorted(found - known)
    ]
    return problems + [f"{folder.name}/{n} is missing" for n in STUDENT_FILES if n not in found]


def static_problems(folder: Path) -> list[str]:
    """Return why a static student must not be loaded, one sentence per problem. No weights are read.

    Args:
        folder: the ``model/`` of a run.
    """
    problems = strange_files(folder)
    if problems:
        return problems
    try:
        settings = student_settings(read_json(folder / STUDENT), str(folder / STUDENT))
        tokenizer = read_json(folder / TOKENIZER, MAX_TOKENIZER_BYTES)
        problems += expansion_problems(tokenizer, f"{folder.name}/{TOKENIZER}")
        if tokenizer.get("padding") or tokenizer.get("truncation"):
            problems.append(
                f"{folder.name}/{TOKENIZER} pads or truncates, which a student never does"
            )
        with (folder / WEIGHTS).open("rb") as file:
            if not (folder / WEIGHTS).stat().st_size:
                return [*problems, f"{folder.name}/{WEIGHTS} is empty"]
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        problems += tensor_problems(tensors_of(content, str(folder / WEIGHTS)), settings)
    except RunDirError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"{folder.name}/ cannot be read: {cell(str(error))}")
    return problems
