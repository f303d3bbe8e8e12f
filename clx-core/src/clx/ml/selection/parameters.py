"""The number of parameters of a checkpoint, counted without loading it."""

from __future__ import annotations

import math
from pathlib import Path

from clx.ml.run_directory.safe_weights import weight_shapes

NOT_PARAMETERS = ("position_ids", "token_type_ids")
"""The ends of the names of buffers that old checkpoints store beside their weights."""


def count_parameters(folder: Path) -> int:
    """Return the number of parameters in a model folder, from the headers of its safetensors files.

    Weights that several layers share are stored, and counted, once.

    Raises:
        RunDirError: there are no safetensors weights, or they are damaged.
    """
    shapes = weight_shapes(folder)
    return sum(
        math.prod(shape) for name, shape in shapes.items() if not name.endswith(NOT_PARAMETERS)
    )
