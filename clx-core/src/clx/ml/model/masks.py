"""The mask of the fill-mask pipeline: the one special token that users type on purpose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clx.ml.task.predicting import pipeline_task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task


def fills_masks(task: Task) -> bool:
    """Return whether a task predicts the token behind a mask in a text."""
    if pipeline_task(task) == "fill-mask":
        return True
    own = (task.pipeline_args or {}).get("pipeline_class")
    if own is None:
        return False
    from transformers import FillMaskPipeline

    return isinstance(own, type) and issubclass(own, FillMaskPipeline)


def keep_mask(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a tokenizer that reads special tokens as text read the mask as a token.

    transformers has one setting for all special tokens. It is therefore not saved: other readers of the
    model can fill masks, and read all special tokens as tokens.
    """
    tokenizer.init_kwargs.pop("split_special_tokens", None)
    if tokenizer.mask_token is None:
        return
    if getattr(tokenizer, "is_fast", False):
        _keep_in_backend(tokenizer)
    else:
        _keep_in_trie(tokenizer)


def _keep_in_backend(tokenizer: Any) -> None:
    """Rebuild the fast tokenizer with a mask that is an added token, but not a special one."""
    from tokenizers import Tokenizer

    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in backend["added_tokens"]:
        if token["content"] == tokenizer.mask_token:
            token["special"] = False
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(backend))


def _keep_in_trie(tokenizer: Any) -> None:
    """Remove the other special tokens from what a Python tokenizer looks for in texts."""
    special = set(tokenizer.all_special_tokens) - {tokenizer.mask_token}
    trie = type(tokenizer.tokens_trie)()
    for token in tokenizer.added_tokens_decoder.values():
        if token.content not in special:
            trie.add(token.content)
    tokenizer.tokens_trie = trie
    tokenizer.split_special_tokens = False
