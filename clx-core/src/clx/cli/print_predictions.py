"""Print predictions: a table on a terminal, lines in a pipe, or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, Any

from clx.cli.output import Output, clipped

if TYPE_CHECKING:
    from clx.ml import TrainingRun

TEXT_WIDTH = 80
TABLE_ROWS = 200
"""How many rows of a table a terminal shows; more rows make further tables, to bound the memory."""


def print_predictions(
    out: Output,
    run: TrainingRun,
    predictions: Iterator[tuple[str, Any]],
    typed: bool,
    asked: dict[str, Any],
) -> None:
    """Print texts and their predictions.

    Args:
        out: the output of the command.
        run: the run that predicted.
        predictions: each text with its prediction.
        typed: whether the texts are arguments of the command; a bar is then of no use.
        asked: further arguments of ``prediction_row``.
    """
    if not out.is_terminal and not typed:
        predictions = _bar(predictions)
    if out.as_json:
        # Collect everything first: an error in a later text must not leave half a document.
        out.json([{"text": text, "prediction": prediction} for text, prediction in predictions])
        return
    rows = ((text, run.prediction_row(prediction, **asked)) for text, prediction in predictions)
    if not out.is_terminal:
        _print_lines(out, run, rows, bool(asked.get("all_scores")))
        return
    while some := list(islice(rows, TABLE_ROWS)):
        columns = list(dict.fromkeys(name for _, row in some for name in row))
        cells = ([clipped(text, TEXT_WIDTH), *map(row.get, columns)] for text, row in some)
        out.table(["text", *columns], cells)


def _print_lines(
    out: Output, run: TrainingRun, rows: Iterator[tuple[str, dict[str, Any]]], all_scores: bool
) -> None:
    """Write the heading and each row as soon as it is predicted."""
    first = next(rows, None)
    # Without a text, the task may say which columns a prediction would have.
    row = (run.prediction_types(all_scores=all_scores) or {}) if first is None else first[1]
    columns = list(row)
    out.heading(["text", *columns])
    for text, row in () if first is None else chain([first], rows):
        # A task may add columns to some rows only: these follow the others.
        others = (value for name, value in row.items() if name not in columns)
        out.records([[text, *map(row.get, columns), *others]])


def predicted(
    run: TrainingRun, texts: Iterable[str], batch_size: int | None, backend: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield each text with its prediction, in order, holding one window of texts in memory."""
    shown, asked = tee(texts)
    return zip(shown, run.predict_iter(asked, batch_size, backend), strict=True)


def _bar(predictions: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    from tqdm.auto import tqdm

    return iter(tqdm(predictions, desc="predict", unit=" texts", delay=1))
