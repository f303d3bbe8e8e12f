"""Predict with a loaded model, in the same batches and with the same outputs as the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import ConfigError
from clx_runtime.problems import cell
from clx_runtime.read import LoadedModel
from clx_runtime.scores import pipeline_outputs, score_function, scores_of
from clx_runtime.settings import Settings

if TYPE_CHECKING:
    import numpy as np


class Engine:
    """Runs a loaded model for one call of ``predict``.

    Args:
        model: the loaded model with its tokenizer.
        batch_size: texts per batch. None uses the pipeline's own batch size, or else as many texts
            as fit the token budget of the device.

    Attributes:
        window: how many texts to pass at once.
    """

    def __init__(self, model: LoadedModel, batch_size: int | None) -> None:
        self._model = model
        self._texts_per_batch = batch_size or model.settings.batch_size
        self._cut: list[bool] = []
        self._tokens: list[int] = []
        self._answered_by: list[str] | None = None
        self.window = model.window(self._texts_per_batch)

    def __call__(self, texts: Sequence[str], arguments: dict[str, Any]) -> list[Any]:
        """Return the pipeline's output for each text, in order."""
        settings = self._model.settings
        requested, top_k, legacy = scoring_of(arguments, settings)
        scores = self.scores(texts, requested)
        return pipeline_outputs(scores, dict(enumerate(settings.labels)), top_k, legacy)

    def order(self, labels: Sequence[str], arguments: Mapping[str, Any]) -> list[int] | None:
        """Return the places of labels among the model's, None if the outputs lack one of them.

        Args:
            labels: the names of labels.
            arguments: the arguments of the pipeline's call, which may ask for the best labels only.
        """
        own = self._model.settings.labels
        _, top_k, legacy = scoring_of(arguments, self._model.settings)
        complete = top_k is None or (top_k != 1 if legacy else top_k >= len(own))
        place = {name: n for n, name in enumerate(own)}
        if not complete or len(place) < len(own) or not set(labels) <= set(place):
            return None
        return [place[name] for name in labels]

    def called(self, texts: Sequence[str], arguments: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """Return the score of each label of the model as a call would, shape (texts, labels)."""
        return self.scores(texts, scoring_of(arguments, self._model.settings)[0])

    def scores(self, texts: Sequence[str], function: str | None = None) -> np.ndarray[Any, Any]:
        """Return the score of each label of the model, shape (texts, labels).

        Args:
            texts: what to predict.
            function: ``softmax``, ``sigmoid`` or ``none``; None leaves it to the model.
        """
        settings = self._model.settings
        return scores_of(self.logits(texts), function or own_function(settings))

    def logits(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the logits of each text, shape (texts, labels)."""
        read = self._model.read(texts, self._texts_per_batch)
        self._cut, self._tokens, self._answered_by = read.truncated, read.tokens, read.answered_by
        return read.logits

    def cut(self) -> list[bool]:
        """Return for each text of the last call whether it was truncated."""
        return self._cut

    def tokens(self) -> list[int]:
        """Return how many tokens of each text of the last call the model read."""
        return self._tokens

    def answered_by(self) -> list[str] | None:
        """Return who answered each text of the last call of a cascade, None for other models."""
        return self._answered_by

    def limit(self) -> int | None:
        """Return the most tokens of a text that the model receives, None for no limit."""
        return self._model.settings.limit


def own_function(settings: Settings) -> str:
    """Return the function that turns a model's logits into its scores, if nobody asks for another."""
    return score_function(None, settings.problem_type, len(settings.labels), settings.configured)


def scoring_of(arguments: Mapping[str, Any], settings: Settings) -> tuple[str | None, Any, bool]:
    """Return function, top_k and legacy as the pipeline interprets the arguments of its call.

    Raises:
        ConfigError: only the torch pipeline accepts an argument, or a value is not valid.
    """
    unknown = sorted(set(arguments) - {"top_k", "function_to_apply"})
    if unknown:
        raise ConfigError(
            f"An export accepts top_k and function_to_apply, but not {', '.join(unknown)}: the "
            f"export fixed the tokenizer's arguments (backend='torch' accepts others)"
        )
    own = settings.scoring
    function = arguments.get("function_to_apply") or own["function"]
    if function not in (None, "softmax", "sigmoid", "none"):
        raise ConfigError(
            f"function_to_apply must be softmax, sigmoid or none, but is {cell(function)}"
        )
    top_k, legacy = own["top_k"], own["legacy"]
    requested = arguments.get("top_k", "")
    if requested is None or isinstance(requested, int):
        top_k, legacy = requested, False
    return function, top_k, legacy
