"""Train a student that keeps only the first layers of the teacher's model."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from clx.errors import ConfigError
from clx.ml.distillation.soft_loss import soft_loss
from clx.ml.distillation.student import Course
from clx.ml.evaluation.evaluate import Predicted, predict_frame_rows
from clx.ml.machine.progress import progress_bar
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.layer import divide_head, find_head
from clx.ml.model.head.pooling import pooling_modules
from clx_runtime.batches import batches
from clx_runtime.texts import split_pair

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.distillation.gathering import Lesson
    from clx.ml.task.task import Task

LEARNING_RATE = 1e-4
WARM_UP = 0.1
BATCH = 32
EPOCHS, MOST_EPOCHS = 4, 20
LEAST_STEPS = 400
"""Make more passes over few texts until training has this number of steps."""

SORTED_BATCHES = 50
"""Batches are cut from this many batches of texts sorted by length."""

GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class LayersRequest:
    """What a student of some layers is made of.

    Attributes:
        kind: the kind of the teacher's scores.
        layers: the number of layers.
        seed: makes it reproducible.
        hidden: whether to hide progress bars.
    """

    kind: str
    layers: int
    seed: int = 42
    hidden: bool = False


class LayersStudent:
    """A trained student; see :class:`clx.ml.distillation.student.Student`."""

    def __init__(
        self,
        task: Task,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        lesson: Lesson,
        layers: int,
    ) -> None:
        self._task, self._model, self._tokenizer, self._lesson = task, model, tokenizer, lesson
        self.course = Course()
        self.facts: dict[str, Any] = {"layers": layers}

    def logits(self, rows: np.ndarray[Any, Any]) -> Tensor:
        """Return the logits of some of its texts, shape (rows, labels)."""
        return torch.from_numpy(self.read_logits([self._lesson.texts[row] for row in rows]))

    def divide(self, temperature: float) -> bool:
        """Divide its logits by a number; return False if no linear layer computes them."""
        inputs = _padded(self._task, self._tokenizer, self._lesson.texts[:2], self._model.device)
        layer = find_head(self._model, inputs)
        if layer is not None:
            divide_head(layer, temperature)
        return layer is not None

    def predicted(self, task: Task, frame: pd.DataFrame) -> Predicted:
        """Return its predictions for labeled rows."""
        return predict_frame_rows(task, self._tokenizer, self._model, frame)

    def write(self, folder: Path, task: Task) -> None:
        """Write the content of the run's ``model/``."""
        with quiet_transformers():
            self._model.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

    def read_logits(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the logits of any texts."""
        self._model.eval()
        found = np.empty((len(texts), self._model.config.num_labels), dtype=np.float32)
        device = self._model.device
        with torch.inference_mode():
            for batch in batches(list(map(len, texts)), device.type, BATCH):
                some = [texts[row] for row in batch]
                outputs = self._model(**_padded(self._task, self._tokenizer, some, device))
                found[batch] = outputs.logits.float().cpu().numpy()
        return found


def layers_student(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    lesson: Lesson,
    request: LayersRequest,
) -> LayersStudent:
    """Return a student of the teacher's first layers, which learned from the teacher's scores.

    Args:
        task: the teacher.
        tokenizer: its tokenizer.
        model: its model, which is not changed.
        lesson: texts with the teacher's scores.
        request: the arguments of the student.

    Raises:
        ConfigError: the model has no list of layers, or not more of them.
    """
    cut = cut_model(model, request.layers)
    student = LayersStudent(task, cut, tokenizer, lesson, request.layers)
    _train(student, cut, task, tokenizer, lesson, request)
    return student


def cut_model(model: PreTrainedModel, layers: int) -> PreTrainedModel:
    """Return a copy of a model with its first layers only.

    Raises:
        ConfigError: the model has no list of layers, or not more of them.
    """
    count = getattr(model.config, "num_hidden_layers", None)
    lists = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not lists or model.config.is_encoder_decoder:
        raise ConfigError(
            f"student='layers' needs a model with a list of layers, which {type(model).__name__} has "
            f"not: use student='static'"
        )
    # The last layer may hold the pooling, which every student needs.
    kept = int(f"{lists[0]}.{int(count or 0) - 1}" in pooling_modules(model))
    if layers >= int(count or 0) - kept:
        raise ConfigError(
            f"layers={layers} must be fewer than the {int(count or 0) - kept} layers of the "
            f"teacher's model"
        )
    cut: Any = copy.deepcopy(model)
    parent, _, name = lists[0].rpartition(".")
    holder = cut.get_submodule(parent)
    every = list(getattr(holder, name))
    setattr(holder, name, nn.ModuleList([*every[:layers], *every[len(every) - kept :]]))
    for key, value in vars(cut.config).items():
        # Such as the types of attention by layer.
        if isinstance(value, list) and len(value) == count and key != "architectures":
            setattr(cut.config, key, [*value[:layers], *value[len(value) - kept :]])
    cut.config.num_hidden_layers = layers + kept
    for module in pooling_modules(cut):
        cut.get_submodule(module).requires_grad_(False)
    fitting: PreTrainedModel = cut
    return fitting


def _padded(
    task: Task, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], device: Any
) -> dict[str, Tensor]:
    arguments = {"truncation": True, **task.tokenize_args, "padding": True, "return_tensors": "pt"}
    inputs = tokenizer(*split_pair(list(texts)), **arguments)
    return {name: value.to(device) for name, value in inputs.items()}


def _batches(texts: Sequence[str], rows: Tensor, generator: torch.Generator) -> Iterator[list[int]]:
    """Yield batches of rows with similar lengths, in a random order."""
    shuffled = rows[torch.randperm(len(rows), generator=generator)].tolist()
    for start in range(0, len(shuffled), BATCH * SORTED_BATCHES):
        some = shuffled[start : start + BATCH * SORTED_BATCHES]
        some.sort(key=lambda row: len(texts[row]))
        parts = [some[first : first + BATCH] for first in range(0, len(some), BATCH)]
        for number in torch.randperm(len(parts), generator=generator).tolist():
            yield parts[number]


def _train(
    student: LayersStudent,
    model: PreTrainedModel,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    lesson: Lesson,
    request: LayersRequest,
) -> None:
    """Fit the model to the learned texts, and keep the pass with the lowest loss on the watched."""
    started, course = time.monotonic(), student.course
    scores, device = torch.from_numpy(lesson.scores), model.device
    learned = torch.from_numpy(lesson.sides.taught)
    in_epoch = -(-len(learned) // BATCH)
    epochs = min(MOST_EPOCHS, max(EPOCHS, -(-LEAST_STEPS // in_epoch)))
    steps = epochs * in_epoch
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE)
    warm = max(1, round(steps * WARM_UP))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(step / warm, (steps - step) / max(1, steps - warm))
    )
    generator = torch.Generator().manual_seed(request.seed)
    best, kept = float("inf"), None
    with progress_bar(total=steps, desc="student", unit="steps", disable=request.hidden) as bar:
        for epoch in range(1, epochs + 1):
            model.train()
            total = 0.0
            for rows in _batches(lesson.texts, learned, generator):
                some = [lesson.texts[row] for row in rows]
                logits = model(**_padded(task, tokenizer, some, device)).logits
                loss = soft_loss(logits, scores[rows].to(device), request.kind)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(trained, GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                total += loss.item() * len(rows)
                course.steps += 1
                bar.update()
            watched = lesson.sides.watched
            seen = float(soft_loss(student.logits(watched), scores[watched], request.kind))
            course.epochs, course.loss = epoch, total / len(learned)
            entry = {"epoch": float(epoch), "step": course.steps}
            course.log += [{**entry, "loss": course.loss}, {**entry, "eval_loss": seen}]
            if seen < best:
                best, course.best, kept = seen, epoch, copy.deepcopy(model.state_dict())
    if kept is not None:
        model.load_state_dict(kept)
    model.eval()
    course.seconds = time.monotonic() - started
