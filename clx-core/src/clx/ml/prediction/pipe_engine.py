"""Run many texts through a Hugging Face pipeline: each tokenized once, in batches of similar length.

The pipeline stays in charge. Its ``__call__`` interprets the arguments, and its ``preprocess``,
``forward`` and ``postprocess`` do the work, whatever its class. Only ``get_iterator`` is replaced, which
otherwise takes the texts in the order in which they come.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from transformers import (
    FeatureExtractionPipeline,
    Pipeline,
    TextClassificationPipeline,
    TextGenerationPipeline,
    TextToAudioPipeline,
)
from transformers.pipelines.base import ChunkPipeline

from clx.errors import ConfigError
from clx.ml.data.equal_lengths import needs_equal_lengths
from clx.ml.data.lengths import cut_texts, input_limit
from clx.ml.data.overriding import Method, copy_overriding
from clx.ml.data.token_counts import TokenCounts, watched_copy
from clx.ml.machine.forks import ready_after_fork
from clx.ml.machine.torch_defaults import torch_defaults
from clx.ml.prediction.pipe_classifier import BatchClassifier, can_classify
from clx.ml.prediction.pipe_inputs import OutputsPerText, pipe_inputs
from clx.ml.prediction.pipe_refusals import refusals_named
from clx.ml.prediction.pipe_steps import Batching, StepArguments, run_steps
from clx.ml.task.windows import Windows, windows_of
from clx_runtime.batches import window_size

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

_STEPS = ("preprocess", "forward", "_forward", "postprocess", "run_single", "get_iterator")
# Their output has a part for each token, padding included.
_RETURN_PADDING = (FeatureExtractionPipeline, TextToAudioPipeline)
_THREADS = "TOKENIZERS_PARALLELISM"


class PipeEngine:
    """Runs one pipeline for one call of ``predict``.

    Args:
        pipe: the run's pipeline, which is not changed.
        batch_size: texts per batch. None uses the pipeline's own batch size, or else as many texts
            as fit the token budget of the device.
        limit: the most tokens of a text that the model receives, None if texts are not truncated.
        windows: how to read long texts window by window, None if they are truncated.

    Attributes:
        window: how many texts to pass at once.
        counts: the token counts of the texts of the last call.
    """

    def __init__(
        self,
        pipe: Pipeline,
        batch_size: int | None,
        limit: int | None = None,
        windows: Windows | None = None,
    ) -> None:
        self.counts = TokenCounts()
        self._texts: Sequence[str] = ()
        self._order: list[int] = []
        self._tokenizer: Any = pipe.tokenizer
        self._limit = limit
        size = batch_size or pipe._batch_size
        equal = isinstance(pipe, _RETURN_PADDING) or needs_equal_lengths(pipe.model)
        self._batching = Batching(pipe.device.type, size, equal)
        self._outputs = OutputsPerText()
        self._pipe = _batching_copy(pipe, self._batching, windows, self.counts, self._outputs)
        self._original = pipe
        self.window = window_size(self._batching.device, self._batching.size)

    def __call__(self, texts: Sequence[str], arguments: dict[str, Any]) -> list[Any]:
        """Return the pipeline's output for each text, called with these arguments."""
        self.counts.clear()
        # Otherwise the pipeline warns, after ten calls on a GPU, that it gets one text at a time.
        self._pipe.call_count = 0
        self._texts = texts
        # A pipeline that makes its own batches gets texts with similar numbers of characters.
        self._order = sorted(range(len(texts)), key=lambda position: -len(texts[position]))
        ready_after_fork(self._batching.device)

        def call(inputs: list[Any]) -> Any:
            # Only a pipeline that makes its own batches uses this batch size.
            size = 1 if self._batching.equal else self._batching.size or 32
            return self._pipe(inputs, batch_size=size, **arguments)

        inputs = pipe_inputs(self._original, [texts[position] for position in self._order])
        with _tokenizer_threads_kept(), torch_defaults(), refusals_named(self._original, texts):
            outputs, repeated = self._outputs(type(self._original).__name__, call, inputs)
        if repeated:
            self.counts.keep(1)
        return _restored(outputs, self._order)

    def cut(self) -> list[bool]:
        """Return for each text of the last call whether it was truncated."""
        seen = self.counts.cut
        if self.counts.complete and len(seen) == len(self._order):
            return _restored(seen, self._order)
        # A slow tokenizer, or a pipeline that truncates in its own way, does not report truncation.
        return cut_texts(self._tokenizer, self._texts, self._limit)

    def tokens(self) -> list[int]:
        """Return how many tokens of each text of the last call the model read, 0 if not counted."""
        counts = self.counts.lengths
        if not self.counts.complete or len(counts) != len(self._order):
            return [0] * len(self._order)
        most = self._limit
        read = [0 if n is None else n if most is None else min(n, most) for n in counts]
        return _restored(read, self._order)

    def limit(self) -> int | None:
        """Return the most tokens of a text that the model receives."""
        return self._limit


def torch_engine(
    task: Task, pipe: Pipeline, tokenizer: PreTrainedTokenizerBase, batch_size: int | None
) -> PipeEngine:
    """Return the engine that runs texts through a task's pipeline."""
    windows = windows_of(task.long_text, task.window_pooling, task.tokenize_args, tokenizer)
    return PipeEngine(pipe, batch_size, input_limit(task, tokenizer), windows)


def _batching_copy(
    pipe: Pipeline,
    batching: Batching,
    windows: Windows | None,
    counts: TokenCounts,
    record: OutputsPerText,
) -> Any:
    """Return a copy that counts tokens, and makes our batches unless the pipeline makes its own."""
    copied: Any
    if type(pipe).get_iterator in (Pipeline.get_iterator, ChunkPipeline.get_iterator):
        has_stock_steps = not set(vars(pipe)) & set(_STEPS)
        is_stock = type(pipe) is TextClassificationPipeline and has_stock_steps
        method = _batched_iterator(is_stock, batching, windows, counts, record)
        copied = copy_overriding(pipe, "get_iterator", method)
    else:
        copied = copy.copy(pipe)
    if pipe.tokenizer is not None:
        copied.tokenizer = watched_copy(pipe.tokenizer, counts)
        if isinstance(pipe, TextGenerationPipeline):
            # New tokens follow the last one, which must not be padding.
            copied.tokenizer.padding_side = "left"
    return copied


def _batched_iterator(
    is_stock: bool,
    batching: Batching,
    windows: Windows | None,
    counts: TokenCounts,
    record: OutputsPerText,
) -> Method:
    """Return the method that replaces ``get_iterator``.

    Args:
        is_stock: whether the pipeline is the text-classification pipeline of transformers, unchanged.
        batching: how to form batches.
        windows: how to read long texts, None if they are truncated.
        counts: what the pipeline's tokenizer records.
        record: what the outputs of a call are recorded in.
    """

    def get_iterator(
        pipe: Any,
        inherited: Any,
        /,
        inputs: Any,
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Any:
        call = StepArguments(preprocess_params, forward_params, postprocess_params)
        if not isinstance(inputs, list):
            # No worker processes, whatever the pipeline was made with.
            return inherited(inputs, 0, batch_size, *call)
        if is_stock and can_classify(inputs, call):
            outputs = BatchClassifier(pipe, batching, windows).outputs(inputs, call)
            if outputs is not None:
                record.made = outputs
                return outputs
            counts.clear()
        if windows is not None:
            raise ConfigError(
                f"long_text='window' needs the stock text-classification pipeline and a tokenizer "
                f"that returns nothing but token ids, but this is {type(pipe).__name__}"
            )
        record.made = run_steps(pipe, inputs, call, batching)
        return record.made

    return get_iterator


@contextlib.contextmanager
def _tokenizer_threads_kept() -> Iterator[None]:
    """Undo a side effect of ``get_iterator``: it limits all tokenizers of the process to one thread."""
    is_unset = _THREADS not in os.environ
    try:
        yield
    finally:
        if is_unset:
            os.environ.pop(_THREADS, None)


def _restored(values: Sequence[Any], order: Sequence[int]) -> list[Any]:
    """Return values that are in ``order`` at the positions that it names."""
    result: list[Any] = [None] * len(order)
    for value, position in zip(values, order, strict=True):
        result[position] = value
    return result
