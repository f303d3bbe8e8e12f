"""An exported model, loaded: from texts to logits, with neither torch nor transformers."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from clx_runtime.batches import batches, padded, window_size
from clx_runtime.errors import RunDirError
from clx_runtime.exports import Export
from clx_runtime.forks import not_forked, renew_after_fork
from clx_runtime.onnx_session import OnnxSession
from clx_runtime.openvino_session import OpenVinoSession
from clx_runtime.read import Read
from clx_runtime.sessions import open_session
from clx_runtime.texts import TextRow
from clx_runtime.windows import pooled

if TYPE_CHECKING:
    import numpy as np

Session = OnnxSession | OpenVinoSession


class ExportedModel:
    """A session with its tokenizer and settings.

    Args:
        export: the files.
        backend: one of its backends.
        device: as for a run; None chooses a GPU if there is one.
        threads: the number of threads for one batch; None leaves it to the backend.

    Attributes:
        settings: the settings of the pipeline.
        device: the kind of device, ``cpu`` or ``cuda``.

    Raises:
        MissingDependencyError: the backend's package is not installed.
        ConfigError: the device is not available.
        RunDirError: the tokenizer is damaged.
    """

    def __init__(
        self, export: Export, backend: str, device: str | None = None, threads: int | None = None
    ) -> None:
        from tokenizers import Tokenizer

        self.settings = export.settings
        self._open = partial(_session, export, backend, device, threads)
        session = self._open()
        self.device = session.device
        self._session: Session | None = session
        # A session that belongs to the parent process is kept: its end would wait for its threads.
        self._left: list[Session] = []
        self._lock = threading.Lock()
        try:
            self._tokenizer = Tokenizer.from_str(export.tokenizer)
        except Exception as error:
            # The package raises Exception itself.
            raise RunDirError(f"The tokenizer in {export.where} is damaged: {error}") from error
        self._tokenizer.no_padding()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Open a session anew when it is needed: a forked process lacks the threads of this one."""
        self._lock = threading.Lock()
        self._left += [] if self._session is None else [self._session]
        self._session = None

    def window(self, batch_size: int | None) -> int:
        """Return how many texts to pass at once."""
        return window_size(self.device, batch_size)

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> Read:
        """Return what the model says about texts; see :class:`clx_runtime.read.LoadedModel`."""
        pooling = self.settings.window_pooling
        pairs = [text.texts if isinstance(text, TextRow) else text for text in texts]
        encodings = self.encode(pairs)
        if pooling is None:
            cut = [bool(encoding.overflowing) for encoding in encodings]
            return Read(self._batched(encodings, batch_size), cut, list(map(len, encodings)))
        tokens = [sum(map(len, (e, *e.overflowing))) for e in encodings]
        windows = [window for e in encodings for window in (e, *e.overflowing)]
        row_of = [row for row, e in enumerate(encodings) for _ in (e, *e.overflowing)]
        sizes = [max(1, len(window)) for window in windows]
        logits = pooled(self._batched(windows, batch_size), row_of, sizes, pooling)
        return Read(logits, [False] * len(texts), tokens)

    def _batched(self, encodings: Sequence[Any], batch_size: int | None) -> np.ndarray[Any, Any]:
        """Return the logits of each encoding, in order, shape (encodings, labels)."""
        import numpy as np

        lengths = [max(1, len(encoding)) for encoding in encodings]
        labels, equal = len(self.settings.labels), self.settings.equal_lengths
        logits = np.empty((len(encodings), labels), dtype=np.float32)
        for batch in batches(lengths, self.device, batch_size, equal=equal):
            logits[batch] = self.logits([encodings[position] for position in batch])
        return logits

    def encode(self, texts: Sequence[Any]) -> list[Any]:
        """Return the tokens of each text, or pair of texts."""
        with not_forked():
            return list(self._tokenizer.encode_batch(texts))

    def logits(self, encodings: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Return the logits of one batch, shape (texts, labels)."""
        return self._opened()(self.feeds(encodings))

    def outputs(self, feeds: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Return the outputs that the settings name, for a batch of a pipeline of the task's own.

        Args:
            feeds: input → array, shape (texts, tokens).
        """
        names = list(self.settings.outputs)
        return dict(zip(names, self._opened().outputs(feeds, names), strict=True))

    def _opened(self) -> Session:
        with self._lock:
            session = self._session = self._session or self._open()
        return session

    def feeds(self, encodings: Sequence[Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Return the inputs of one batch: input → array, shape (texts, tokens)."""
        fill, side, token = self.settings.fill, self.settings.side, self.settings.stand_in
        empty = [fill["input_ids"] if token is None else token]
        rows = {
            "input_ids": [encoding.ids or empty for encoding in encodings],
            "attention_mask": [encoding.attention_mask or [1] for encoding in encodings],
            "token_type_ids": [encoding.type_ids or [0] for encoding in encodings],
        }
        names = self.settings.inputs
        return {name: padded(rows[name], fill[name], side) for name in names}


def _session(export: Export, backend: str, device: str | None, threads: int | None) -> Session:
    return open_session(backend, export.weights[backend](), device, threads)
