"""A static student, loaded: from texts to logits with NumPy and tokenizers alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.batches import WINDOW_BATCHES
from clx_runtime.errors import ConfigError, RunDirError
from clx_runtime.forks import not_forked
from clx_runtime.problems import cell
from clx_runtime.read import Read
from clx_runtime.static_files import EMBEDDINGS, SCALES, TOKEN_WEIGHTS, StudentFiles, read_student
from clx_runtime.texts import TextRow

if TYPE_CHECKING:
    import numpy as np

WINDOW = 4096
"""How many texts are computed at once."""


class StaticModel:
    """A static student with its tokenizer and settings. Several threads may use it at once.

    Args:
        source: the folder with its files, or what they say.
        device: None or ``cpu``.

    Attributes:
        settings: the settings of the run.
        device: ``cpu``.

    Raises:
        ConfigError: another device.
        RunDirError: a file is damaged.
    """

    device = "cpu"

    def __init__(self, source: Path | StudentFiles, device: str | None = None) -> None:
        from tokenizers import Tokenizer

        if device is not None and not device.startswith("cpu"):
            raise ConfigError(f"A static student predicts on the device cpu, not {cell(device)}")
        files = read_student(source) if isinstance(source, Path) else source
        self.settings = files.settings
        self._where, self._weights, self._eps = files.where, files.weights, files.layer_norm_eps
        try:
            self._tokenizer = Tokenizer.from_str(files.tokenizer)
        except Exception as error:
            # The package raises Exception itself.
            raise RunDirError(f"The tokenizer in {files.where} is damaged: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def window(self, batch_size: int | None) -> int:
        """Return how many texts to pass at once."""
        return WINDOW if batch_size is None else batch_size * WINDOW_BATCHES

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> Read:
        """Return the logits of texts, in order.

        Args:
            texts: the texts; a row of several is a :class:`clx_runtime.texts.TextRow`.
            batch_size: has no effect: all texts are computed at once.
        """
        import numpy as np

        limit = self.settings.limit
        ids = self._ids(texts)
        cut = [limit is not None and len(row) > limit for row in ids]
        ids = [row[:limit] for row in ids]
        tokens = list(map(len, ids))
        flat = np.fromiter(chain.from_iterable(ids), dtype=np.intp, count=sum(tokens))
        return Read(self._logits(flat, tokens), cut, tokens)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of the tokens of each text."""
        rows = [text.texts if isinstance(text, TextRow) else text for text in texts]
        with not_forked():
            found = self._tokenizer.encode_batch_fast(rows, add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def _logits(self, flat: np.ndarray[Any, Any], tokens: list[int]) -> np.ndarray[Any, Any]:
        """Return the logits of texts, shape (texts, labels).

        Args:
            flat: the ids of all tokens, shape (tokens of all texts,).
            tokens: the number of tokens of each text.
        """
        import numpy as np

        weights = self._weights
        try:
            vectors = weights[EMBEDDINGS][flat].astype(np.float32)
        except IndexError as error:
            raise RunDirError(
                f"The tokenizer in {self._where} has more tokens than the student has vectors"
            ) from error
        for name in (SCALES, TOKEN_WEIGHTS):
            if name in weights:
                vectors *= weights[name][flat][:, None]
        counts = np.array(tokens, dtype=np.intp)
        means = np.zeros((len(tokens), vectors.shape[1]), dtype=np.float32)
        full = counts > 0
        if len(flat):
            starts = (np.cumsum(counts) - counts)[full]
            means[full] = np.add.reduceat(vectors, starts, axis=0) / counts[full, None]
        means -= means.mean(axis=1, keepdims=True)
        variance = np.square(means).mean(axis=1, keepdims=True)
        normed = means / np.sqrt(variance + np.float32(self._eps))
        normed = normed * weights["norm.weight"] + weights["norm.bias"]
        hidden = np.maximum(normed @ weights["hidden.weight"].T + weights["hidden.bias"], 0)
        logits: np.ndarray[Any, Any] = hidden @ weights["output.weight"].T + weights["output.bias"]
        return logits.astype(np.float32)
