"""From texts to predictions, in order, in windows of bounded size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol

from clx.errors import ConfigError
from clx.ml.data.lengths import warn_truncated
from clx.ml.data.texts import check_texts
from clx.ml.data.windows import refuse_long
from clx.ml.task.author_code import author_code
from clx.problems import cell

if TYPE_CHECKING:
    from clx.ml.task.task import Task

MAX_BATCH_SIZE = 1_000_000


def check_batch_size(batch_size: Any) -> int | None:
    """Return the batch size; None leaves it to the device.

    Raises:
        ConfigError: it is not a whole number of at least 1, or more than memory can have.
    """
    if batch_size is None:
        return None
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(
            f"batch_size must be a whole number of at least 1, but is {cell(batch_size)}"
        )
    if batch_size > MAX_BATCH_SIZE:
        raise ConfigError(f"batch_size must be at most {MAX_BATCH_SIZE}, but is {cell(batch_size)}")
    return batch_size


def check_min_score(min_score: Any) -> float | None:
    """Return the score, None for none.

    Raises:
        ConfigError: it is not a number from 0 to 1.
    """
    is_number = isinstance(min_score, int | float) and not isinstance(min_score, bool)
    if min_score is not None and not (is_number and 0 <= min_score <= 1):
        raise ConfigError(f"min_score must be a number from 0 to 1, but is {cell(min_score)}")
    return min_score  # type: ignore[no-any-return]


@dataclass
class CutTexts:
    """What becomes of it that texts are cut.

    Attributes:
        name: position → what a message calls the text.
        warn: whether a warning at the end says how many were.
        flags: whether each text was, in order.
        limit: in tokens, once it is known.
    """

    name: Callable[[int], Any] = int
    warn: bool = True
    flags: list[bool] = field(default_factory=list)
    limit: int | None = None

    def tell(self, what: str = "the input", stacklevel: int = 4) -> None:
        """Say how many texts were cut, if any was."""
        warn_truncated(self.limit, sum(self.flags), len(self.flags), what, stacklevel)


class Engine(Protocol):
    """What runs texts through a model and gives what the run's pipeline would give.

    Attributes:
        window: how many texts should be passed at once.
    """

    window: int

    def __call__(self, texts: Sequence[str], arguments: dict[str, Any]) -> list[Any]:
        """Return the pipeline's output for each text, in order."""

    def cut(self) -> list[bool]:
        """Return for each text of the last call whether it was truncated."""

    def limit(self) -> int | None:
        """Return the most tokens that the model is given of a text."""


def predict_texts(
    task: Task,
    texts: Iterable[str],
    make_engine: Callable[[], Engine],
    pipe_args: dict[str, Any],
    cut: CutTexts | None = None,
) -> Iterator[Any]:
    """Yield the task's prediction for each text, in order, holding one window at a time.

    The model is loaded when the first prediction is asked for. Within a window equal texts are
    computed once. Before a prediction is yielded, ``cut`` knows whether its text was cut.

    Raises:
        DataFormatError: a text is none, or is too long and the run has ``strict_length``.
    """
    source = iter(texts)
    first = list(islice(source, 1))
    if not first:
        return
    engine = make_engine()
    source = chain(first, source)
    position, cut = 0, cut or CutTexts()
    cut.limit = engine.limit()
    while window := list(islice(source, engine.window)):
        window = check_texts(window, position)
        position += len(window)
        distinct = list(dict.fromkeys(window))
        outputs = dict(zip(distinct, engine(distinct, pipe_args), strict=True))
        was_cut = dict(zip(distinct, engine.cut(), strict=True))
        in_order = [was_cut[text] for text in window]
        begun = len(cut.flags)
        cut.flags += in_order
        if task.strict_length:
            too_long = [cut.name(begun + at) for at, is_cut in enumerate(in_order) if is_cut]
            refuse_long(too_long, cut.limit, len(cut.flags), "the input")
        yield from _predictions(task, window, outputs)
    if cut.warn:
        cut.tell()


def _predictions(task: Task, window: list[str], outputs: dict[str, Any]) -> list[Any]:
    """Return the task's predictions of a window; equal texts do not share an object."""
    left = Counter(window)
    predictions = []
    for text in window:
        left[text] -= 1
        output = _own(outputs[text]) if left[text] else outputs[text]
        with author_code(task, "post_process_prediction"):
            predictions.append(task.post_process_prediction(output))
    return predictions


def _own(output: Any) -> Any:
    """Return a copy that a task may change: equal texts share the pipeline's output."""
    if isinstance(output, dict):
        return dict(output)
    return [_own(item) for item in output] if isinstance(output, list) else output
