"""``clx labels DATA``: find the labels that look wrong, and write the rows to a file to correct."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clx.cli.failures import complain
from clx.cli.options_of_run import DEFAULT_TASK, run_options
from clx.cli.output import Output, clipped

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


def find_errors(out: Output, search: Search) -> None:
    """Find the labels that look wrong, print them, and write the file to correct."""
    from clx.ml import training_run
    from clx.ml.data.reading import reading_of
    from clx.ml.data.suggestions import rows_to_correct, target_of, write_suggestions

    target = None
    if search.output is not None:
        # The search may take minutes.
        target = target_of(search.output, search.data, search.overwrite)
    task = search.task or DEFAULT_TASK
    run = training_run(task, NAME, **run_options(task, search.given, search.assignments))
    frame = rows_to_correct(search.data, reading_of(**search.reading))
    found = run.find_label_errors(frame, search.folds, search.top)
    if target is not None:
        write_suggestions(target, frame, found)
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
        shown = [[_short(value) for value in line] for line in lines[:MAX_ROWS]]
        out.table(columns, shown, title + more)
        if not lines:
            out.line(title)
    else:
        out.table(columns, lines, heading=True)
    if search.output is not None:
        complain(f"saved in {search.output}: correct the labels there, and then train with")
        words = ["clx", "train", str(run.config["task"]), "NAME", search.output, *_columns(search)]
        complain(f"  {shlex.join(words)}")


def _columns(search: Search) -> list[str]:
    """Return the options that name the columns, as the caller wrote them."""
    named = (("--text-column", "text_column"), ("--label-column", "label_column"))
    return [
        word
        for option, name in named
        if search.given.get(name) is not None
        for word in (option, str(search.given[name]))
    ]


def _short(value: Any) -> Any:
    return clipped(value, TEXT_WIDTH) if isinstance(value, str) else value
