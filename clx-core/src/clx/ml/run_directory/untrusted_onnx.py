"""What an exported model in a run directory may do to whoever runs it."""

from __future__ import annotations

import mmap
from pathlib import Path

from clx.errors import RunDirError
from clx.ml.run_directory.untrusted_files import read_object
from clx.ml.run_directory.untrusted_model import tokenizer_problems

EXTERNAL = b"\x0a\x08location\x12"
"""How a file of the format (protobuf) says that weights are in another file: the key ``location``."""


def onnx_problems(folder: Path, model: Path) -> list[str]:
    """Return why an exported model is not to be run, empty when there is none.

    Args:
        folder: the run's ``onnx/``.
        model: its ``model/``, whose labels have to be the same.
    """
    if not folder.is_dir():
        return []
    problems = tokenizer_problems(folder)
    for path in sorted(folder.glob("*.onnx")):
        if _contains(path, EXTERNAL):
            problems.append(
                f"onnx/{path.name} has its weights in another file, which clx never writes"
            )
    settings = folder / "settings.json"
    if settings.is_file() and not problems:
        try:
            exported = read_object(settings).get("labels")
            saved = read_object(model / "config.json").get("id2label")
        except RunDirError as error:
            return [str(error)]
        if isinstance(saved, dict) and exported != [saved.get(str(i)) for i in range(len(saved))]:
            problems.append("onnx/settings.json has other labels than the model: export again")
    return problems


def _contains(path: Path, what: bytes) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(what) >= 0
