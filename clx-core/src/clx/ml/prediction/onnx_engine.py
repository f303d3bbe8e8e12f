"""Prediction by ONNX Runtime: the same batches and the same form of outputs as the pipeline's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clx.ml.data.batches import batches, window_size
from clx.ml.data.texts import TextRow
from clx.ml.data.windows import pooled
from clx.ml.prediction.onnx_model import OnnxModel, scoring_of
from clx.ml.prediction.scores import pipeline_outputs, score_function, scores_of


class OnnxEngine:
    """Runs an exported model for one call of ``predict``.

    Args:
        model: the session with its tokenizer.
        batch_size: texts of a batch; None takes the pipeline's own, else the token budget.

    Attributes:
        window: how many texts should be passed at once.
    """

    def __init__(self, model: OnnxModel, batch_size: int | None) -> None:
        self._model = model
        self._batch_size = batch_size or model.settings.batch_size
        self._cut: list[bool] = []
        self.window = window_size(model.device, self._batch_size)

    def __call__(self, texts: Sequence[str], arguments: dict[str, Any]) -> list[Any]:
        """Return the pipeline's output for each text, in order."""
        import numpy as np

        settings = self._model.settings
        asked, top_k, legacy = scoring_of(arguments, settings)
        pairs = [text.texts if isinstance(text, TextRow) else text for text in texts]
        encodings = self._model.encode(pairs)
        self._cut = [bool(encoding.overflowing) for encoding in encodings]
        row_of = list(range(len(texts)))
        if settings.window_pooling is not None:
            self._cut = [False] * len(texts)
            row_of = [at for at, e in enumerate(encodings) for _ in (e, *e.overflowing)]
            encodings = [window for e in encodings for window in (e, *e.overflowing)]
        lengths = [len(encoding) for encoding in encodings]
        logits = np.empty((len(encodings), len(settings.labels)), dtype=np.float32)
        for batch in batches(lengths, self._model.device, self._batch_size):
            logits[batch] = self._model.logits([encodings[position] for position in batch])
        if settings.window_pooling is not None:
            logits = pooled(logits, row_of, lengths, settings.window_pooling)
        function = score_function(
            asked, settings.problem_type, len(settings.labels), settings.configured
        )
        labels = dict(enumerate(settings.labels))
        return pipeline_outputs(scores_of(logits, function), labels, top_k, legacy)

    def cut(self) -> list[bool]:
        """Return of each text of the last call whether it was cut."""
        return self._cut

    def limit(self) -> int | None:
        """Return the most tokens that the model is given of a text."""
        return self._model.settings.limit
