"""The names and shapes of the weights in a model folder, read from the headers alone."""

from __future__ import annotations

from pathlib import Path

from clx.errors import RunDirError
from clx.problems import cell, names
from clx_runtime.files import read_json

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")

MAX_REASON = 200
"""Characters of a library's message to show."""


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a model folder that :func:`weight_shapes` reads and has checked."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    named = read_json(folder / INDEX)["weight_map"].values()
    return [folder / name for name in dict.fromkeys(map(str, named))]


def weight_shapes(folder: Path) -> dict[str, list[int]]:
    """Return the shape of every tensor that transformers reads from a model folder, by name.

    Raises:
        RunDirError: there are no safetensors weights, they are damaged, or an index leads elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return _shapes_in(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
        raise RunDirError(
            f"{folder} has no {WEIGHTS}"
            + (f", only {names(pickled)}: a pickle can run code and is not read" * bool(pickled))
        )
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise RunDirError(f"{folder / INDEX} has no weight_map")
    shapes: dict[str, list[int]] = {}
    for name in dict.fromkeys(map(str, weight_map.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise RunDirError(
                f"{folder / INDEX} names the file {cell(name)}, which is not a safetensors file in the "
                f"same folder"
            )
        shapes |= _shapes_in(folder / name)
    return shapes


def _shapes_in(path: Path) -> dict[str, list[int]]:
    # safe_open maps the file, limits the header to 100 MB, and refuses offsets and shapes that do
    # not cover the file exactly. A slice reads no weights until it is indexed.
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        # The message may quote the file: as a repr, it cannot hold control characters.
        raise RunDirError(
            f"{path} is truncated, damaged, or not a safetensors file: {str(error)[:MAX_REASON]!r}"
        ) from error
