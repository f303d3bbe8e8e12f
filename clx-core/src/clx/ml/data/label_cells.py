"""The labels in one cell: lists, and the texts that programs write instead of lists.

A list that goes through a csv file comes back as text: JSON, or what Python, NumPy, PyTorch, or
PostgreSQL prints. These forms are parsed here. Anything else in a cell is left to the caller.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from clx.ml.data.soft_cells import label_shares, likeliest

CHOICES = "choices"
"""The key of the labels in a cell of a Label Studio export."""

_OPENING = ("[", "(", "{")
_CALLS = ("array", "tensor", "set", "frozenset", "list", "tuple", "dict_keys", "dict_values")
_PREFIXES = (*_OPENING, *(f"{call}(" for call in _CALLS), "np.", "numpy.", "torch.")

_ELLIPSES = ("...", "…")
_QUOTES = ("'", '"')

_TOKEN = re.compile(
    r"""\s*(?:(?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,:'"\[\](){}]+)|(?P<mark>[,:\[\](){}]))""",
    re.DOTALL,
)
_POSTGRES_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^"{},]*[^"{},\s]))\s*(?:,|$)', re.DOTALL)


def may_be_printed(text: str) -> bool:
    """Return whether a text begins like a printed list. This is a quick test before parsing."""
    return text.lstrip().startswith(_PREFIXES)


def listed(value: Any) -> list[Any] | None:
    """Return the items of a value that is a list, None if it is something else.

    Tuples, sets, one-dimensional arrays, and Label Studio dicts ``{"choices": [...]}`` count as
    lists. The items of a set are sorted.
    """
    if isinstance(value, Mapping):
        return _choices(value)
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
        value = value.tolist()
    if isinstance(value, set | frozenset):
        # The order of a set differs between processes.
        value = sorted(value, key=lambda label: (str(type(label)), str(label)))
    return list(value) if isinstance(value, list | tuple) else None


def _choices(value: Mapping[Any, Any]) -> list[Any] | None:
    if CHOICES not in value:
        return None
    chosen = value[CHOICES]
    if chosen is None:
        return []
    return [chosen] if isinstance(chosen, str) else listed(chosen)


def printed_list(text: str) -> list[Any] | None:
    """Return the items of a list that was written as text, None if the text is not such a list.

    The forms are JSON, printed lists, tuples, sets and arrays, and a Label Studio object with the key
    ``choices``. NumPy prints no commas: ``['a' 'b']`` has two items, although Python reads it as one
    string.
    """
    text = text.strip()
    if not may_be_printed(text):
        return None
    with contextlib.suppress(ValueError, RecursionError):
        return listed(json.loads(text))
    tokens = _tokens(text)
    return None if tokens is None else _parsed(tokens)


def is_cut_short(text: str) -> bool:
    """Return whether a text is a printed array in which ``...`` stands for items that are missing."""
    text = text.strip()
    if not text.startswith(("[", "array(", "tensor(")):
        return False
    tokens = _tokens(text) or []
    kept = [token for token in tokens if token.text not in _ELLIPSES]
    return len(kept) < len(tokens) and bool(_parsed(kept))


def postgres_list(text: str) -> list[str] | None:
    """Return the items of an array that PostgreSQL wrote, such as ``{fruit,"very red"}``."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")) or text.startswith("{'"):
        return None
    inner, items, position = text[1:-1], [], 0
    while position < len(inner):
        found = _POSTGRES_ITEM.match(inner, position)
        if found is None:
            return None
        quoted, plain = found.groups()
        items.append(plain.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = found.end()
    return items


def must_be_printed(text: str) -> bool:
    """Return whether brackets or braces enclose a text, as in a list or an object, valid or not."""
    text = text.strip()
    is_object = text.startswith("{") and text.endswith("}") and ":" in text
    is_list = text.startswith(("[", "array(", "tensor(")) and text.endswith(("]", ")"))
    return is_object or is_list


def only_label(value: Any, known: Container[str] = ()) -> Any:
    """Return the label of a cell in a column with one label per row.

    A list of exactly one label is that label, even if it was written as text. A list of any other
    length is returned as a list, which is not a label. A soft label is its likeliest label.

    Args:
        value: the cell.
        known: label names that are never parsed.
    """
    if isinstance(value, str) and (not may_be_printed(value) or value in known):
        return value
    shares = label_shares(value)
    if shares:
        return likeliest(shares)
    if isinstance(value, str):
        parsed = printed_list(value)
        if parsed is None:
            return value
        # The other cells of such a column are texts too.
        items = [str(item) if isinstance(item, int) else item for item in parsed]
    else:
        found = listed(value)
        if found is None:
            return value
        items = found
    return items[0] if len(items) == 1 else items


class _Token(NamedTuple):
    """A piece of a printed list: a literal or a mark, and whether blanks precede it."""

    text: str
    is_mark: bool
    after_blank: bool


def _tokens(text: str) -> list[_Token] | None:
    """Return the pieces of a printed list, None if it is not made of literals and marks."""
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        piece = match["value"] or match["mark"]
        found.append(_Token(piece, match["value"] is None, len(match[0]) > len(piece)))
        position = match.end()
    return found


def _parsed(tokens: Sequence[_Token]) -> list[Any] | None:
    with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return listed(_value(ast.parse(_with_commas(tokens), mode="eval").body))
    return None


def _with_commas(tokens: Sequence[_Token]) -> str:
    """Return a printed list with a comma between values that only blanks separate.

    Raises:
        ValueError: commas separate only some of the values, or nothing separates two strings. No
            program prints such a list.
    """
    parts: list[str] = []
    gaps = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and not (before.is_mark or token.is_mark):
            gaps += token.after_blank
            if not token.after_blank and before.text[0] in _QUOTES:
                raise ValueError("adjacent strings")
            parts += [","] if token.after_blank else []
        parts.append(token.text)
    if gaps and any(token.text == "," for token in tokens):
        raise ValueError("a comma is missing")
    return " ".join(parts)


def _value(node: ast.expr) -> Any:
    """Return the value of a printed literal.

    Raises:
        ValueError: the text is something other than a literal.
    """
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
            return {_value(k): _value(v) for k, v in zip(keys, values, strict=True) if k}
        case ast.Name(id="nan"):
            return float("nan")
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="True_" | "False_" as name):
            return name == "True_"
        case ast.Call(func=ast.Name(id=name), args=args) if name in _CALLS:
            return _called(name, args)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy" | "torch"), attr=name)):
            return _called(name, node.args)
    raise ValueError(ast.dump(node))


def _called(name: str, args: list[ast.expr]) -> Any:
    """Return the value of a printed call, such as ``array([...])`` or ``np.str_('a')``."""
    values = [_value(argument) for argument in args]
    if len(values) > 1 or (not values and name not in _CALLS):
        raise ValueError(name)
    value = values[0] if values else []
    return set(value) if name in ("set", "frozenset") else value
