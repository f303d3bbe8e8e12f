"""A static student, loaded: from texts to logits with NumPy and tokenizers alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.batches import WINDOW_BATCHES
from clx_runtime.errors import ConfigError, RunDirError
from clx_runtime.problems import cell
from clx_runtime.read import Read
from clx_runtime.static_files import EMBEDDINGS, SCALES, TOKEN_WEIGHTS, StudentFiles, read_student
from clx_runtime.static_tokens import StudentTokenizer
from clx_runtime.static_words import WordSums, token_sums

if TYPE_CHECKING:
    import numpy as np

WINDOW = 4096
"""How many texts are computed at once."""

ROWS = 512
"""How many texts go through the layers together, so that they stay in the cache of the processor."""


class StaticModel:
    """A static student with its tokenizer and settings. Several threads may use it at once.

    Args:
        source: the folder with its files, or what they say.
        device: None or ``cpu``.

    Attributes:
        settings: the settings of the run.
        tokenizer: the student's tokenizer.
        device: ``cpu``.

    Raises:
        ConfigError: another device.
        RunDirError: a file is damaged.
    """

    device = "cpu"

    def __init__(self, source: Path | StudentFiles, device: str | None = None) -> None:
        import numpy as np

        if device is not None and not device.startswith("cpu"):
            raise ConfigError(f"A static student predicts on the device cpu, not {cell(device)}")
        files = read_student(source) if isinstance(source, Path) else source
        self.settings, self._where = files.settings, files.where
        self._weights, self._eps = files.weights, np.float32(files.layer_norm_eps)
        self._hidden = _hidden_layer(files)
        self._factors = _factors(files)
        self.tokenizer = StudentTokenizer(files.tokenizer, files.where)
        self._dim = files.weights[EMBEDDINGS].shape[1]
        self._sums = WordSums(self.tokenizer, self._vectors, self._dim)

    def window(self, batch_size: int | None) -> int:
        """Return how many texts to pass at once."""
        return WINDOW if batch_size is None else batch_size * WINDOW_BATCHES

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> Read:
        """Return the logits of texts, in order.

        Args:
            texts: the texts; a row of several is a :class:`clx_runtime.texts.TextRow`.
            batch_size: has no effect: the student has no padding to save.
        """
        import numpy as np

        sums, tokens = self._sums(texts)
        limit = self.settings.limit
        cut = np.zeros(len(texts), dtype=bool) if limit is None else tokens > limit
        if cut.any():
            long = np.flatnonzero(cut)
            ids = [self.tokenizer.cut_ids(texts[row], limit) for row in long.tolist()]
            sums[long], tokens[long] = token_sums(self._vectors, ids, self._dim)
        counts = np.maximum(tokens, 1).astype(np.float32)
        logits = np.empty((len(texts), len(self.settings.labels)), dtype=np.float32)
        for start in range(0, len(texts), ROWS):
            rows = slice(start, start + ROWS)
            logits[rows] = self._layers(sums[rows], counts[rows])
        return Read(logits, cut.tolist(), tokens.tolist())

    def _vectors(self, ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the weighted vectors of tokens, shape (tokens, dim)."""
        import numpy as np

        vectors: np.ndarray[Any, Any]
        try:
            vectors = self._weights[EMBEDDINGS][ids]
        except IndexError as error:
            raise RunDirError(
                f"The tokenizer in {self._where} has more tokens than the student has vectors"
            ) from error
        if self._factors is not None:
            vectors = vectors.astype(np.float32) * self._factors[ids][:, None]
        return vectors

    def _layers(
        self, sums: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the logits of texts, shape (texts, labels).

        Args:
            sums: the sums of their vectors, shape (texts, dim).
            counts: the numbers of their vectors, at least 1.
        """
        import numpy as np

        # LayerNorm of a sum equals that of the mean if its epsilon grows with the variance.
        centered = sums - sums.mean(axis=1, keepdims=True)
        variances = np.einsum("ij,ij->i", centered, centered) / np.float32(self._dim)
        centered /= np.sqrt(variances + self._eps * np.square(counts))[:, None]
        weights, bias = self._hidden
        hidden = centered @ weights
        hidden += bias
        np.maximum(hidden, 0, out=hidden)
        logits: np.ndarray[Any, Any] = hidden @ self._weights["output.weight"].T
        logits += self._weights["output.bias"]
        return logits


def _hidden_layer(files: StudentFiles) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the hidden layer with LayerNorm's weights in it, shapes (dim, hidden) and (hidden,)."""
    import numpy as np

    weights, bias = (
        files.weights[f"hidden.{part}"].astype(np.float64) for part in ("weight", "bias")
    )
    scaled = (weights * files.weights["norm.weight"]).T
    shifted = weights @ files.weights["norm.bias"] + bias
    return np.ascontiguousarray(scaled, dtype=np.float32), shifted.astype(np.float32)


def _factors(files: StudentFiles) -> np.ndarray[Any, Any] | None:
    """Return the factor of each vector, None if the vectors are not scaled."""
    found = [files.weights[name] for name in (SCALES, TOKEN_WEIGHTS) if name in files.weights]
    if not found:
        return None
    return found[0] * found[1] if found[1:] else found[0]
