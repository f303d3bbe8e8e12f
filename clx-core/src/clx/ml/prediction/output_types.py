"""The types of the columns of predictions: what a task declares, and whether rows have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import PluginError
from clx.ml.data.tables.json_types import (
    JSON,
    NULL,
    SCALARS,
    Shape,
    arrow_type,
    checked_shape,
    plain,
    together,
)
from clx.ml.task.author_code import author_code
from clx.problems import cell
from clx_runtime.cascade import ANSWERED_BY, CASCADE

if TYPE_CHECKING:
    import pyarrow as pa

    from clx.ml.task.task import Task

Types = Mapping[str, Shape]
"""The type of each predicted column, by the name in ``prediction_row``."""

TRUNCATED = "truncated"


def declared_types(
    task: Task, all_scores: bool, backend: str | None = None
) -> dict[str, Shape] | None:
    """Return the types that a task declares, with ``truncated``, or None if it declares none.

    Args:
        task: the task.
        all_scores: whether rows have the score of every label.
        backend: the backend; that of a cascade adds ``answered_by``.

    Raises:
        PluginError: ``prediction_types`` failed or returned something else than types.
    """
    with author_code(task, "prediction_types"):
        declared = task.prediction_types(all_scores=all_scores)
    if declared is None:
        return None
    try:
        found = {str(name): _shape(kind) for name, kind in dict(declared).items()}
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"prediction_types of the task {task.name!r} must return a dict of column names and types "
            f"(str, int, float, bool, object, a list of one type, or a dict of types): {error}"
        ) from error
    own = {TRUNCATED: Shape("bool")}
    if backend == CASCADE:
        own[ANSWERED_BY] = Shape("str")
    return {**found, **{name: shape for name, shape in own.items() if name not in found}}


def _shape(kind: Any) -> Shape:
    if kind is object:
        return JSON
    if isinstance(kind, type) and kind in SCALARS and kind not in (list, dict):
        return Shape(SCALARS[kind])
    if isinstance(kind, list) and len(kind) == 1:
        item = _shape(kind[0])
        return JSON if item == JSON else Shape("list", (item,))
    if isinstance(kind, dict) and kind:
        items = tuple(_shape(item) for item in kind.values())
        return JSON if JSON in items else Shape("dict", items, tuple(map(str, kind)))
    raise TypeError(f"{cell(kind)} is not a type")


def sampled_types(rows: Sequence[Mapping[str, Any]]) -> dict[str, Shape]:
    """Return the types of sample rows. A column without a known type holds JSON, as any value is."""
    keys = dict.fromkeys(key for row in rows for key in row)
    shapes = {key: checked_shape([plain(row.get(key)) for row in rows]) for key in keys}
    return {key: JSON if _is_open(shape) else shape for key, shape in shapes.items()}


def _is_open(shape: Shape) -> bool:
    return shape == NULL or any(map(_is_open, shape.items))


def arrow_types(types: Types) -> dict[str, pa.DataType]:
    """Return the Arrow types."""
    return {name: arrow_type(shape) for name, shape in types.items()}


def unfit_rows(
    rows: Sequence[Mapping[str, Any] | None],
    types: Types,
    skip: bool,
    name: Callable[[int], Any],
) -> dict[int, str]:
    """Return why rows do not have the types, by position.

    Args:
        rows: the predicted columns of each row, None for a row without a prediction.
        types: the types.
        skip: whether to return the errors instead of raising.
        name: returns a message's name for a position.

    Raises:
        PluginError: a row does not have the types, and ``skip`` is not set.
    """
    if _fit([row for row in rows if row is not None], types):
        return {}
    errors = {
        place: _misfit(row, types)
        for place, row in enumerate(rows)
        if row is not None and not _fit([row], types)
    }
    if errors and not skip:
        place = min(errors)
        raise PluginError(f"Row {name(place)}: {errors[place]}")
    return errors


def _fit(rows: Sequence[Mapping[str, Any]], types: Types) -> bool:
    if any(not row.keys() <= types.keys() for row in rows):
        return False
    return all(
        _holds(shape, [plain(row.get(column)) for row in rows]) for column, shape in types.items()
    )


def _holds(shape: Shape, values: Sequence[Any]) -> bool:
    if shape == JSON:
        return True
    fits = together(checked_shape(values), shape)
    return fits == shape or (shape.kind == "int" and fits.kind == "bigint")


def _misfit(row: Mapping[str, Any], types: Types) -> str:
    for column, value in row.items():
        if column not in types:
            return f"prediction_row returned the column {column!r}, which prediction_types lacks"
        if not _holds(types[column], [plain(value)]):
            expected = types[column].kind
            return (
                f"prediction_row returned {cell(value)} in the column {column!r}, where "
                f"prediction_types says {expected}"
            )
    return "prediction_row returned values that prediction_types does not allow"
