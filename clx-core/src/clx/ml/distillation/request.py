"""The arguments of ``distill``, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ConfigError
from clx.ml.run_directory.config import run_name_problems
from clx.ml.run_directory.layout import RunDir
from clx.problems import cell, did_you_mean, raise_problems
from clx_runtime.static_files import STATIC

LAYERS = "layers"
KINDS = (STATIC, LAYERS)
DEFAULT_LAYERS = 3
MAX_DIM = 4096
MAX_AUGMENT = 1000


@dataclass(frozen=True)
class Request:
    """The arguments of a distillation, which ``TrainingRun.distill`` describes.

    Attributes:
        name: the name of the student.
        parent: the folder of the student.
        student: ``static`` or ``layers``.
        layers: the number of layers of a student of that kind.
        dim: the size of a token's vector in a static student.
        int8: whether a static student's vectors have 8 bits.
        max_texts: the most different texts to use.
        augment: the number of variants of each text to learn from too; None chooses.
        seed: makes the student reproducible.
        overwrite: whether to replace a run of this name.
        hidden: whether to hide progress bars.
    """

    name: str
    parent: Path
    student: str = STATIC
    layers: int = DEFAULT_LAYERS
    dim: int = 256
    int8: bool = True
    max_texts: int = 500_000
    augment: int | None = None
    seed: int = 42
    overwrite: bool = False
    hidden: bool = False


def check_request(request: Request, layers: Any) -> None:
    """Refuse arguments that cannot be used; all are listed.

    Args:
        request: the arguments.
        layers: the number of layers as the caller gave it.

    Raises:
        ConfigError: an argument is not valid.
    """
    problems = run_name_problems(request.name)
    if request.student not in KINDS:
        guess = did_you_mean(str(request.student), KINDS)
        problems.append(
            f"student must be 'static' or 'layers', but is {cell(request.student)}{guess}"
        )
    elif layers is not None and request.student != LAYERS:
        problems.append("layers is only for student='layers'")
    spans = [("layers", 1, None), ("dim", 8, MAX_DIM), ("max_texts", 1, None)]
    if request.augment is not None:
        spans.append(("augment", 0, MAX_AUGMENT))
    for name, least, most in spans:
        value = getattr(request, name)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or value < least or (most is not None and value > most):
            span = f"from {least} to {most}" if most else f"of at least {least}"
            problems.append(f"{name} must be a whole number {span}, but is {cell(value)}")
    if not isinstance(request.seed, int) or isinstance(request.seed, bool):
        problems.append(f"seed must be a whole number, but is {cell(request.seed)}")
    raise_problems(ConfigError, "The run cannot be distilled like this:", problems)


def refuse_own_place(directory: RunDir, place: Path) -> None:
    """Refuse to write the student over its teacher.

    Raises:
        ConfigError: both have the same path.
    """
    if place.absolute() == directory.path.absolute():
        raise ConfigError(
            f"The student would replace its teacher {directory.path.name!r}: choose another name"
        )
