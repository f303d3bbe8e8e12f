"""Texts that describe labels, as extra training examples.

If there are few rows, a name such as ``card_payment_fee`` says as much about its label as a row does.
The probe decides whether the names fit the rows. If they do, they are rows of the fine-tuning too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clx.errors import ConfigError
from clx.ml.data.no_tokens import stand_in, with_tokens
from clx.ml.data.row_targets import PROBABILITIES, WEIGHT
from clx.ml.task.option_checks import unknown_labels
from clx.problems import cell, raise_problems
from clx.problems import names as names_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.model.head.probe import Examples
    from clx.ml.task.task import Task

MAX_ROWS_PER_LABEL = 32
"""With more rows per label, label names add nothing to what the rows say."""

REFUSED = "label_texts cannot be used:"


@dataclass(frozen=True)
class LabelTexts:
    """Texts that describe labels.

    Attributes:
        dataset: the tokenized texts.
        labels: the label id of each text, shape (texts,).
        certain: whether the user wrote the texts. Label names are uncertain: the probe leaves them
            out if they raise the loss on held-out rows.
    """

    dataset: Dataset
    labels: Tensor
    certain: bool

    def targets(self, several: bool, outputs: int) -> Tensor:
        """Return the labels as rows have them: ids, or 0 and 1 with the shape (texts, outputs).

        Args:
            several: whether a row has several labels.
            outputs: the number of labels.
        """
        if not several:
            return self.labels
        return torch.nn.functional.one_hot(self.labels, outputs).float()

    def added_to(self, rows: Dataset, several: bool) -> Dataset:
        """Return training rows followed by the texts as rows with the same columns.

        Args:
            rows: tokenized, with ``labels``.
            several: whether a row has several labels.
        """
        from datasets import Dataset, Features, concatenate_datasets

        outputs = len(rows[0]["labels"]) if several else 1
        added: dict[str, Any] = {"labels": self.targets(several, outputs).tolist()}
        if WEIGHT in rows.column_names:
            added[WEIGHT] = [1.0] * len(self.labels)
        if PROBABILITIES in rows.column_names:
            outputs = len(rows[0][PROBABILITIES])
            added[PROBABILITIES] = self.targets(True, outputs).tolist()
        columns = [*self.dataset.column_names, *added]
        texts = Dataset.from_dict(
            {**self.dataset[:], **added},
            features=Features({name: rows.features[name] for name in columns}),
        )
        return concatenate_datasets([rows.select_columns(columns), texts])


def label_names_of(model: PreTrainedModel) -> list[str]:
    """Return the names of a model's labels, ordered by id."""
    return [str(name) for _, name in sorted(model.config.id2label.items())]


def label_texts(
    task: Task, tokenizer: PreTrainedTokenizerBase, names: Sequence[str], columns: Sequence[str]
) -> LabelTexts | None:
    """Return the tokenized texts that describe a task's labels, None if there are none.

    Args:
        task: the task with the options.
        tokenizer: the tokenizer of the base model.
        names: label names, by id.
        columns: the columns that the model reads. Label names are not used if the tokenizer does not
            return all of them.

    Raises:
        ConfigError: texts that the user wrote cannot be used.
    """
    texts = _texts_of(task.label_texts, names)
    certain = isinstance(task.label_texts, dict)
    problems = unknown_labels("label_texts", task.label_texts, names)
    if task.head_init != "probe":
        problems.append(f"the probe learns from them, but head_init is {cell(task.head_init)}")
    if len(task.text_columns) != 1:
        problems.append(f"a row is more than one text: it has {names_of(task.text_columns)}")
    if certain:
        raise_problems(ConfigError, REFUSED, problems)
    if problems or not texts:
        return None
    from datasets import Dataset

    # The texts are tokenized like a single text in prediction: even a long one makes no windows.
    arguments = {"padding": False, "truncation": True, **task.tokenize_args}
    encoded = tokenizer([text for _, text in texts], **arguments)
    encoded = with_tokens(encoded, stand_in(tokenizer))
    missing = [name for name in columns if name not in encoded]
    if missing and certain:
        why = f"the tokenizer does not return {names_of(missing)}, which the model reads"
        raise_problems(ConfigError, REFUSED, [why])
    if missing:
        return None
    return LabelTexts(
        Dataset.from_dict({name: encoded[name] for name in columns}),
        torch.tensor([label for label, _ in texts]),
        certain,
    )


def text_examples(
    texts: LabelTexts | None, examples: Examples, features: Callable[[Dataset], Tensor]
) -> Examples | None:
    """Return label texts as examples, None if there are none or the rows do not need them.

    Args:
        texts: the texts.
        examples: the rows.
        features: returns the features of tokenized texts.
    """
    if texts is None or examples.kind == "regression":
        return None
    if not texts.certain and len(examples) > MAX_ROWS_PER_LABEL * examples.outputs:
        return None
    targets = texts.targets(examples.kind == "multi", examples.outputs)
    described = replace(examples, features=features(texts.dataset), targets=targets)
    return replace(described, row_weights=None, soft=None)


def require_probe(texts: LabelTexts | None, reason: str) -> None:
    """Refuse texts that the user wrote if there is no probe to learn from them.

    Raises:
        ConfigError: there are such texts.
    """
    if texts is not None and texts.certain:
        raise_problems(ConfigError, REFUSED, [f"no probe can learn from them: {reason}"])


def _texts_of(wanted: Any, names: Sequence[str]) -> list[tuple[int, str]]:
    """Return pairs of a label id and a text."""
    if wanted is None:
        return []
    if wanted == "names":
        words = [name_as_text(name) for name in names]
        return list(enumerate(words)) if _mean_something(words) else []
    by_name = {
        str(name): [texts] if isinstance(texts, str) else texts for name, texts in wanted.items()
    }
    return [(label, text) for label, name in enumerate(names) for text in by_name.get(name, ())]


def name_as_text(name: str) -> str:
    """Return a label name as a text: ``rec.sport.hockey`` becomes ``rec sport hockey``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[\W_]+", " ", spaced).strip()


def _mean_something(words: Sequence[str]) -> bool:
    """Return whether names may be words.

    Numbers, single letters, and names that differ only in a number are not.
    """
    without_numbers = {re.sub(r"\d+", "", text).strip().casefold() for text in words}
    return len(without_numbers) == len(words) and all(len(text) > 1 for text in without_numbers)
