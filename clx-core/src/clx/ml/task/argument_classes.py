"""The class of a task's training arguments: that of transformers, or a subclass with more fields."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from clx.problems import cell

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from clx.ml.task.task import Task

ATTRIBUTE = "training_arguments_class"

_TYPES = {"bool": bool, "int": int, "float": float}
"""Types as ``from __future__ import annotations`` leaves them in a dataclass."""


class StockArguments:
    """The arguments that belong to a task's Trainer, imported when they are asked for."""

    def __get__(self, instance: Any, owner: Any) -> type:
        from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainingArguments

        trainer = (owner if instance is None else instance).trainer_class
        is_seq2seq = isinstance(trainer, type) and issubclass(trainer, Seq2SeqTrainer)
        stock: type = Seq2SeqTrainingArguments if is_seq2seq else TrainingArguments
        return stock


def class_problems(task: Task | None) -> list[str]:
    """Return what is wrong with the class that an author chose, without an import of transformers."""
    chosen = None if task is None else _chosen(task)
    if chosen is None:
        return []
    parents = chosen.__mro__ if isinstance(chosen, type) else ()
    if any(parent.__name__ == "TrainingArguments" for parent in parents):
        return []
    return [
        f"{ATTRIBUTE} of the task must be a subclass of transformers.TrainingArguments, but is "
        f"{cell(chosen)}"
    ]


def argument_class(task: Task | None) -> type[TrainingArguments]:
    """Return the class of a task's training arguments, that of transformers without a task."""
    if task is None:
        from transformers import TrainingArguments

        return TrainingArguments  # type: ignore[no-any-return]
    chosen: type[TrainingArguments] = task.training_arguments_class
    return chosen


def argument_fields(kind: type[TrainingArguments] | None = None) -> dict[str, Any]:
    """Return the fields of training arguments by name, by default those of transformers."""
    fields = dataclasses.fields(argument_class(None) if kind is None else kind)
    return {field.name: field for field in fields if field.init}


def own_arguments(task: Task) -> set[str]:
    """Return the names of the arguments that the task's class has beside those of transformers."""
    return set(argument_fields(argument_class(task))) - set(argument_fields())


def type_of_field(field: dataclasses.Field[Any]) -> Any:
    """Return the type of a field."""
    return _TYPES.get(field.type, field.type) if isinstance(field.type, str) else field.type


def _chosen(task: Task) -> Any:
    for holder in (vars(task), *map(vars, type(task).__mro__)):
        if ATTRIBUTE in holder:
            found = holder[ATTRIBUTE]
            break
    else:
        return None
    if isinstance(found, StockArguments):
        return None
    return getattr(task, ATTRIBUTE)
