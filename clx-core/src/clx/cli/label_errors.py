"""``clx labels DATA``: find the labels that look wrong, and write the rows, corrected or to correct."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clx.cli.failures import complain
from clx.cli.options_of_run import run_options
from clx.cli.output import Output, clipped_texts
from clx.cli.task_names import DEFAULT_TASK
from clx.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml import TrainingRun

NAME = "labels"
"""The name of the run in messages; it has no directory."""

TEXT_WIDTH, MAX_ROWS = 60, 40


@dataclass(frozen=True)
class Search:
    """A search for wrong labels.

    Attributes:
        data: the labeled data.
        task: its task, None for the default one.
        given: the options of the run, as for :func:`run_options`.
        assignments: the values of ``--set``.
        reading: the arguments that say how to read a text file.
        folds: the number of folds.
        top: the number of rows to return, None for all suspicious ones.
        output: the file to write, None for none.
        overwrite: replace an existing file.
        accept: the confidence from which the file has the suggested labels, None for no label.
    """

    data: str
    task: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    folds: int = 5
    top: int | None = None
    output: str | None = None
    overwrite: bool = False
    accept: float | None = None


def find_errors(out: Output, search: Search) -> None:
    """Find the labels that look wrong, print them, and write the file.

    Raises:
        ConfigError: labels are to be accepted without a file, or among rows that do not look wrong.
    """
    from clx.ml import training_run
    from clx.ml.data.reading import reading_of
    from clx.ml.data.suggestions import rows_to_correct, target_of, write_suggestions

    if search.accept is not None and search.output is None:
        raise ConfigError("--accept writes the corrected rows to a file: name it with -o FILE")
    if search.accept is not None and search.top is not None:
        raise ConfigError("--top also lists labels that do not look wrong: drop it, or --accept")
    target = None
    if search.output is not None:
        # The search may take minutes.
        target = target_of(search.output, search.data, search.overwrite)
    task = search.task or DEFAULT_TASK
    run = training_run(task, NAME, **run_options(task, search.given, search.assignments))
    frame = rows_to_correct(search.data, reading_of(**search.reading))
    if search.accept is None:
        found = left = run.find_label_errors(frame, search.folds, search.top)
    else:
        corrected = run.correct_labels(frame, None, search.accept, search.folds)
        frame, found, left = corrected.data, corrected.found, corrected.left
    if target is not None:
        write_suggestions(target, frame, left)
    _write(out, search, run, found, len(frame))


def _write(out: Output, search: Search, run: TrainingRun, found: pd.DataFrame, rows: int) -> None:
    columns = ["row", *map(str, found.columns)]
    lines = list(found.astype(object).itertuples(name=None))
    if out.as_json:
        about = {"data": search.data, "task": run.config["task"], "rows": rows}
        labels = [dict(zip(columns, line, strict=True)) for line in lines]
        out.json({**about, "labels": labels, "output": search.output})
        return
    title = f"{len(lines)} of {rows} labels look wrong" if lines else "No label looks wrong"
    if search.top is not None:
        title = f"The {len(lines)} most suspicious of {rows} labels"
    if out.is_terminal:
        more = f"; --json and -o write all {len(lines)}" if len(lines) > MAX_ROWS else ""
        shown = [clipped_texts(line, TEXT_WIDTH) for line in lines[:MAX_ROWS]]
        out.table(columns, shown, title + more)
        if not lines:
            out.line(title)
    else:
        out.table(columns, lines, heading=True)
    if search.output is not None:
        for line in _said(search, found):
            complain(line)
        words = ["clx", "train", str(run.config["task"]), "NAME", search.output, *_columns(search)]
        complain(f"  {shlex.join(words)}")


def _said(search: Search, found: pd.DataFrame) -> list[str]:
    """Return what to say about the file, before the command that trains on it."""
    from clx.ml.data.suggestions import SUGGESTED
    from clx.ml.results.corrections import ORIGINAL

    if search.accept is None:
        return [f"saved in {search.output}: correct the labels there, and then train with"]
    accepted = int(found["accepted"].sum())
    lines = [
        f"saved in {search.output}: {accepted} labels were replaced, and the old ones are in the column "
        f"{ORIGINAL}"
    ]
    if accepted < len(found):
        lines.append(
            f"{len(found) - accepted} suggestions have a confidence below {search.accept:g}: look at "
            f"the rows with a {SUGGESTED}, correct them in the file, and then train with"
        )
    else:
        lines.append("train with")
    return lines


def _columns(search: Search) -> list[str]:
    """Return the options that name the columns, as the caller wrote them."""
    named = (("--text-column", "text_column"), ("--label-column", "label_column"))
    return [
        word
        for option, name in named
        if search.given.get(name) is not None
        for word in (option, str(search.given[name]))
    ]
