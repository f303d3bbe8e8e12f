"""A Hugging Face pipeline run over many texts: each tokenised once, batches of like length.

The pipeline stays in charge: its ``__call__`` sorts out the arguments, its ``preprocess``,
``forward`` and ``postprocess`` do the work, whatever its class. What is replaced is
``get_iterator``, which takes rows as they come. For the stock text-classification pipeline the
three steps are done for a whole batch at once, with equal results.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import Pipeline, TextClassificationPipeline
from transformers.pipelines.base import ChunkPipeline, no_collate_fn, pad_collate_fn
from transformers.pipelines.pt_utils import PipelineIterator

from clx.errors import ConfigError, OutOfMemoryError
from clx.ml.data.batches import batches, in_order, padded, window_size
from clx.ml.data.dataset import ROW_OF_RESULT
from clx.ml.data.lengths import cut_texts, input_limit
from clx.ml.data.token_counts import TokenCounts, watched_copy
from clx.ml.data.windows import pooled
from clx.ml.machine.memory import memory_for_prediction
from clx.ml.prediction.scores import pipeline_outputs, score_function, scores_of
from clx.ml.task.windows import Windows, windows_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

_STEPS = ("preprocess", "forward", "_forward", "postprocess", "run_single", "get_iterator")
_MODEL_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_SCORE_ARGUMENTS = {"function_to_apply", "top_k", "_legacy"}
_TOKENISED_AT_ONCE = 1024


class PipeEngine:
    """Runs one pipeline for one call of ``predict``.

    Args:
        pipe: the run's pipeline, which is left as it is.
        batch_size: texts of a batch; None takes the pipeline's own, else the token budget.
        limit: the most tokens that the model is given of a text, None when none is cut.
        windows: how long texts are read window by window, None when they are cut.

    Attributes:
        window: how many texts should be passed at once.
        counts: what its tokenizer saw of the texts of the last call.
    """

    def __init__(
        self,
        pipe: Pipeline,
        batch_size: int | None,
        limit: int | None = None,
        windows: Windows | None = None,
    ) -> None:
        self.counts = TokenCounts()
        self._order: list[int] = []
        self._texts: Sequence[str] = ()
        self._tokenizer: Any = pipe.tokenizer
        self._limit = limit
        self._windows = windows
        self._pipe = copy.copy(pipe)
        # Else the pipeline says after ten windows on a GPU that it is used one text at a time.
        self._pipe.call_count = 0
        if pipe.tokenizer is not None:
            self._pipe.tokenizer = watched_copy(pipe.tokenizer, self.counts)
        self._batch_size = batch_size or pipe._batch_size
        self._device = pipe.device.type
        self._is_stock = type(pipe) is TextClassificationPipeline and not (
            set(vars(pipe)) & set(_STEPS)
        )
        if type(pipe).get_iterator in (Pipeline.get_iterator, ChunkPipeline.get_iterator):
            # Not a cycle, which would hold the model until a full garbage collection.
            engine = weakref.proxy(self)
            self._pipe.get_iterator = lambda *args, **kwargs: engine._outputs(*args, **kwargs)
        self.window = window_size(self._device, self._batch_size)

    def __call__(self, texts: Sequence[str], arguments: dict[str, Any]) -> list[Any]:
        """Return the pipeline's output for each text, with the arguments of its call."""
        self.counts.clear()
        self._pipe.call_count = 0
        self._texts = texts
        # A pipeline with rows of its own making is given like lengths at least by characters.
        self._order = order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        outputs = self._pipe(
            [texts[position] for position in order],
            batch_size=self._batch_size or 32,
            **arguments,
        )
        return _restored(list(outputs), order)

    def cut(self) -> list[bool]:
        """Return for each text of the last call whether it was truncated."""
        seen = self.counts.cut
        if self.counts.complete and len(seen) == len(self._order):
            return _restored(seen, self._order)
        # A slow tokenizer, or a pipeline that cuts texts in its own way, does not show it.
        return cut_texts(self._tokenizer, self._texts, self._limit)

    def limit(self) -> int | None:
        """Return the most tokens that the model is given of a text."""
        return self._limit

    def _outputs(
        self,
        inputs: Any,
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Any:
        """Stand in for ``get_iterator``."""
        if not isinstance(inputs, list):
            return type(self._pipe).get_iterator(
                self._pipe,
                inputs,
                0,
                batch_size,
                preprocess_params,
                forward_params,
                postprocess_params,
            )
        if (
            self._is_stock
            and not forward_params
            and set(postprocess_params) <= _SCORE_ARGUMENTS
            and all(isinstance(text, str) for text in inputs)
        ):
            outputs = self._classified(inputs, preprocess_params, postprocess_params)
            if outputs is not None:
                return outputs
            self.counts.clear()
        if self._windows is not None:
            raise ConfigError(
                f"long_text='window' needs the stock text-classification pipeline and a tokenizer "
                f"that returns no more than token ids, and this is {type(self._pipe).__name__}"
            )
        if isinstance(self._pipe, ChunkPipeline):
            return self._of_chunks(inputs, preprocess_params, forward_params, postprocess_params)
        return self._one_by_one(inputs, preprocess_params, forward_params, postprocess_params)

    # ---- Text classification, a batch at once ----------------------------------------------------

    def _classified(
        self, texts: list[str], preprocess_params: dict[str, Any], scoring: dict[str, Any]
    ) -> list[Any] | None:
        """Return the outputs, None if tokenizer or model do something out of the ordinary."""
        rows, row_of = self._tokenised(texts, preprocess_params)
        if rows is None:
            return None
        lengths = [len(ids) for ids in rows["input_ids"]]
        logits, order = [], []
        with self._pipe.device_placement(), torch.inference_mode():
            for batch in batches(lengths, self._device, self._batch_size):
                logits += self._logits(rows, batch)
                order += batch
            # One transfer a window: a GPU goes on while the next batch is made.
            together = torch.cat(logits).float().cpu().numpy()
        in_order = np.empty_like(together)
        in_order[order] = together
        if self._windows is not None:
            in_order = pooled(in_order, row_of, lengths, self._windows.pooling)
        config = self._pipe.model.config
        asked = scoring.get("function_to_apply")
        function = score_function(
            None if asked is None else asked.value,
            config.problem_type,
            config.num_labels,
            getattr(config, "function_to_apply", None),
        )
        return pipeline_outputs(
            scores_of(in_order, function),
            config.id2label,
            scoring.get("top_k", 1),
            scoring.get("_legacy", True),
        )

    def _logits(self, rows: dict[str, list[list[int]]], batch: list[int]) -> list[Any]:
        """Return the logits of a batch, made of halves where memory is too small for the whole.

        Raises:
            OutOfMemoryError: one text is too much, or the caller chose the batch size.
        """
        try:
            with memory_for_prediction(len(batch)):
                return [self._pipe._forward(self._padded(rows, batch))["logits"]]
        except OutOfMemoryError:
            if self._batch_size is not None or len(batch) == 1:
                raise
        # After the handler, which holds the tensors that are to be freed.
        if self._device == "cuda":
            torch.cuda.empty_cache()
        half = len(batch) // 2
        return self._logits(rows, batch[:half]) + self._logits(rows, batch[half:])

    def _tokenised(
        self, texts: list[str], preprocess_params: dict[str, Any]
    ) -> tuple[dict[str, list[list[int]]] | None, list[int]]:
        """Return the model inputs, a row a text or window, and the text of each; None as above."""
        tokenizer: Any = self._pipe.tokenizer
        rows: dict[str, list[list[int]]] = {}
        row_of: list[int] = []
        arguments = {**preprocess_params, "return_tensors": None}
        if self._windows is not None:
            arguments |= self._windows.arguments
        for start in range(0, len(texts), _TOKENISED_AT_ONCE):
            some = texts[start : start + _TOKENISED_AT_ONCE]
            encoded = dict(tokenizer(some, **arguments))
            of_some = encoded.pop(ROW_OF_RESULT, range(len(some)))
            if not set(encoded) <= _MODEL_INPUTS or len(encoded["input_ids"]) != len(of_some):
                return None, []
            row_of += [start + row for row in of_some]
            for name, values in encoded.items():
                rows.setdefault(name, []).extend(values)
        expected = len(texts) if self._windows is None else len(row_of)
        whole = all(len(values) == expected for values in rows.values())
        return (rows if whole and tokenizer.pad_token_id is not None else None), row_of

    def _padded(self, rows: dict[str, list[list[int]]], batch: list[int]) -> dict[str, Any]:
        tokenizer: Any = self._pipe.tokenizer
        fill = {
            "input_ids": tokenizer.pad_token_id,
            "attention_mask": 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        }
        return {
            name: torch.from_numpy(
                padded([values[i] for i in batch], fill[name], tokenizer.padding_side)
            ).to(self._pipe.device, non_blocking=True)
            for name, values in rows.items()
        }

    # ---- Any pipeline ----------------------------------------------------------------------------

    def _one_by_one(
        self,
        inputs: list[Any],
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> list[Any]:
        """Return what the pipeline's own steps give, an input a row."""
        items = [self._pipe.preprocess(each, **preprocess_params) for each in inputs]
        outputs, order = [], []
        for batch in batches(_lengths(items), self._device, self._batch_size):
            for output in self._forwarded([items[i] for i in batch], forward_params):
                outputs.append(self._pipe.postprocess(output, **postprocess_params))
            order += batch
        return _restored(outputs, order)

    def _of_chunks(
        self,
        inputs: list[Any],
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> list[Any]:
        """Return what the pipeline's own steps give, each input being some rows in succession."""
        chunks = [list(self._pipe.preprocess(each, **preprocess_params)) for each in inputs]
        longest = [max(_lengths(some), default=0) for some in chunks]
        order = sorted(range(len(chunks)), key=lambda position: -longest[position])
        flat = [chunk for position in order for chunk in chunks[position]]
        outputs, gathered = [], []
        for batch in in_order(range(len(flat)), _lengths(flat), self._device, self._batch_size):
            for output in self._forwarded([flat[i] for i in batch], forward_params):
                is_last = output.pop("is_last")
                gathered.append(output)
                if is_last:
                    outputs.append(self._pipe.postprocess(gathered, **postprocess_params))
                    gathered = []
        return _restored(outputs, order)

    def _forwarded(self, items: list[Any], forward_params: dict[str, Any]) -> Iterator[Any]:
        """Yield the model's output for each row, through the pipeline's own way of batching."""
        collate = no_collate_fn
        if len(items) > 1:
            features = self._pipe.feature_extractor or self._pipe.image_processor
            collate = pad_collate_fn(self._pipe.tokenizer, features)
        return iter(
            PipelineIterator(
                [collate(items)], self._pipe.forward, forward_params, loader_batch_size=len(items)
            )
        )


def _lengths(items: Sequence[Any]) -> list[int]:
    """Return the tokens of each row of model inputs, 0 where they are not called ``input_ids``."""
    lengths = []
    for item in items:
        ids = item.get("input_ids") if hasattr(item, "get") else None
        shape = getattr(ids, "shape", None)
        lengths.append(int(shape[-1]) if shape else 0)
    return lengths


def _restored(values: Sequence[Any], order: Sequence[int]) -> list[Any]:
    """Return values that are in ``order`` at the positions that it names."""
    result: list[Any] = [None] * len(order)
    for value, position in zip(values, order, strict=True):
        result[position] = value
    return result


def torch_engine(
    task: Task, pipe: Pipeline, tokenizer: PreTrainedTokenizerBase, batch_size: int | None
) -> PipeEngine:
    """Return the engine that runs texts through a task's pipeline."""
    windows = windows_of(task.long_text, task.window_pooling, task.tokenize_args, tokenizer)
    return PipeEngine(pipe, batch_size, input_limit(task, tokenizer), windows)
