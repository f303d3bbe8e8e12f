"""The texts of a call as a Hugging Face pipeline takes them, and its outputs as one per text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clx.errors import PluginError
from clx_runtime.texts import TextRow

_READS_INPUTS = ("__call__", "preprocess")


def pipe_inputs(pipe: Any, texts: Sequence[str]) -> list[Any]:
    """Return the texts as a pipeline takes them.

    A pipeline that an author wrote gets two texts as ``{"text": …, "text_pair": …}``, which is also
    what the stock text-classification pipeline takes from a user. The stock pipelines pass their
    input to the tokenizer, which splits a :class:`TextRow`; some of them refuse anything but a str.
    """
    if all(_is_stock(pipe, method) for method in _READS_INPUTS):
        return list(texts)
    return [text.as_pair() if isinstance(text, TextRow) else text for text in texts]


def _is_stock(pipe: Any, method: str) -> bool:
    function = vars(pipe).get(method) or getattr(type(pipe), method)
    # The class of our copy of the pipeline has methods of its own, which call the pipeline's.
    return str(getattr(function, "__module__", "")).split(".")[0] == "transformers"


class OutputsPerText:
    """Calls a pipeline and returns one output per input, also for a single input.

    Some pipelines return the output of a list of one without the list, and an output may be a list
    itself. So the type of what a call returns does not tell.

    Attributes:
        made: the outputs of the steps of the current call, which ``get_iterator`` records.
    """

    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(
        self, name: str, call: Callable[[list[Any]], Any], inputs: list[Any]
    ) -> tuple[list[Any], bool]:
        """Return the outputs, and whether a single input was passed twice to get them.

        Args:
            name: the name of the pipeline's class, for messages.
            call: calls the pipeline.
            inputs: the inputs of the call.

        Raises:
            PluginError: the pipeline does not return a list with one output per input.
        """
        self.made = []
        try:
            found = call(inputs)
            if len(inputs) > 1:
                return _checked(name, found, len(inputs)), False
            if len(self.made) == 1:
                (own,) = self.made
                if found is own:
                    return [found], False
                if isinstance(found, list) and len(found) == 1 and found[0] is own:
                    return found, False
            # The pipeline unwraps single outputs: only two inputs always give a list.
            return _checked(name, call(inputs * 2), 2)[:1], True
        finally:
            self.made = []


def _checked(name: str, found: Any, expected: int) -> list[Any]:
    outputs = None if isinstance(found, dict | str) or not hasattr(found, "__iter__") else [*found]
    if outputs is None or len(outputs) != expected:
        got = f"a {type(found).__name__}" if outputs is None else f"{len(outputs)} outputs"
        raise PluginError(
            f"The pipeline {name} returned {got} for {expected} texts: it must return a list with one "
            f"output per text"
        )
    return outputs
