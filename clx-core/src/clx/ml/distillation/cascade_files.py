"""Write the student of a cascade into a run: its files, the margins, the results and the report."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from clx.ml.plugins.calls import report_sections
from clx.ml.results.cascade import CASCADE, CascadeResult
from clx.ml.results.pages import run_report
from clx.ml.run_directory.copying import replace_text
from clx.ml.run_directory.files import json_text, write_json
from clx.ml.run_directory.identities import with_identities
from clx.ml.run_directory.layout import (
    CARD,
    CONFIG,
    LEARNED_HASHES,
    MANIFEST,
    MODEL,
    REPORT,
    RESULTS,
    RunDir,
)
from clx_runtime.cascade import FILE, Cascade
from clx_runtime.files import file_sha256, read_json

if TYPE_CHECKING:
    from clx.ml.task.task import Task

_NOT_NEEDED = ("base_model_name", "tokenizer_name", "training_args", "report_to", "metrics", "lora")
"""Options of the student that no prediction needs, and that may name a path."""


def write_cascade(
    task: Task, place: RunDir, new: RunDir, where: RunDir, cascade: Cascade, result: CascadeResult
) -> None:
    """Write the student, the margins, the results and the report into a copy of the run."""
    folder = new.fast.path
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(where.model, folder / MODEL, ignore=shutil.ignore_patterns(CARD))
    if where.extra.is_dir():
        # No prediction needs the hashes of the texts.
        no_hashes = shutil.ignore_patterns(LEARNED_HASHES)
        shutil.copytree(where.extra, folder / where.extra.name, ignore=no_hashes)
    config = {k: v for k, v in read_json(where.path / CONFIG).items() if k not in _NOT_NEEDED}
    write_json(folder / CONFIG, config)
    write_json(folder / FILE, cascade.to_dict())
    # The manifest of the run lists every file; this one makes the folder a run of its own.
    entry = {"size": (folder / FILE).stat().st_size, "sha256": file_sha256(folder / FILE)}
    write_json(folder / MANIFEST, {"files": {FILE: entry}})
    results = with_identities(new.read_results() | {CASCADE: result.to_dict()}, place)
    replace_text(new.path / RESULTS, json_text(results))
    page = run_report(new, sections=report_sections(task, None), name=place.path.name)
    replace_text(new.path / REPORT, page)
