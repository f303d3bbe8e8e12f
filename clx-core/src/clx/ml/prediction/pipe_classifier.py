"""The steps of the stock text-classification pipeline, each for a whole batch, with equal results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clx.errors import OutOfMemoryError
from clx.ml.data.dataset import ROW_OF_RESULT
from clx.ml.machine.memory import memory_for_prediction
from clx.ml.prediction.pipe_steps import Batching, StepArguments
from clx.ml.task.windows import Windows
from clx_runtime.batches import padded
from clx_runtime.forks import not_forked
from clx_runtime.scores import pipeline_outputs, score_function, scores_of
from clx_runtime.windows import pooled

_MODEL_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_SCORE_ARGUMENTS = {"function_to_apply", "top_k", "_legacy"}
_TOKENIZED_AT_ONCE = 1024


def can_classify(inputs: list[Any], call: StepArguments) -> bool:
    """Return whether a stock pipeline called in this way does nothing but classify texts."""
    return (
        not call.forward
        and set(call.postprocess) <= _SCORE_ARGUMENTS
        and all(isinstance(text, str) for text in inputs)
    )


@dataclass(frozen=True)
class _Encoded:
    """Tokenized texts.

    Attributes:
        inputs: name → one list of numbers per row.
        row_of: the text of each row, ascending. A text has several rows if it is read in windows.
    """

    inputs: dict[str, list[list[int]]]
    row_of: list[int]


@dataclass(frozen=True)
class BatchClassifier:
    """A stock text-classification pipeline, run in whole batches.

    Attributes:
        pipe: the pipeline, with the tokenizer to call.
        batching: how to form batches.
        windows: how to read long texts window by window, None if they are truncated.
    """

    pipe: Any
    batching: Batching
    windows: Windows | None

    def outputs(self, texts: list[str], call: StepArguments) -> list[Any] | None:
        """Return the pipeline's output for each text.

        None if the tokenizer returns anything but the usual model inputs: the pipeline's own steps
        have to run then.
        """
        encoded = self._tokenize(texts, call.preprocess)
        if encoded is None:
            return None
        lengths = [len(ids) for ids in encoded.inputs["input_ids"]]
        logits = self._all_logits(encoded, lengths)
        if self.windows is not None:
            logits = pooled(logits, encoded.row_of, lengths, self.windows.pooling)
        config, scoring = self.pipe.model.config, call.postprocess
        requested = scoring.get("function_to_apply")
        function = score_function(
            None if requested is None else requested.value,
            config.problem_type,
            config.num_labels,
            getattr(config, "function_to_apply", None),
        )
        return pipeline_outputs(
            scores_of(logits, function),
            config.id2label,
            scoring.get("top_k", 1),
            scoring.get("_legacy", True),
        )

    def _tokenize(self, texts: list[str], preprocess_params: dict[str, Any]) -> _Encoded | None:
        tokenizer: Any = self.pipe.tokenizer
        inputs: dict[str, list[list[int]]] = {}
        row_of: list[int] = []
        arguments = {**preprocess_params, "return_tensors": None}
        if self.windows is not None:
            arguments |= self.windows.arguments
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            some = texts[start : start + _TOKENIZED_AT_ONCE]
            encoded = dict(tokenizer(some, **arguments))
            row_of_some = encoded.pop(ROW_OF_RESULT, range(len(some)))
            if not set(encoded) <= _MODEL_INPUTS or len(encoded["input_ids"]) != len(row_of_some):
                return None
            row_of += [start + row for row in row_of_some]
            for name, values in encoded.items():
                inputs.setdefault(name, []).extend(values)
        rows = len(texts) if self.windows is None else len(row_of)
        is_complete = all(len(values) == rows for values in inputs.values())
        can_pad = tokenizer.pad_token_id is not None
        return _Encoded(inputs, row_of) if is_complete and can_pad else None

    def _all_logits(self, encoded: _Encoded, lengths: list[int]) -> np.ndarray[Any, Any]:
        """Return the logits of all rows in order, shape (rows, labels)."""
        logits, order = [], []
        with self.pipe.device_placement(), torch.inference_mode():
            for batch in self.batching.of(lengths):
                logits += self._logits(encoded, batch)
                order += batch
            # One transfer at the end: a GPU keeps computing while the next batch is prepared.
            computed = torch.cat(logits).float().cpu().numpy()
        in_order = np.empty_like(computed)
        in_order[order] = computed
        return in_order

    def _logits(self, encoded: _Encoded, batch: list[int]) -> list[torch.Tensor]:
        """Return the logits of a batch, halving it as often as memory is too small for the whole.

        Raises:
            OutOfMemoryError: one row is too large, or the caller chose the batch size.
        """
        try:
            with memory_for_prediction(len(batch)), not_forked():
                return [self.pipe._forward(self._padded(encoded, batch))["logits"]]
        except OutOfMemoryError:
            if self.batching.size is not None or len(batch) == 1:
                raise
        # Outside of the handler: the exception holds the tensors whose memory has to be freed.
        if self.batching.device == "cuda":
            torch.cuda.empty_cache()
        half = len(batch) // 2
        return self._logits(encoded, batch[:half]) + self._logits(encoded, batch[half:])

    def _padded(self, encoded: _Encoded, batch: list[int]) -> dict[str, torch.Tensor]:
        tokenizer: Any = self.pipe.tokenizer
        fill = {
            "input_ids": tokenizer.pad_token_id,
            "attention_mask": 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        }
        return {
            name: torch.from_numpy(
                padded([rows[position] for position in batch], fill[name], tokenizer.padding_side)
            ).to(self.pipe.device, non_blocking=True)
            for name, rows in encoded.inputs.items()
        }
