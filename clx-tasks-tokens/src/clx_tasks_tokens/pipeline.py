"""The pipeline of the task: texts to candidate spans, read in overlapping windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TokenClassificationPipeline

from clx.errors import ConfigError
from clx_tasks_tokens.decoding import STRATEGIES, candidates, scored_units
from clx_tasks_tokens.encoding import Reading, read_windows


@dataclass(frozen=True)
class _Places:
    """The tokens of a window that count, as ``(token, start, end)``, its size, and the text."""

    tokens: list[tuple[int, int, int]]
    size: int
    text: str


class SpanPipeline(TokenClassificationPipeline):  # type: ignore[misc]
    """Returns the candidate spans of a text; see :func:`clx_tasks_tokens.decoding.candidates`."""

    def _sanitize_parameters(
        self,
        label_names: Sequence[str] | None = None,
        tokenize_args: dict[str, Any] | None = None,
        stride: int | None = None,
        aggregation_strategy: str | None = None,
        **others: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Return the arguments of each step."""
        others = {name: value for name, value in others.items() if value not in (None, False)}
        if others:
            raise ConfigError(
                f"token-classification has no argument {', '.join(map(repr, others))}: it has "
                f"stride and aggregation_strategy"
            )
        if aggregation_strategy not in (None, *STRATEGIES):
            raise ConfigError(
                f"aggregation_strategy must be one of {', '.join(STRATEGIES)}, but is "
                f"{aggregation_strategy!r}"
            )
        before: dict[str, Any] = {"tokenize_args": tokenize_args, "stride": stride}
        after: dict[str, Any] = {"label_names": label_names}
        for step in (before, after):
            step["strategy"] = aggregation_strategy
        return _set(before), {}, _set(after)

    def preprocess(
        self,
        sentence: str,
        offset_mapping: Any = None,
        *,
        tokenize_args: dict[str, Any] | None = None,
        stride: int | None = None,
        strategy: str = "first",
        **_: Any,
    ) -> Iterator[dict[str, Any]]:
        """Yield the windows of a text."""
        reading = Reading(tokenize_args or {}, stride, strategy != "first")
        windows = read_windows(self.tokenizer, [sentence], reading)
        count = len(windows.row_of)
        for number, owned in enumerate(windows.owned):
            inputs = {
                name: torch.tensor([values[number]]) for name, values in windows.inputs.items()
            }
            units = windows.units[0]
            places = [
                (token, units[unit].start, units[unit].end)
                for unit, tokens in owned.items()
                for token in tokens
            ]
            size = inputs["input_ids"].shape[1]
            yield {
                **inputs,
                "places": _Places(places, size, sentence),
                "is_last": number == count - 1,
            }

    def _forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the logits of windows, with the places of their tokens."""
        places, is_last = model_inputs.pop("places"), model_inputs.pop("is_last")
        logits = self.model(**model_inputs)["logits"]
        return {"logits": logits, "places": places, "is_last": is_last}

    def postprocess(
        self,
        all_outputs: Sequence[dict[str, Any]],
        *,
        label_names: Sequence[str] = (),
        strategy: str = "first",
        **_: Any,
    ) -> list[dict[str, Any]]:
        """Return the candidate spans of a text from the outputs of all its windows."""
        rows, starts, ends = [], [], []
        for output in all_outputs:
            places, logits = output["places"], output["logits"][0].float()
            padding = len(logits) - places.size if self.tokenizer.padding_side == "left" else 0
            rows.append(logits[[token + padding for token, _, _ in places.tokens]])
            starts += [start for _, start, _ in places.tokens]
            ends += [end for _, _, end in places.tokens]
        scored = scored_units(torch.cat(rows).numpy(), starts, ends, strategy)
        text = all_outputs[0]["places"].text
        return [
            {**span, "text": text[span["start"] : span["end"]]}
            for span in candidates(scored, label_names)
        ]


def _set(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
