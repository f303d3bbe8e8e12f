"""``tokenize_args``: values that would fail, or take all memory, at the first text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.problems import cell

MAX_TOKENS = 1_000_000
"""Above any model's input limit."""

OURS = {
    "return_tensors": "rows are made into tensors when a batch is formed",
    "return_overflowing_tokens": "it makes several rows of one",
    "is_split_into_words": "a text is one str",
    "text": "it comes from the data",
    "text_pair": "it comes from the data",
}


def tokenize_args_problems(arguments: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with ``tokenize_args``, as sentences."""
    problems = [
        f"tokenize_args: {name} cannot be set: {OURS[name]}"
        for name, value in arguments.items()
        if name in OURS and value not in (None, False)
    ]
    for name, least in {"max_length": 1, "stride": 0, "pad_to_multiple_of": 1}.items():
        value = arguments.get(name)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_whole and least <= value <= MAX_TOKENS):
            problems.append(
                f"tokenize_args: {name} must be a whole number from {least} to {MAX_TOKENS}, but is "
                f"{cell(value)}"
            )
    choices = {
        "padding": ("longest", "max_length", "do_not_pad"),
        "truncation": ("longest_first", "only_first", "do_not_truncate"),
        "split_special_tokens": (),
        "add_special_tokens": (),
    }
    for name, words in choices.items():
        value = arguments.get(name)
        if value is not None and not isinstance(value, bool) and value not in words:
            known = ", ".join(map(repr, words))
            problems.append(
                f"tokenize_args: {name} must be true or false{f', or one of {known}' if words else ''}, "
                f"but is {cell(value)}"
            )
    return problems
