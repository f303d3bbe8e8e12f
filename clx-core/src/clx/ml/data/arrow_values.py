"""Convert nested cells, JSON cells and class ids from Arrow to Python values.

``datasets`` keeps the names of class labels in the metadata of a table, as JSON. They are read from
there, because importing ``datasets`` takes seconds and a parquet file has them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.problems import cell

if TYPE_CHECKING:
    import pyarrow as pa

Decode = Callable[[Any], Any]

JSON_TYPE = "arrow.json"
"""The name of the canonical extension type of JSON."""


def features_of(schema: pa.Schema) -> dict[str, Any]:
    """Return the description that ``datasets`` keeps of each column; empty if there is none."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def stored_ranges(schema: pa.Schema, rows: int) -> dict[str | None, range]:
    """Return the indexes that pandas stored as a range, by name; None for one without a name.

    Args:
        schema: the schema of the table, with the metadata of pandas.
        rows: the number of rows. A part of a table has the metadata of the whole, which does not fit.
    """
    found: dict[str | None, range] = {}
    for stored in (schema.pandas_metadata or {}).get("index_columns", []):
        if isinstance(stored, Mapping) and stored.get("name") not in schema.names:
            values = range(stored["start"], stored["stop"], stored["step"])
            if len(values) == rows:
                found[stored.get("name")] = values
    return found


def decoder(kind: pa.DataType, feature: Any) -> Decode | None:
    """Return a function for values of an Arrow type, or None if they need no change.

    Args:
        kind: the type of the values, which come from ``to_pylist``.
        feature: the description of ``datasets`` for them, or None.
    """
    import pyarrow as pa

    names = _label_names(feature)
    if names is not None:
        return lambda value: _name(value, names)
    if is_json(kind):
        return _from_json
    if pa.types.is_map(kind):
        return _map_decoder(decoder(kind.item_type, None))
    if pa.types.is_struct(kind):
        return _struct_decoder(kind, feature)
    if is_list(kind):
        return _list_decoder(decoder(kind.value_type, _item_feature(feature)))
    return None


def is_list(kind: pa.DataType) -> bool:
    """Return whether the values of an Arrow type are lists."""
    import pyarrow as pa

    tests = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in tests)


def is_json(kind: pa.DataType) -> bool:
    """Return whether this is Arrow's JSON type."""
    return str(getattr(kind, "extension_name", "")) == JSON_TYPE


def _kind_of(feature: Any) -> str:
    return str(feature.get("_type")) if isinstance(feature, Mapping) else ""


def _label_names(feature: Any) -> list[str] | None:
    found = feature.get("names") if _kind_of(feature) == "ClassLabel" else None
    return found if isinstance(found, list) else None


def _item_feature(feature: Any) -> Any:
    if isinstance(feature, list):
        return feature[0] if feature else None
    if _kind_of(feature) in ("Sequence", "List", "LargeList"):
        return feature.get("feature")
    return None


def _field_features(feature: Any) -> Mapping[str, Any]:
    inner = _item_feature(feature)
    if isinstance(inner, Mapping) and not isinstance(inner.get("_type"), str):
        # Older releases store a list of structs as a struct of lists.
        return {name: {"feature": each, "_type": "List"} for name, each in inner.items()}
    return feature if isinstance(feature, Mapping) else {}


def _name(value: Any, names: list[str]) -> Any:
    # Splits without labels have -1.
    if value is None or value == -1:
        return None
    if isinstance(value, str):
        return value
    if not 0 <= value < len(names):
        raise DataFormatError(
            f"the class id {cell(value)} has no name: the data's metadata names {len(names)} classes"
        )
    return names[value]


def _from_json(value: Any) -> Any:
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError as error:
        raise DataFormatError(f"{cell(value)} is not JSON ({error})") from error


def _map_decoder(item: Decode | None) -> Decode:
    def decode(pairs: Any) -> Any:
        if pairs is None:
            return None
        pairs = pairs if item is None else [(key, item(value)) for key, value in pairs]
        try:
            found = dict(pairs)
        except TypeError:
            # The keys are lists or dicts.
            return pairs
        return found if len(found) == len(pairs) else pairs

    return decode


def _struct_decoder(kind: pa.DataType, feature: Any) -> Decode | None:
    features = _field_features(feature)
    fields = [kind.field(number) for number in range(kind.num_fields)]
    decoders = {field.name: decoder(field.type, features.get(field.name)) for field in fields}
    changing = {name: change for name, change in decoders.items() if change is not None}
    if not changing:
        return None

    def decode(value: Any) -> Any:
        if value is None:
            return None
        return {**value, **{name: change(value[name]) for name, change in changing.items()}}

    return decode


def _list_decoder(item: Decode | None) -> Decode | None:
    if item is None:
        return None

    def decode(values: Any) -> Any:
        if values is None:
            return None
        found = [item(value) for value in values]
        # A row without labels has -1 in place of them.
        return None if found and values == [-1] * len(values) else found

    return decode
