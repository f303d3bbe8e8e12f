"""Texts that are longer than the model takes: cut, refused, or read window by window.

With ``long_text="window"`` a text becomes several windows of tokens, each of which begins with the last
tokens of the one before. Each window is a row of the training with its text's label; the logits of a
text are pooled from those of its windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataFormatError
from clx.problems import cell, choice_problems, examples, names

if TYPE_CHECKING:
    import numpy as np

LONG_TEXT = ("truncate", "window")
WINDOW_POOLINGS = ("mean", "max", "length")

WHOLE = "A task that classifies single texts reads them whole with long_text='window'"
"""What helps, for messages about cut texts."""

OVERLAP = 8
"""A window has an eighth of its tokens in common with the one before, unless the user says otherwise."""


@dataclass(frozen=True)
class Windows:
    """How texts are read window by window.

    Attributes:
        arguments: to the tokenizer's call.
        pooling: one of ``WINDOW_POOLINGS``.
    """

    arguments: dict[str, Any]
    pooling: str


@dataclass(frozen=True)
class TextWindows:
    """Which rows of a dataset are windows of one text, and how what is had of them is pooled.

    Attributes:
        row_of: the text of each window, ascending, shape (windows,).
        sizes: tokens of each window, shape (windows,).
        how: one of ``WINDOW_POOLINGS``.
    """

    row_of: Sequence[int]
    sizes: Sequence[int]
    how: str

    def pooled(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return one row of logits, or features, a text."""
        return pooled(values, self.row_of, self.sizes, self.how)

    def firsts(self) -> np.ndarray[Any, Any]:
        """Return the position of each text's first window."""
        return first_windows(self.row_of)

    def only(self, windows: Sequence[int]) -> TextWindows:
        """Return the same of some of the windows, given in ascending order."""
        row_of, sizes = ([of[i] for i in windows] for of in (self.row_of, self.sizes))
        return TextWindows(row_of, sizes, self.how)


def long_text_problems(task: Any) -> list[str]:
    """Return what is wrong with a run's options for long texts, as sentences."""
    problems = choice_problems(task, {"long_text": LONG_TEXT, "window_pooling": WINDOW_POOLINGS})
    if not isinstance(task.strict_length, bool):
        problems.append(f"strict_length must be true or false, but is {cell(task.strict_length)}")
    if task.long_text != "window":
        return problems
    why = None
    if task.pipeline_args.get("task") != "text-classification":
        why = (
            f"pools the logits of a text, and the task's pipeline is {task.pipeline_args['task']!r}"
        )
    elif len(task.text_columns) != 1:
        why = f"reads one text a row, and the task reads {names(task.text_columns)}"
    elif task.pipeline_args.get("pipeline_class") is not None:
        why = "needs the stock pipeline, and the task has a pipeline_class of its own"
    elif isinstance(task.tokenize_args, dict) and not truncates(task.tokenize_args):
        why = "cuts texts into windows, and tokenize_args has truncation=False"
    return problems if why is None else [*problems, f"long_text='window' {why}"]


def truncates(tokenize_args: dict[str, Any]) -> bool:
    """Return whether texts are cut at the limit, which is the default."""
    return tokenize_args.get("truncation", True) not in (False, None, "do_not_truncate")


def token_limit(task: Any) -> int | None:
    """Return how many tokens the run's model takes at once, None where nothing says so."""
    limit = task.tokenize_args.get("max_length") or task.tokenizer.model_max_length
    # A tokenizer without a limit of its own has a number beyond any model's.
    return int(limit) if limit and limit < 1_000_000 else None


def windows_of(task: Any) -> Windows | None:
    """Return how the run's texts are read window by window, None where they are not.

    Raises:
        ConfigError: its tokenizer cannot, or the input limit has no room for windows that overlap.
    """
    if task.long_text != "window":
        return None
    tokenizer = task.tokenizer
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            f"long_text='window' needs a fast tokenizer, and {type(tokenizer).__name__} is none"
        )
    # Padding would count as text where windows are weighted by their tokens.
    arguments: dict[str, Any] = {"return_overflowing_tokens": True, "padding": False}
    limit = token_limit(task)
    if limit is not None:
        room = limit - tokenizer.num_special_tokens_to_add()
        stride = task.tokenize_args.get("stride", max(0, room // OVERLAP))
        if stride >= room:
            raise ConfigError(
                f"tokenize_args: windows of {limit} tokens have room for {max(0, room)} of a text, "
                f"and cannot have {stride} in common (stride): raise max_length"
            )
        arguments["stride"] = stride
    return Windows(arguments, task.window_pooling)


def pooled(
    values: np.ndarray[Any, Any], row_of: Sequence[int], sizes: Sequence[int], how: str
) -> np.ndarray[Any, Any]:
    """Return one row of logits a text.

    Args:
        values: logits of the windows, shape (windows, labels).
        row_of: the text of each window, ascending, shape (windows,).
        sizes: tokens of each window, shape (windows,).
        how: ``mean``, ``max``, or ``length``: the mean weighted by tokens.
    """
    import numpy as np

    starts = first_windows(row_of)
    if how == "max":
        return np.asarray(np.maximum.reduceat(values, starts, axis=0))
    weights = np.ones(len(values)) if how == "mean" else np.asarray(sizes, dtype=np.float64)
    sums = np.add.reduceat(values * weights[:, None], starts, axis=0)
    totals = np.add.reduceat(weights, starts)
    return np.asarray((sums / totals[:, None]).astype(values.dtype))


def first_windows(row_of: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return the position of each text's first window."""
    import numpy as np

    return np.flatnonzero(np.diff(np.asarray(row_of), prepend=-1))


def refuse_long(where: Iterable[Any], limit: int | None, rows: int, what: str) -> None:
    """Raise for texts that are longer than the model takes, for a run with ``strict_length``.

    Args:
        where: index labels or positions of the texts that would be cut.
        limit: in tokens.
        rows: how many texts there are.
        what: such as ``train_data``.

    Raises:
        DataFormatError: there are any.
    """
    found = list(where)
    if found:
        raise DataFormatError(
            f"{len(found)} of {rows} texts in {what} are longer than {limit} tokens: "
            f"{examples(found)}. The run has strict_length=True: shorten them, or raise the limit "
            f"(tokenize_args={{'max_length': …}}). {WHOLE}"
        )
