"""New names for the labels of the student that answers first. It keeps answering as before."""

from __future__ import annotations

from collections.abc import Mapping

from clx.ml.editing.renamed_results import renamed_value
from clx.ml.run_directory.copying import replace_text
from clx.ml.run_directory.files import json_text
from clx.ml.run_directory.layout import MANIFEST, RunDir
from clx_runtime.cascade import FILE
from clx_runtime.files import file_sha256, read_json


def rename_in_cascade(copy: RunDir, new: Mapping[str, str], kind: str) -> None:
    """Give the margins of a copy's student new names.

    Args:
        copy: a copy of a run with a student.
        new: old name → new name, for every label.
        kind: the type of the labels after it.
    """
    path = copy.fast.path / FILE
    values = read_json(path)
    settings = values["settings"]
    settings["labels"] = renamed_value(settings["labels"], new)
    names = renamed_value(settings["decision"]["labels"], new)
    settings["decision"] |= {"labels": names, "label_type": kind}
    values["margins"] = {new[name]: margin for name, margin in values["margins"].items()}
    replace_text(path, json_text(values))
    entry = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    replace_text(copy.fast.path / MANIFEST, json_text({"files": {FILE: entry}}))
