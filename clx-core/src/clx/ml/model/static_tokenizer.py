"""The tokenizer of a static student as transformers sees it, for a task's ``tokenize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clx_runtime.files import read_json
from clx_runtime.settings import TOKENIZER
from clx_runtime.static_files import STUDENT, student_settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PADDING = ("[PAD]", "<pad>", "<|padding|>")


def static_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a static student. It adds no special tokens.

    Args:
        folder: the ``model/`` of the run.
    """
    from transformers import PreTrainedTokenizerFast

    limit = student_settings(read_json(folder / STUDENT), str(folder / STUDENT)).limit
    made = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / TOKENIZER),
        **({} if limit is None else {"model_max_length": limit}),
    )
    known = made.get_vocab()
    # Collators need a token to pad with; the student itself never pads.
    made.pad_token = next(
        (token for token in _PADDING if token in known), min(known, key=known.get)
    )
    return made
