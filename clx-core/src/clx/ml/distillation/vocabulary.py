"""The vocabulary of a static student: the tokens that occur in its texts, and pieces for any other text.

A smaller vocabulary must split the known texts exactly as the whole one does. Each kind of tokenizer
keeps what its algorithm needs for that, and the result is compared; where it differs, the whole
vocabulary stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

COMPARED_TEXTS = 20_000
"""The number of texts that a smaller vocabulary is compared on."""

WORTH = 0.9
"""Keep the whole vocabulary if the smaller one has more than this share of it."""

_BYTE_PIECE = 6
"""The length of a piece for one byte, such as ``<0x0A>``."""

_WORD_MARKS = "▁Ġ"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer with the tokens that it kept.

    Attributes:
        tokenizer: the content of ``tokenizer.json``.
        ids: for each of its ids, the id in the whole vocabulary; ascending.
    """

    tokenizer: str
    ids: list[int]


def encoded(tokenizer: Tokenizer, texts: Sequence[Any]) -> list[list[int]]:
    """Return the ids of the tokens of each text, without special tokens.

    Args:
        tokenizer: without truncation.
        texts: the texts; a row of several is a tuple.
    """
    found = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in found]


def whole_vocabulary(tokenizer: str) -> Vocabulary:
    """Return the tokenizer with all of its tokens, prepared for a student."""
    values = _prepared(tokenizer)
    highest = max(_known_ids(values).values(), default=-1)
    return Vocabulary(_text(values), list(range(highest + 1)))


def pruned_vocabulary(
    tokenizer: str, used: Iterable[int], texts: Sequence[Any], rows: Sequence[list[int]]
) -> Vocabulary:
    """Return a tokenizer without the tokens that do not occur, or the whole one if it is not safe.

    Args:
        tokenizer: the content of ``tokenizer.json``.
        used: the ids that occur.
        texts: some of the texts, to compare on.
        rows: their ids.
    """
    values = _prepared(tokenizer)
    known = _known_ids(values)
    keep = _kept(values, {token for token, number in known.items() if number in set(used)})
    if keep is None or len(keep) > WORTH * len(known):
        return whole_vocabulary(tokenizer)
    ids = sorted(known[token] for token in keep)
    smaller = Vocabulary(_text(_smaller(values, keep, ids)), ids)
    return smaller if _splits_alike(smaller, texts, rows) else whole_vocabulary(tokenizer)


def _prepared(tokenizer: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(tokenizer)
    # It adds special tokens, which a student does not read.
    return {**values, "post_processor": None, "truncation": None, "padding": None}


def _text(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _known_ids(values: dict[str, Any]) -> dict[str, int]:
    """Return the id of each token, added ones included."""
    vocab = values["model"]["vocab"]
    if isinstance(vocab, list):
        vocab = {entry[0]: number for number, entry in enumerate(vocab)}
    return {**vocab, **{each["content"]: each["id"] for each in values["added_tokens"]}}


def _kept(values: dict[str, Any], used: set[str]) -> set[str] | None:
    """Return the tokens to keep, None if this kind of tokenizer keeps all."""
    model = values["model"]
    kind = model.get("type")
    if kind not in ("WordPiece", "BPE", "Unigram", "WordLevel"):
        return None
    known = _known_ids(values)
    keep = {each["content"] for each in values["added_tokens"]} | used
    unknown = model.get("unk_token")
    keep |= {unknown} & set(known)
    if kind == "Unigram":
        # The lowest score decides what an unknown character costs.
        keep.add(min(model["vocab"], key=lambda entry: entry[1])[0])
        if model.get("unk_id") is not None:
            keep.add(model["vocab"][model["unk_id"]][0])
    if kind != "WordLevel":
        keep |= {token for token in known if _is_piece(token, model)}
    if kind == "BPE":
        keep = _with_parts(keep, model["merges"])
    return keep


def _is_piece(token: str, model: dict[str, Any]) -> bool:
    """Return whether a token is one character or byte, so that any word can be split."""
    bare = token.removeprefix(model.get("continuing_subword_prefix") or "")
    bare = bare.removesuffix(model.get("end_of_word_suffix") or "")
    if len(bare) == _BYTE_PIECE and bare.startswith("<0x") and bare.endswith(">"):
        return True
    return len(bare) <= 1 or (len(bare) <= len("▁a") and bare[0] in _WORD_MARKS)


def _with_parts(keep: set[str], merges: Sequence[Any]) -> set[str]:
    """Return the tokens and all tokens that they are merged from, at any depth."""
    made_of: dict[str, list[tuple[str, str]]] = {}
    for merge in merges:
        left, right = _pair(merge)
        made_of.setdefault(left + right, []).append((left, right))
    found, waiting = set(keep), list(keep)
    while waiting:
        for pair in made_of.get(waiting.pop(), ()):
            fresh = set(pair) - found
            found |= fresh
            waiting += fresh
    return found


def _pair(merge: Any) -> tuple[str, str]:
    """Return the two parts of a merge; older files have them in one string."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _smaller(values: dict[str, Any], keep: set[str], ids: Sequence[int]) -> dict[str, Any]:
    """Return a tokenizer with the kept tokens, numbered in the order of their ids."""
    new = {old: number for number, old in enumerate(ids)}
    model = dict(values["model"])
    vocab = model["vocab"]
    if isinstance(vocab, list):
        model["vocab"] = [entry for number, entry in enumerate(vocab) if number in new]
        if model.get("unk_id") is not None:
            model["unk_id"] = new[model["unk_id"]]
    else:
        model["vocab"] = {token: new[number] for token, number in vocab.items() if token in keep}
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if "".join(_pair(merge)) in keep]
    added = [{**each, "id": new[each["id"]]} for each in values["added_tokens"]]
    return {**values, "model": model, "added_tokens": added}


def _splits_alike(smaller: Vocabulary, texts: Sequence[Any], rows: Sequence[list[int]]) -> bool:
    try:
        tokenizer = Tokenizer.from_str(smaller.tokenizer)
    except Exception:
        # The package raises Exception itself.
        return False
    found = encoded(tokenizer, texts[:COMPARED_TEXTS])
    ids = smaller.ids
    return all([ids[n] for n in new] == old for new, old in zip(found, rows, strict=False))
