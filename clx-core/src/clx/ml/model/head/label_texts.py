"""What labels are called, as texts: an example of each label that nobody had to write.

With few rows a name such as ``card_payment_fee`` says as much about its label as a row does. The probe
judges whether names fit the rows; where they do, the fine-tuning has them as rows too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clx.errors import ConfigError
from clx.ml.task.option_checks import unknown_labels
from clx.problems import cell, raise_problems
from clx.problems import names as names_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.task.task import Task


REFUSED = "label_texts cannot be used:"


@dataclass(frozen=True)
class LabelTexts:
    """Texts that say what labels mean.

    Attributes:
        dataset: the texts as the model is fed.
        labels: the label id of each text, shape (texts,).
        certain: whether the user wrote them; names are not taken where rows left out contradict.
    """

    dataset: Dataset
    labels: Tensor
    certain: bool

    def targets(self, several: bool, outputs: int) -> Tensor:
        """Return the labels as those of rows are: ids, or 0 and 1 of shape (texts, outputs)."""
        if not several:
            return self.labels
        return torch.nn.functional.one_hot(self.labels, outputs).float()

    def added_to(self, rows: Dataset, several: bool) -> Dataset:
        """Return the rows of a training and the texts, as more rows of the same columns."""
        from datasets import Dataset, Features, concatenate_datasets

        outputs = len(rows[0]["labels"]) if several else 1
        columns = [*self.dataset.column_names, "labels"]
        texts = Dataset.from_dict(
            {**self.dataset[:], "labels": self.targets(several, outputs).tolist()},
            features=Features({name: rows.features[name] for name in columns}),
        )
        return concatenate_datasets([rows.select_columns(columns), texts])


def label_names_of(model: PreTrainedModel) -> list[str]:
    """Return the names of a model's labels, by id."""
    return [str(name) for _, name in sorted(model.config.id2label.items())]


def label_texts(task: Task, names: Sequence[str], columns: Sequence[str]) -> LabelTexts | None:
    """Return the texts that a run has for its labels, tokenised; None where there are none.

    Args:
        task: whose option ``label_texts`` counts.
        names: of the labels, by id.
        columns: what the model is fed of a row: texts alone cannot have more than the tokenizer gives.

    Raises:
        ConfigError: texts of the user cannot be used.
    """
    texts = _texts_of(task.label_texts, names)
    certain = isinstance(task.label_texts, dict)
    problems = unknown_labels("label_texts", task.label_texts, names)
    if task.head_init != "probe":
        problems.append(f"they are examples for a probe, and head_init is {cell(task.head_init)}")
    if len(task.text_columns) != 1:
        problems.append(f"a row is more than a text: the task reads {names_of(task.text_columns)}")
    if certain:
        raise_problems(ConfigError, REFUSED, problems)
    if problems or not texts:
        return None
    from datasets import Dataset

    # As a text that is predicted: alone, by the tokenizer. A long one is no reason for windows.
    arguments = {"padding": False, "truncation": True, **task.tokenize_args}
    encoded = task.tokenizer([text for _, text in texts], **arguments)
    missing = [name for name in columns if name not in encoded]
    if missing and certain:
        why = f"the tokenizer does not make {names_of(missing)}, which the task's rows have"
        raise_problems(ConfigError, REFUSED, [why])
    if missing:
        return None
    return LabelTexts(
        Dataset.from_dict({name: encoded[name] for name in columns}),
        torch.tensor([label for label, _ in texts]),
        certain,
    )


def require_probe(texts: LabelTexts | None, reason: str) -> None:
    """Refuse texts of the user where no probe could be made.

    Raises:
        ConfigError: there are such texts.
    """
    if texts is not None and texts.certain:
        raise_problems(ConfigError, REFUSED, [f"they are examples for a probe: {reason}"])


def _texts_of(wanted: Any, names: Sequence[str]) -> list[tuple[int, str]]:
    """Return label ids and texts."""
    if wanted is None:
        return []
    if wanted == "names":
        words = [words_of(name) for name in names]
        return list(enumerate(words)) if _mean_something(words) else []
    given = {str(name): [text] if isinstance(text, str) else text for name, text in wanted.items()}
    return [(label, text) for label, name in enumerate(names) for text in given.get(name, ())]


def words_of(name: str) -> str:
    """Return a label's name as a text: ``rec.sport.hockey`` as ``rec sport hockey``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[\W_]+", " ", spaced).strip()


def _mean_something(words: Sequence[str]) -> bool:
    """Return whether names may be words: not numbers or letters, nor alike but for numbers."""
    without_numbers = {re.sub(r"\d+", "", text).strip().casefold() for text in words}
    return len(without_numbers) == len(words) and all(len(text) > 1 for text in without_numbers)
