"""Convert Python values to Arrow arrays without changing them.

Arrow needs one type for a column. Values that have none, such as a number in one row and a string in
another, become JSON text in Arrow's own JSON type. No value is converted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from clx.ml.data.arrow_values import is_json

if TYPE_CHECKING:
    import pyarrow as pa

EXACT_IN_FLOAT = 2**53
INT64 = 2**63

SCALARS = {str: "str", bool: "bool", int: "int", float: "float", list: "list", dict: "dict"}


@dataclass(frozen=True)
class Shape:
    """The type of some values.

    Attributes:
        kind: ``null``, ``bool``, ``int`` (at most 2**53, exact as a float), ``bigint``, ``float``,
            ``str``, ``list``, ``dict``, or ``json`` for values without a common type.
        items: the shape of a list's items, or of each value of a dict.
        keys: the keys of a dict, in the order of the first one.
    """

    kind: str
    items: tuple[Shape, ...] = ()
    keys: tuple[str, ...] = ()


NULL, JSON = Shape("null"), Shape("json")


def shape_of(values: Sequence[Any]) -> Shape:
    """Return the shape that all the values have.

    The values are those of JSON: None, bool, int, float, str, list, and dict with str keys.
    """
    types = set(map(type, values))
    types.discard(type(None))
    if not types:
        return NULL
    if types == {int, float}:
        ints = shape_of([value for value in values if type(value) is int])
        return together(ints, Shape("float"))
    if len(types) > 1:
        return JSON
    kind = SCALARS.get(types.pop())
    if kind == "int":
        return _whole(values)
    if kind == "list":
        return _list(shape_of(list(chain.from_iterable(v for v in values if v is not None))))
    if kind == "dict":
        return _dict([value for value in values if value is not None])
    return Shape(kind) if kind else JSON


def _whole(values: Iterable[int | None]) -> Shape:
    present = [value for value in values if value is not None]
    low, high = min(present), max(present)
    if low >= -EXACT_IN_FLOAT and high <= EXACT_IN_FLOAT:
        return Shape("int")
    return Shape("bigint") if low >= -INT64 and high < INT64 else JSON


def _list(items: Shape) -> Shape:
    return JSON if items == JSON else Shape("list", (items,))


def _dict(values: Sequence[dict[str, Any]]) -> Shape:
    keys = tuple(values[0])
    wanted = set(keys)
    if not keys or any(value.keys() != wanted for value in values):
        return JSON
    items = tuple(shape_of([value[key] for value in values]) for key in keys)
    return JSON if JSON in items else Shape("dict", items, keys)


def together(one: Shape, other: Shape) -> Shape:
    """Return the shape that fits the values of both shapes."""
    if one == other or other == NULL:
        return one
    if one == NULL:
        return other
    kinds = {one.kind, other.kind}
    if kinds == {"int", "bigint"}:
        return Shape("bigint")
    if kinds == {"int", "float"}:
        return Shape("float")
    if kinds == {"list"}:
        return _list(together(one.items[0], other.items[0]))
    if kinds == {"dict"} and set(one.keys) == set(other.keys):
        by_key = dict(zip(other.keys, other.items, strict=True))
        items = tuple(together(i, by_key[k]) for k, i in zip(one.keys, one.items, strict=True))
        return JSON if JSON in items else Shape("dict", items, one.keys)
    return JSON


def arrow_type(shape: Shape) -> pa.DataType:
    """Return the Arrow type for values of a shape. Only nulls are stored as nulls."""
    import pyarrow as pa

    if shape.kind == "list":
        return pa.list_(arrow_type(shape.items[0]))
    if shape.kind == "dict":
        pairs = zip(shape.keys, shape.items, strict=True)
        return pa.struct([(key, arrow_type(item)) for key, item in pairs])
    return {
        "null": pa.null(),
        "bool": pa.bool_(),
        "int": pa.int64(),
        "bigint": pa.int64(),
        "float": pa.float64(),
        "str": pa.string(),
        "json": pa.json_(pa.string()),
    }[shape.kind]


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return the values as an array of a type that :func:`arrow_type` returned.

    Raises:
        UnicodeEncodeError: a string has a lone surrogate, which only the JSON type can hold.
    """
    import pyarrow as pa

    if not is_json(kind):
        return pa.array(values, kind)
    texts = [None if value is None else json.dumps(value) for value in values]
    return pa.ExtensionArray.from_storage(kind, pa.array(texts, pa.string()))


def holds_surrogate(values: Collection[Any]) -> bool:
    """Return whether a string in the values has a lone surrogate, which Arrow cannot store."""
    try:
        "".join(value for value in values if type(value) is str).encode()
    except UnicodeEncodeError:
        return True
    return any(
        holds_surrogate(value if type(value) is list else [*value, *value.values()])
        for value in values
        if type(value) in (list, dict)
    )


def checked_shape(values: Sequence[Any]) -> Shape:
    """Return the shape of the values, JSON where a string has a lone surrogate."""
    shape = shape_of(values)
    nested_or_text = shape.kind in ("str", "list", "dict")
    return JSON if nested_or_text and holds_surrogate(values) else shape


def plain(value: Any) -> Any:
    """Convert a value of Arrow or NumPy to a JSON value. NaN and infinities become None.

    Numbers, strings and booleans do not change; dates and times become text, bytes base64.
    """
    if value is None or type(value) in (str, bool, int):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return None if value != value else str(value)
