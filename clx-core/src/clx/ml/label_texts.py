"""What labels are called, as texts: an example of each label that nobody had to write.

With few rows a name such as ``card_payment_fee`` says as much about its label as a row does. It is an
example for the probe alone; the fine-tuning sees rows only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clx.errors import ConfigError
from clx.ml.quality_options import unknown_labels
from clx.ml.task_hooks import TaskHooks
from clx.problems import raise_problems

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.run import TrainingRun


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


def label_names_of(model: PreTrainedModel) -> list[str]:
    """Return the names of a model's labels, by id."""
    return [str(name) for _, name in sorted(model.config.id2label.items())]


def label_texts(
    run: TrainingRun, names: Sequence[str], columns: Sequence[str]
) -> LabelTexts | None:
    """Return the texts that a run has for its labels, tokenised; None where there are none.

    Args:
        run: whose option ``label_texts`` counts.
        names: of the labels, by id.
        columns: what the model is fed of a row: texts alone cannot have more than the tokenizer gives.

    Raises:
        ConfigError: there are texts for labels that there are not.
    """
    raise_problems(
        ConfigError,
        "label_texts cannot be used:",
        unknown_labels("label_texts", run.label_texts, names),
    )
    if run.label_texts is None or run.head_init != "probe" or len(run.text_columns) != 1:
        return None
    texts = _texts_of(run.label_texts, names)
    if not texts:
        return None
    from datasets import Dataset

    encoded = TaskHooks.tokenize(run, {run.text_columns[0]: [text for _, text in texts]})
    if not set(columns) <= set(encoded) or len(encoded["input_ids"]) != len(texts):
        return None
    return LabelTexts(
        Dataset.from_dict({name: encoded[name] for name in columns}),
        torch.tensor([label for label, _ in texts]),
        certain=run.label_texts != "names",
    )


def _texts_of(wanted: Any, names: Sequence[str]) -> list[tuple[int, str]]:
    """Return label ids and texts."""
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
