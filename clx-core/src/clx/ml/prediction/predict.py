"""From texts to predictions: in order, one window of texts at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from clx.ml.data.lengths import warn_truncated
from clx.ml.prediction.pipe_arguments import divided
from clx.ml.prediction.windows import ArrayRule, PredictionWindow, Window, score_window
from clx.ml.task.author_code import author_code
from clx_runtime.texts import check_texts
from clx_runtime.windows import refuse_long

if TYPE_CHECKING:
    import numpy as np

    from clx.ml.task.task import Task


@dataclass
class CutTexts:
    """Records which texts were truncated.

    Attributes:
        name: returns a message's name for the text at a position.
        warn: whether to warn at the end if texts were truncated.
        flags: whether each text was truncated, in order.
        limit: the most tokens of a text that the model receives, once it is known.
        answered_by: who answered each text of a cascade, in order; empty for other backends.
    """

    name: Callable[[int], Any] = int
    warn: bool = True
    flags: list[bool] = field(default_factory=list)
    limit: int | None = None
    answered_by: list[str] = field(default_factory=list)

    def add(self, flags: Sequence[bool]) -> list[Any]:
        """Record the next texts, and return the names of the truncated ones."""
        start = len(self.flags)
        self.flags += flags
        return [self.name(row) for row, is_cut in enumerate(flags, start) if is_cut]

    def tell(self, what: str = "the input") -> None:
        """Warn how many texts were truncated, if any were."""
        warn_truncated(self.limit, sum(self.flags), len(self.flags), what)


class Engine(Protocol):
    """Runs texts through a model, and returns what the run's pipeline would return.

    Attributes:
        window: how many texts to pass at once.
    """

    window: int

    def __call__(self, texts: Sequence[str], arguments: dict[str, Any]) -> list[Any]:
        """Return the pipeline's output for each text, in order."""

    def cut(self) -> list[bool]:
        """Return for each text of the last call whether it was truncated."""

    def limit(self) -> int | None:
        """Return the most tokens of a text that the model receives, None for no limit."""


@runtime_checkable
class ScoringEngine(Protocol):
    """An engine that gives the scores of all labels as an array."""

    def order(self, labels: Sequence[str], arguments: dict[str, Any]) -> list[int] | None:
        """Return the places of labels among the scores, None if the scores lack one.

        Args:
            labels: the names of labels.
            arguments: the arguments of the pipeline's call, which may ask for the best labels only.
        """

    def called(self, texts: Sequence[str], arguments: dict[str, Any]) -> np.ndarray[Any, Any]:
        """Return the score of each label, shape (texts, labels)."""

    def answered_by(self) -> list[str] | None:
        """Return who answered each text of the last call of a cascade, None for other models."""


def predict_texts(
    task: Task,
    texts: Iterable[str],
    make_engine: Callable[[], Engine],
    pipe_args: dict[str, Any],
    cut: CutTexts | None = None,
) -> Iterator[Any]:
    """Yield the task's prediction for each text, in order.

    The model is loaded when the first prediction is requested. One window of texts is in memory at a
    time, and equal texts of a window are computed once. ``cut`` records a text before its
    prediction is yielded.

    Raises:
        DataFormatError: an item is not a text, or a text is too long and the run has
            ``strict_length``.
    """
    for window in predict_windows(task, texts, make_engine, pipe_args, None, cut):
        assert isinstance(window, PredictionWindow)
        yield from window.predictions


def predict_windows(
    task: Task,
    texts: Iterable[str],
    make_engine: Callable[[], Engine],
    pipe_args: dict[str, Any],
    rule: ArrayRule | None,
    cut: CutTexts | None = None,
) -> Iterator[Window]:
    """Yield the predictions of some texts at a time; see :func:`predict_texts`.

    Args:
        task: the run.
        texts: the texts.
        make_engine: loads the model.
        pipe_args: the arguments of the pipeline's call.
        rule: how to decide on arrays if the engine gives them, None for the task's predictions.
        cut: records which texts were truncated.
    """
    source = iter(texts)
    first = list(islice(source, 1))
    if not first:
        return
    engine = make_engine()
    pipe_args, own_args = divided(task, pipe_args)
    order = None
    if rule is not None and isinstance(engine, ScoringEngine):
        order = engine.order(rule.labels, pipe_args)
    cut = cut or CutTexts()
    cut.limit = engine.limit()
    for window in _windows(chain(first, source), engine.window):
        distinct = list(dict.fromkeys(window))
        found: Any
        if order is not None and isinstance(engine, ScoringEngine):
            found = engine.called(distinct, pipe_args)[:, order]
        else:
            found = engine(distinct, pipe_args)
        rows = _rows(window, distinct)
        flags = engine.cut()
        who = engine.answered_by() if isinstance(engine, ScoringEngine) else None
        if who is not None:
            cut.answered_by += who if rows is None else [who[row] for row in rows]
        too_long = cut.add(flags if rows is None else [flags[row] for row in rows])
        if task.strict_length:
            refuse_long(too_long, cut.limit, len(cut.flags), "the input")
        if order is not None and rule is not None:
            yield score_window(task, rule, found if rows is None else found[rows])
        else:
            outputs = dict(zip(distinct, found, strict=True))
            yield PredictionWindow(task, _predictions(task, window, outputs, own_args))
    if cut.warn:
        cut.tell()


def _rows(window: list[str], distinct: list[str]) -> list[int] | None:
    """Return the place of each text among the distinct ones, None if all are distinct."""
    if len(distinct) == len(window):
        return None
    place = {text: n for n, text in enumerate(distinct)}
    return [place[text] for text in window]


def _windows(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    """Yield at most ``size`` texts at a time, checked to be texts."""
    position = 0
    while window := list(islice(texts, size)):
        yield check_texts(window, position)
        position += len(window)


def _predictions(
    task: Task, window: list[str], outputs: dict[str, Any], own_args: dict[str, Any]
) -> list[Any]:
    """Return the task's predictions for a window; equal texts do not share an object."""
    remaining = Counter(window)
    predictions = []
    for text in window:
        remaining[text] -= 1
        output = _copied(outputs[text]) if remaining[text] else outputs[text]
        with author_code(task, "post_process_prediction"):
            predictions.append(task.post_process_prediction(output, **own_args))
    return predictions


def _copied(output: Any) -> Any:
    """Return a copy that a task may change: equal texts share the pipeline's output."""
    if isinstance(output, dict):
        return dict(output)
    return [_copied(item) for item in output] if isinstance(output, list) else output
