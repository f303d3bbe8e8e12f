"""The teacher's scores for many texts, computed once: an interrupted call continues where it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.machine.tensor_cache import Entry, TensorCache, digest_of
from clx.ml.task.options import options_of_task
from clx.problems import cell
from clx.settings import cache_dir
from clx_runtime.files import read_json_or_empty
from clx_runtime.label_set import LabelSet
from clx_runtime.scores import score_function
from clx_runtime.texts import TextRow

if TYPE_CHECKING:
    import numpy as np

    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task
    from clx_runtime.decisions import DecisionRule

CACHE_BYTES = 4 * 2**30
"""The size of the cache of scores on the disk."""

SINGLE, MULTI = "single", "multi"

_ATOL = 1e-3


@dataclass(frozen=True)
class Teacher:
    """A trained run whose predictions are scores of labels.

    Attributes:
        task: the run.
        rule: its decision rule.
        kind: ``single`` if the scores of a text sum to 1, ``multi`` if each label has its own.
        identity: the identity of the run directory.
        backend: the backend that predicts.
        predict: yields the prediction for each text.
    """

    task: Task
    rule: DecisionRule
    kind: str
    identity: str
    backend: str
    predict: Callable[[Sequence[str]], Iterable[Any]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, in the order of the scores."""
        return tuple(self.rule.labels)

    def scores(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the score of each label, float32 of shape (texts, labels), from the cache if possible.

        Raises:
            ConfigError: the predictions are not scores of the labels.
        """
        import torch

        cache = TensorCache(cache_dir() / "teachers", CACHE_BYTES, "The teacher's scores")
        key = self._key(texts)
        found = cache.get(key)
        if found is not None and found.tensor.shape == (len(texts), len(self.labels)):
            return found.tensor.numpy()
        scores = self._computed(texts)
        cache.put(key, Entry(torch.from_numpy(scores), {}))
        return scores

    def _key(self, texts: Sequence[str]) -> str:
        digest = hashlib.sha256()
        for text in texts:
            for part in text.texts if isinstance(text, TextRow) else (text,):
                data = part.encode()
                # The length keeps one text from looking like two.
                digest.update(f"{len(data)}:".encode() + data)
        options = json.dumps(options_of_task(self.task), sort_keys=True, default=str)
        return digest_of(self.identity, self.backend, options, digest.hexdigest())

    def _computed(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        import numpy as np

        labels = self.labels
        scores = np.empty((len(texts), len(labels)), dtype=np.float32)
        for row, prediction in enumerate(self.predict(texts)):
            if not isinstance(prediction, Mapping) or not set(labels) <= set(prediction):
                raise _without_scores(self.task, f"predicts {cell(prediction)}")
            scores[row] = [prediction[label] for label in labels]
        if not np.isfinite(scores).all() or scores.min() < -_ATOL or scores.max() > 1 + _ATOL:
            raise _without_scores(self.task, "has scores that are not probabilities")
        return scores


def teacher_of(
    task: Task,
    directory: RunDir,
    identity: str,
    backend: str,
    predict: Callable[[Sequence[str]], Iterable[Any]],
) -> Teacher:
    """Return a trained run as a teacher.

    Args:
        task: the run.
        directory: its directory.
        identity: the identity of its content.
        backend: the backend that predicts.
        predict: yields the prediction for each text.

    Raises:
        ConfigError: its task has no decision rule, or no scores of labels.
    """
    rule = task.decision_rule()
    if rule is None:
        raise _without_scores(task, "has no decision_rule()")
    config = read_json_or_empty(directory.model / "config.json")
    function = score_function(
        task.predict_args.get("function_to_apply"),
        config.get("problem_type"),
        len(rule.labels),
        config.get("function_to_apply"),
    )
    if function not in ("softmax", "sigmoid"):
        raise _without_scores(task, "has a model whose outputs are not scores of labels")
    is_multi = isinstance(rule, LabelSet) or function == "sigmoid"
    return Teacher(task, rule, MULTI if is_multi else SINGLE, identity, backend, predict)


def _without_scores(task: Task, why: str) -> ConfigError:
    return ConfigError(
        f"The run {task.run_name!r} cannot be distilled: a student learns scores of labels and a "
        f"decision rule, but the task {task.name!r} {why}"
    )
