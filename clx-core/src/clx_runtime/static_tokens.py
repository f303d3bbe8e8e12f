"""The tokens of a static student, and whether its words can be tokenized one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import RunDirError
from clx_runtime.forks import not_forked
from clx_runtime.problems import raise_problems
from clx_runtime.safe_export import expansion_problems
from clx_runtime.texts import TextRow

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SPLITTERS = ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")
"""The pre-tokenizers that end a piece at every space, and drop the space."""

_BY_CHARACTER = ("BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD")
"""The normalizers that change no character because of a character beyond a space."""


class StudentTokenizer:
    """The tokenizer of a static student. Several threads may use it at once.

    Args:
        content: the content of ``tokenizer.json``.
        where: the folder or archive, for messages.

    Attributes:
        by_word: whether the tokens of a text are those of its parts between spaces, one after another.

    Raises:
        RunDirError: the content is damaged, or turns short texts into huge ones.
    """

    def __init__(self, content: str, where: str) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(content)
        except Exception as error:
            # The package raises Exception itself.
            raise RunDirError(f"The tokenizer in {where} is damaged: {error}") from error
        parts = {
            "normalizer": _values(self._tokenizer.normalizer),
            "post_processor": _values(self._tokenizer.post_processor),
        }
        raise_problems(
            RunDirError,
            f"The static student in {where} is not loaded:",
            expansion_problems(parts, "its tokenizer"),
            "Take a copy that you trust.",
        )
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.by_word = _splits_words(self._tokenizer)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of single texts, without special tokens."""
        with not_forked():
            found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def cut_ids(self, text: str, limit: int | None) -> list[int]:
        """Return the tokens of a text, or of a row of several texts one after another.

        Args:
            text: the text, or a :class:`clx_runtime.texts.TextRow`.
            limit: the most tokens to keep; those of the longest text of a row are left out first.
        """
        parts = self.ids(parts_of(text))
        kept = kept_lengths(list(map(len, parts)), limit)
        return [token for part, size in zip(parts, kept, strict=True) for token in part[:size]]


def parts_of(text: str) -> Sequence[str]:
    """Return the texts of a row, or the only text."""
    return text.texts if isinstance(text, TextRow) else (text,)


def kept_lengths(lengths: list[int], limit: int | None) -> list[int]:
    """Return how many tokens of each text of a row are kept.

    Args:
        lengths: the number of tokens of each text.
        limit: the most tokens of the row, None for no limit.
    """
    kept = list(lengths)
    over = 0 if limit is None else sum(kept) - limit
    while over > 0:
        longest = max(range(len(kept)), key=kept.__getitem__)
        others = max((size for n, size in enumerate(kept) if n != longest), default=0)
        less = min(over, max(1, kept[longest] - others))
        kept[longest] -= less
        over -= less
    return kept


def _splits_words(tokenizer: Tokenizer) -> bool:
    """Return whether a tokenizer treats each part of a text between spaces by itself."""
    first = next(_steps(_values(tokenizer.pre_tokenizer), "pretokenizers"), {})
    steps = _steps(_values(tokenizer.normalizer), "normalizers")
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    return (
        first.get("type") in _SPLITTERS
        and all(step.get("type") in _BY_CHARACTER for step in steps)
        and not any(character.isspace() for content in added for character in content)
    )


def _values(step: Any) -> Any:
    """Return a step of a tokenizer as ``tokenizer.json`` describes it."""
    return None if step is None else json.loads(step.__getstate__())


def _steps(step: Any, inner: str) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a normalizer or a pre-tokenizer, which may be a sequence of steps."""
    if isinstance(step, dict) and step.get("type") == "Sequence":
        for each in step.get(inner) or ():
            yield from _steps(each, inner)
    elif step is not None:
        yield step if isinstance(step, dict) else {}
