"""Print predictions: a table on a terminal, lines in a pipe, or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, Any, NamedTuple

from clx.cli.output import Output, clipped
from clx.ml.machine.progress import progress_bar

if TYPE_CHECKING:
    from clx.ml import TrainingRun

TEXT_WIDTH = 80
TABLE_ROWS = 200
"""How many rows of a table a terminal shows; more rows make further tables, to bound the memory."""


class Predicted(NamedTuple):
    """A text, its prediction, and what else is known, such as whether it was truncated."""

    text: str
    prediction: Any
    facts: dict[str, Any]


def print_predictions(
    out: Output,
    run: TrainingRun,
    predictions: Iterator[Predicted],
    typed: bool,
    asked: dict[str, Any],
    backend: str | None = None,
) -> None:
    """Print texts and their predictions. A table has ``truncated`` only if a text in it was.

    Args:
        out: the output of the command.
        run: the run that predicted.
        predictions: the predictions.
        typed: whether the texts are arguments of the command; a bar is then of no use.
        asked: further arguments of ``prediction_row``.
        backend: the backend that predicted.
    """
    # Imported here: the commands that print no predictions need not load them.
    from clx.ml.prediction.output_types import TRUNCATED, declared_types
    from clx.ml.prediction.rows import with_facts

    if not out.is_terminal and not typed:
        predictions = _bar(predictions)
    if out.as_json:
        # Collect everything first: an error in a later text must not leave half a document.
        out.json([{"text": p.text, "prediction": p.prediction, **p.facts} for p in predictions])
        return
    rows = (
        (p.text, with_facts(run.prediction_row(p.prediction, **asked), p.facts))
        for p in predictions
    )
    if not out.is_terminal:
        first = next(rows, None)
        if first is None:
            # Without a text, the task may say which columns a prediction would have.
            known = declared_types(run, bool(asked.get("all_scores")), backend)
            out.heading(["text", *(known or ())])
        else:
            _print_lines(out, list(first[1]), chain([first], rows))
        return
    while some := list(islice(rows, TABLE_ROWS)):
        columns = list(dict.fromkeys(name for _, row in some for name in row))
        if not any(row.get(TRUNCATED) for _, row in some):
            columns = [name for name in columns if name != TRUNCATED]
        cells = ([clipped(text, TEXT_WIDTH), *map(row.get, columns)] for text, row in some)
        out.table(["text", *columns], cells)


def _print_lines(
    out: Output, columns: list[str], rows: Iterable[tuple[str, dict[str, Any]]]
) -> None:
    """Write the heading and each row as soon as it is predicted."""
    out.heading(["text", *columns])
    for text, row in rows:
        # A task may add columns to some rows only: these follow the others.
        others = (value for name, value in row.items() if name not in columns)
        out.records([[text, *map(row.get, columns), *others]])


def predicted(
    run: TrainingRun, texts: Iterable[str], batch_size: int | None, backend: str | None = None
) -> Iterator[Predicted]:
    """Yield each text with its prediction, in order, holding one window of texts in memory."""
    from clx.ml.prediction.predict import CutTexts
    from clx.ml.prediction.rows import text_facts

    (shown, asked), cut = tee(texts), CutTexts()
    predictions = run.recorded_predictions(asked, cut, batch_size, backend)
    for place, (text, prediction) in enumerate(zip(shown, predictions, strict=True)):
        yield Predicted(text, prediction, text_facts(cut, place))


def _bar(predictions: Iterator[Predicted]) -> Iterator[Predicted]:
    return iter(progress_bar(predictions, desc="predict", unit="texts", delay=1))
