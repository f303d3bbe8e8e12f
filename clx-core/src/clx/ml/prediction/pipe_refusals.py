"""Texts that a Hugging Face pipeline refuses, such as one without a mask for fill-mask."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from transformers import FillMaskPipeline
from transformers.pipelines import PipelineException

from clx.errors import DataFormatError
from clx.problems import examples


@contextlib.contextmanager
def refusals_named(pipe: Any, texts: Sequence[str]) -> Iterator[None]:
    """Raise an error that names the texts if the pipeline refuses its input.

    Raises:
        DataFormatError: it refused a text.
    """
    try:
        yield
    except PipelineException as error:
        message = f"{type(pipe).__name__} refuses a text: {error}"
        if isinstance(pipe, FillMaskPipeline):
            mask = pipe.tokenizer.mask_token
            without = [text for text in texts if mask not in text]
            message = (
                f"Each text needs at least one {mask}, whose place is predicted, but these have none: "
                f"{examples(without)}"
                if without
                else f"A text is truncated before its {mask}: shorten it, or move the {mask} toward the "
                f"beginning"
            )
        raise DataFormatError(message) from error
