"""Arrow batches as lines of JSON, encoded column by column: several times as fast as row by row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from clx.ml.data.arrow_values import is_json
from clx.ml.data.tables.json_types import plain

if TYPE_CHECKING:
    import pyarrow as pa

_encode = json.JSONEncoder(ensure_ascii=False).encode


def json_lines(batch: pa.RecordBatch) -> bytes:
    """Return one JSON object with all columns for each row. NaN and infinities become null."""
    keys = (_encode(name).replace("%", "%%") for name in batch.schema.names)
    template = "{" + ", ".join(f"{key}: %s" for key in keys) + "}\n"
    if not batch.num_columns:
        return template.encode() * int(batch.num_rows)
    columns = [_encoded(column) for column in batch.columns]
    lines: str = "".join(map(template.__mod__, zip(*columns, strict=True)))
    # A lone surrogate, which only a JSON value can hold, has no UTF-8 form: it stays escaped.
    return lines.encode("utf-8", "backslashreplace")


def _encoded(array: pa.Array) -> Iterable[str]:
    encode = _encoder(array.type)
    values = array.storage.to_pylist() if is_json(array.type) else array.to_pylist()
    if not array.null_count:
        return map(encode, values)
    return ("null" if value is None else encode(value) for value in values)


def _encoder(kind: pa.DataType) -> Callable[[Any], str]:
    import pyarrow as pa

    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return encode_basestring
    if pa.types.is_integer(kind):
        return str
    if pa.types.is_floating(kind):
        return _number
    return _json_value if is_json(kind) else _any_value


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else "null"


def _json_value(text: str) -> str:
    # Serialize again, because JSON from another program may have line breaks between values.
    return _encode(json.loads(text))


def _any_value(value: Any) -> str:
    return _encode(plain(value))
