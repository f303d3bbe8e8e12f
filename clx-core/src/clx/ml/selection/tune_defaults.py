"""The default space of a tuning: the parameters that usually matter, by task, data, and model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import Trainer

from clx.errors import ConfigError
from clx.ml.selection.tune_space import Choices, Range
from clx.ml.task.author_code import author_code
from clx.ml.training.setting import has_several_labels, is_imbalanced

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task

RATE_FACTOR = 4
"""The learning rate varies between the default divided and multiplied by this."""

BATCHES = (8, 16, 32)
SMOOTHING = (0.0, 0.05, 0.1)


@dataclass(frozen=True)
class Defaults:
    """The default space, and the values that a training without tuning has."""

    space: dict[str, Choices | Range]
    values: dict[str, Any]


def default_space(
    task: Task,
    train: Split,
    tokenizer: PreTrainedTokenizerBase,
    complete: Mapping[str, Any],
    given: frozenset[str],
) -> Defaults:
    """Return the space of the parameters that the user did not set.

    Args:
        task: the task, with the options of the run.
        train: the tokenized training rows.
        tokenizer: the base model's tokenizer.
        complete: the training arguments of a training without tuning.
        given: the names of the options that the user set.

    Raises:
        ConfigError: the user set everything.
    """
    found: dict[str, tuple[Choices | Range, Any]] = {}
    rate, epochs = float(complete["learning_rate"]), complete["num_train_epochs"]
    if rate > 0:
        found["learning_rate"] = Range(rate / RATE_FACTOR, rate * RATE_FACTOR, True), rate
    if "max_steps" not in task.training_args and isinstance(epochs, int):
        most = max(2, math.ceil(1.5 * epochs))
        found["num_train_epochs"] = Range(max(1, epochs // 2), most), epochs
    batch = complete["per_device_train_batch_size"]
    batches = tuple(sorted({*(size for size in BATCHES if size <= len(train.dataset)), batch}))
    found["per_device_train_batch_size"] = Choices(batches), batch
    kind = _label_kind(task, train)
    if kind == "single":
        found["label_smoothing_factor"] = Choices(SMOOTHING), 0.0
    open_options = {name for name in ("class_weights", "long_text") if name not in given}
    if kind is not None and is_imbalanced(task, train.frame) and task.class_weights is None:
        found["class_weights"] = Choices((None, "balanced")), None
    is_cut = train.truncated > 0 and getattr(tokenizer, "is_fast", False)
    if kind is not None and is_cut and task.long_text == "truncate":
        found["long_text"] = Choices(("truncate", "window")), "truncate"
    chosen = {
        name: each
        for name, each in found.items()
        if name not in task.training_args
        and (name in open_options or name not in ("class_weights", "long_text"))
        and not (isinstance(each[0], Choices) and len(each[0].values) == 1)
    }
    if not chosen:
        raise ConfigError(
            "There is nothing to tune, because the run sets every parameter of the default space: "
            "pass space={name: values}, or leave some of these options out"
        )
    return Defaults(
        {name: each for name, (each, _) in chosen.items()},
        {name: value for name, (_, value) in chosen.items()},
    )


def _label_kind(task: Task, train: Split) -> str | None:
    """Return ``"single"`` or ``"multi"`` for labels that clx can weigh, None for any others."""
    if task.trainer_class is not Trainer:
        return None
    if has_several_labels(train):
        return "multi"
    with author_code(task, "row_labels"):
        labels: Sequence[Any] | None = task.row_labels(train.frame)
    first = train.dataset[0].get("labels")
    is_id = isinstance(first, int) and not isinstance(first, bool)
    return "single" if labels and is_id else None
