"""Train a static student on the teacher's probabilities."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from clx.errors import ConfigError
from clx.ml.data.lengths import input_limit
from clx.ml.distillation.soft_loss import SOFTNESS, soft_loss, softened
from clx.ml.distillation.static_files import static_settings, write_static_student
from clx.ml.distillation.static_network import Bags, StaticNetwork, logits_of
from clx.ml.distillation.student import Course
from clx.ml.distillation.token_vectors import first_embeddings, token_vectors
from clx.ml.distillation.vocabulary import (
    COMPARED_TEXTS,
    Vocabulary,
    encoded,
    pruned_vocabulary,
    whole_vocabulary,
)
from clx.ml.evaluation.evaluate import Predicted, predict_frame_rows
from clx.ml.machine.progress import progress_bar
from clx_runtime.static_files import EMBEDDINGS, SCALES, StudentFiles, quantized
from clx_runtime.static_model import StaticModel
from clx_runtime.texts import TextRow

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.distillation.gathering import Lesson
    from clx.ml.task.task import Task

HIDDEN = 512
DROPOUT = 0.1
LEARNING_RATE = 1e-3
BATCH = 128
MOST_EPOCHS = 20
MOST_STEPS = 60_000
PATIENCE = 4
"""The number of passes without a lower loss on the watched texts after which the training ends."""

_AT_ONCE = 10_000


@dataclass(frozen=True)
class StaticRequest:
    """What a static student is made of.

    Attributes:
        kind: the kind of the teacher's scores.
        order: the names of the logits.
        problem_type: the entry of the teacher's model.
        base: the folder of the encoder whose vectors it starts with.
        dim: the size of a token's vector.
        int8: whether to write the vectors in 8 bits.
        seed: makes it reproducible.
        trusted: whether the code in ``base`` may run.
        hidden: whether to hide progress bars.
    """

    kind: str
    order: Sequence[str]
    problem_type: str | None
    base: Path
    dim: int = 256
    int8: bool = True
    seed: int = 42
    trusted: bool = False
    hidden: bool = False


class StaticStudent:
    """A trained static student; see :class:`clx.ml.distillation.student.Student`."""

    def __init__(
        self,
        request: StaticRequest,
        tokenizer: PreTrainedTokenizerBase,
        vocabulary: Vocabulary,
        network: StaticNetwork,
        bags: Bags,
        limit: int | None,
    ) -> None:
        self._request, self._tokenizer, self._vocabulary = request, tokenizer, vocabulary
        self._network, self._bags, self._limit = network, bags, limit
        self.course = Course()
        self.facts: dict[str, Any] = {
            "dim": request.dim,
            "hidden": HIDDEN,
            "tokens": len(vocabulary.ids),
            "int8": request.int8,
        }

    def logits(self, rows: np.ndarray[Any, Any]) -> Tensor:
        """Return the logits of some of its texts, shape (rows, labels)."""
        return logits_of(self._network, self._bags, torch.from_numpy(rows))

    def divide(self, temperature: float) -> bool:
        """Divide its logits by a number."""
        self._network.divide(temperature)
        return True

    def predicted(self, task: Task, frame: pd.DataFrame) -> Predicted:
        """Return its predictions for labeled rows."""
        return predict_frame_rows(task, self._tokenizer, self._model(task), frame)

    def write(self, folder: Path, task: Task) -> None:
        """Write the content of the run's ``model/``."""
        tensors = self._tensors()
        write_static_student(folder, tensors, self._vocabulary.tokenizer, self._settings(task))

    def read_logits(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the logits of any texts."""
        tokenizer = Tokenizer.from_str(self._vocabulary.tokenizer)
        bags = bags_of(encoded(tokenizer, list(map(_parts, texts))), self._limit)
        return logits_of(self._network, bags, torch.arange(len(bags))).numpy()

    def quantize(self) -> None:
        """Round the vectors to what 8 bits hold."""
        with torch.no_grad():
            small = quantized(self._network.embeddings.weight.numpy())
            wide = small[EMBEDDINGS].astype(np.float32) * small[SCALES][:, None]
            self._network.embeddings.weight.copy_(torch.from_numpy(wide))

    def _tensors(self) -> dict[str, np.ndarray[Any, Any]]:
        tensors = self._network.tensors()
        return {**tensors, **quantized(tensors[EMBEDDINGS])} if self._request.int8 else tensors

    def _settings(self, task: Task) -> Any:
        request = self._request
        return static_settings(task, request.order, request.problem_type, self._limit)

    def _model(self, task: Task) -> StaticModel:
        files = StudentFiles(
            task.run_name, self._settings(task), self._vocabulary.tokenizer, self._tensors()
        )
        return StaticModel(files)


def static_student(
    task: Task, tokenizer: PreTrainedTokenizerBase, lesson: Lesson, request: StaticRequest
) -> StaticStudent:
    """Return a static student that learned from a teacher's scores.

    Args:
        task: the teacher.
        tokenizer: its tokenizer.
        lesson: texts with the teacher's scores.
        request: the arguments of the student.

    Raises:
        ConfigError: the tokenizer is not a fast one.
    """
    limit = _limit(task, tokenizer)
    vocabulary, bags = _vocabulary(tokenizer, lesson, limit)
    counts = np.bincount(bags.flat.numpy(), minlength=len(vocabulary.ids))
    vectors = token_vectors(request.base, vocabulary.ids, request.trusted, request.hidden)
    embeddings = first_embeddings(vectors, counts, request.dim)
    network = StaticNetwork(embeddings, HIDDEN, lesson.scores.shape[1], DROPOUT)
    student = StaticStudent(request, tokenizer, vocabulary, network, bags, limit)
    _train(student.course, network, bags, lesson, request)
    if request.int8:
        student.quantize()
    return student


def _vocabulary(
    tokenizer: PreTrainedTokenizerBase, lesson: Lesson, limit: int | None
) -> tuple[Vocabulary, Bags]:
    """Return the vocabulary of the learned texts, and the tokens of all."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            f"A static student needs a fast tokenizer (tokenizer.json), but this is "
            f"{type(tokenizer).__name__}: student='layers' works with it"
        )
    content = backend.to_str()
    whole = whole_vocabulary(content)
    texts = list(map(_parts, lesson.texts))
    rows = _all_rows(whole, texts)
    learned = lesson.sides.taught
    used = set(itertools.chain.from_iterable(rows[row] for row in learned))
    some = learned[:COMPARED_TEXTS]
    vocabulary = pruned_vocabulary(
        content, used, [texts[row] for row in some], [rows[row] for row in some]
    )
    if vocabulary.ids != whole.ids:
        # The other texts may have tokens that were left out.
        rows = _all_rows(vocabulary, texts)
    return vocabulary, bags_of(rows, limit)


def _all_rows(vocabulary: Vocabulary, texts: list[Any]) -> list[list[int]]:
    tokenizer = Tokenizer.from_str(vocabulary.tokenizer)
    rows = []
    for start in range(0, len(texts), _AT_ONCE):
        rows += encoded(tokenizer, texts[start : start + _AT_ONCE])
    return rows


def bags_of(rows: Sequence[list[int]], limit: int | None) -> Bags:
    """Return the tokens of texts, at most ``limit`` of each."""
    cut = [row[:limit] for row in rows]
    lengths = np.fromiter(map(len, cut), dtype=np.int64, count=len(cut))
    flat = np.fromiter(itertools.chain.from_iterable(cut), dtype=np.int64, count=lengths.sum())
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Bags(torch.from_numpy(flat), torch.from_numpy(starts))


def _parts(text: str) -> Any:
    return text.texts if isinstance(text, TextRow) else text


def _limit(task: Task, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return how many tokens of a text the teacher reads, without special tokens."""
    limit = input_limit(task, tokenizer)
    special = len(tokenizer("")["input_ids"])
    return None if limit is None else max(1, limit - special)


def _train(
    course: Course, network: StaticNetwork, bags: Bags, lesson: Lesson, request: StaticRequest
) -> None:
    """Fit the network to the learned texts, and keep the pass with the lowest loss on the watched."""
    started = time.monotonic()
    scores = softened(torch.from_numpy(lesson.scores), request.kind)
    learned = torch.from_numpy(lesson.sides.taught)
    watched = torch.from_numpy(lesson.sides.watched)
    epochs = max(1, min(MOST_EPOCHS, MOST_STEPS * BATCH // len(learned)))
    steps = epochs * -(-len(learned) // BATCH)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    generator = torch.Generator().manual_seed(request.seed)
    best, kept = float("inf"), network.state_dict()
    numbers = range(1, epochs + 1)
    for epoch in progress_bar(numbers, desc="student", unit="epochs", disable=request.hidden):
        network.train()
        total = 0.0
        order = learned[torch.randperm(len(learned), generator=generator)]
        for some in torch.split(order, BATCH):
            loss = soft_loss(network(*bags.take(some)), scores[some], request.kind)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(some)
            course.steps += 1
        seen = float(soft_loss(logits_of(network, bags, watched), scores[watched], request.kind))
        course.epochs, course.loss = epoch, total / len(learned)
        entry = {"epoch": float(epoch), "step": course.steps, "loss": course.loss}
        course.log += [entry, {"epoch": float(epoch), "step": course.steps, "eval_loss": seen}]
        if seen < best:
            best, course.best, kept = seen, epoch, copy.deepcopy(network.state_dict())
        elif epoch - course.best >= PATIENCE:
            break
    network.load_state_dict(kept)
    network.divide(1 / SOFTNESS)
    network.eval()
    course.seconds = time.monotonic() - started
