"""Exports of annotation tools as frames of texts and labels: Label Studio, Prodigy, doccano, spaCy.

An export is recognized by the columns that its tool writes and by the form of their cells. Any other
frame is returned as it is.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.label_cells import CHOICES, listed, printed_list
from clx.ml.data.multi_hot import bit
from clx.problems import names
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

TASK_COLUMNS = {"data", "annotations"}
"""Label Studio's JSON has a row for each task with these columns."""

TABLE_COLUMNS = {"annotation_id", "annotator", "id", "lead_time"}
"""Label Studio's CSV and JSON-MIN have a row for each annotation with these columns."""

TABLE_OTHERS = {*TABLE_COLUMNS, "created_at", "updated_at", "agreement", "predictions"}

ANSWERS = {"accept": "accepted", "reject": "rejected", "ignore": "ignored"}
"""Prodigy's answers, with the words for messages."""

DOCCANO_COLUMNS = {"id", "text", "Comments"}
DOCCANO_SEPARATOR = "#"


def labeled_rows(frame: pd.DataFrame, what: str = "data") -> pd.DataFrame:
    """Return the labeled rows of an export, and any other frame as it is.

    A warning says which tool wrote the export, and how many rows are left out.

    Raises:
        DataFormatError: no row of the export has labels.
    """
    rows, notes = from_annotation_tool(frame)
    if notes:
        warnings.warn(f"{what}: {'; '.join(notes)}", DataWarning, stacklevel=user_level())
    if rows.empty and not frame.empty:
        raise DataFormatError(f"{what} has no labeled rows: {'; '.join(notes)}")
    return rows


def from_annotation_tool(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the labeled rows of an export, and notes on rows that are left out or repeated.

    The result has the columns ``text``, ``label`` and ``labels``; ``label`` and ``labels`` both
    hold the list of a row's labels. Rows keep their index labels. Rows that were rejected, skipped
    or not annotated are left out. A frame that is not an export is returned unchanged.
    """
    for convert in (_studio_tasks, _studio_table, _prodigy, _doccano, _spacy):
        converted = convert(frame)
        if converted is not None:
            return converted
    return frame, []


def texts_of_export(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the texts of an export as columns, for prediction; no row is left out."""
    data = _studio_data(frame)
    return frame if data is None else _with_fields(frame, data)


# ---- Label Studio --------------------------------------------------------------------------------


def _studio_data(frame: pd.DataFrame) -> list[dict[str, Any]] | None:
    """Return the fields of each task, None if the frame is not Label Studio's JSON."""
    if "data" not in frame.columns or not {"annotations", "predictions"} & set(frame.columns):
        return None
    cells = [_from_json(value) for value in frame["data"]]
    return [dict(cell) for cell in cells] if all(isinstance(c, Mapping) for c in cells) else None


def _with_fields(frame: pd.DataFrame, data: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Add the tasks' fields as columns; if only one field holds a string, it is also the text."""
    fields = list(dict.fromkeys(name for row in data for name in row))
    columns = {name: [row.get(name) for row in data] for name in fields}
    strings = [n for n in fields if any(isinstance(value, str) for value in columns[n])]
    if "text" not in columns and len(strings) == 1:
        columns["text"] = columns[strings[0]]
    kept = [name for name in frame.columns if name not in columns and name not in TASK_COLUMNS]
    return frame[kept].assign(**{name: _cells(frame, values) for name, values in columns.items()})


def _studio_tasks(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]] | None:
    data = _studio_data(frame)
    if data is None or "annotations" not in frame.columns:
        return None
    tasks = [listed(_from_json(value)) or [] for value in frame["annotations"]]
    choices = [_distinct([_choices_of(a) for a in task if _is_done(a)]) for task in tasks]
    controls = sorted({name for task in choices for annotation in task for name in annotation})
    if not controls:
        return None
    rows = [number for number, task in enumerate(choices) for _ in task]
    answers = [annotation for task in choices for annotation in task]
    result, notes = _with_fields(frame, data).iloc[rows], []
    columns = {control: [answer.get(control, []) for answer in answers] for control in controls}
    if len(controls) == 1:
        result = _labeled(result, columns[controls[0]], controls[0])
    else:
        result = result.assign(**{name: _cells(result, cells) for name, cells in columns.items()})
        notes.append(
            f"Label Studio asked several questions ({names(controls)}); each is now a column"
        )
    left_out = sum(not task for task in choices)
    if left_out:
        notes.append(
            f"{left_out} of {len(frame)} Label Studio tasks are not annotated and were left out"
        )
    different = sum(len(task) > 1 for task in choices)
    if different:
        notes.append(
            f"{different} Label Studio tasks have differing annotations: each annotation is a row"
        )
    return result, notes


def _is_done(annotation: Any) -> bool:
    return isinstance(annotation, Mapping) and not annotation.get("was_cancelled")


def _choices_of(annotation: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the choices of an annotation by the name of the question."""
    found: dict[str, list[Any]] = {}
    for result in listed(annotation.get("result")) or []:
        value = result.get("value") if isinstance(result, Mapping) else None
        if isinstance(value, Mapping) and value.get(CHOICES) is not None:
            name = str(result.get("from_name"))
            found[name] = [*found.get(name, []), *(listed(value) or [])]
    return found


def _distinct(annotations: list[dict[str, list[Any]]]) -> list[dict[str, list[Any]]]:
    """Return annotations that differ, in order; the order of choices does not count."""
    by_content = {
        repr(sorted((k, sorted(map(str, v))) for k, v in a.items())): a for a in annotations
    }
    return list(by_content.values())


def _studio_table(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]] | None:
    if not set(frame.columns) >= {*TABLE_COLUMNS, "text"}:
        return None
    own = [n for n in frame.columns if n not in {*TABLE_OTHERS, "text"} and isinstance(n, str)]
    column = _only([n for n in own if n in ("label", "labels")])
    column = column or _only([n for n in own if any(map(_is_choices, frame[n]))])
    column = column or _only([n for n in own if n in ("choice", CHOICES)]) or _only(own)
    if column is None:
        return None
    labels = [_studio_cell(value) for value in frame[column]]
    return _labeled(frame, labels, column), []


def _studio_cell(value: Any) -> list[Any]:
    if isinstance(value, str):
        parsed = printed_list(value) if _is_choices(value) else None
        return [value] if parsed is None else parsed
    found = listed(value)
    if found is not None:
        return found
    return [] if _is_missing(value) else [value]


def _is_choices(value: Any) -> bool:
    if isinstance(value, str):
        value = _from_json(value) if value.lstrip().startswith("{") else None
    return isinstance(value, Mapping) and CHOICES in value


# ---- Prodigy, doccano, spaCy -----------------------------------------------------------------------


def _prodigy(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]] | None:
    columns = set(frame.columns)
    if not columns >= {"text", "answer"} or not columns & {"label", "accept", "cats", "_task_hash"}:
        return None
    answers = [None if _is_missing(answer) else answer for answer in frame["answer"]]
    if not all(answer is None or str(answer) in ANSWERS for answer in answers):
        return None
    accepted = [answer == "accept" for answer in answers]
    result = frame[accepted]
    labels = _prodigy_labels(result)
    counts = Counter(ANSWERS.get(str(answer), "without an answer") for answer in answers)
    counts.pop(ANSWERS["accept"], None)
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    left_out = len(frame) - len(result)
    notes = [f"{left_out} of {len(frame)} Prodigy rows were left out: {said}"] if left_out else []
    return (result if labels is None else _labeled(result, labels, None)), notes


def _prodigy_labels(frame: pd.DataFrame) -> list[list[Any]] | None:
    """Return the accepted labels of each row, None for rows of another kind, such as spans."""
    if "accept" in frame.columns:
        return [listed(value) or [] for value in frame["accept"]]
    if "label" in frame.columns:
        labels = frame["label"]
        return [[] if _is_missing(value) else _studio_cell(value) for value in labels]
    return _cats(frame)


def _doccano(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]] | None:
    """Convert doccano's CSV, which joins labels, and the column names of its other kinds of projects."""
    if set(frame.columns) == {"id", "data", "label"} and all(
        isinstance(value, str) and listed(label) is not None
        for value, label in zip(frame["data"], frame["label"], strict=True)
    ):
        frame = frame.rename(columns={"data": "text"})
        return _labeled(frame, [listed(label) or [] for label in frame["label"]], None), []
    column = _only([name for name in ("label", "cats") if name in frame.columns])
    if column is None or not set(frame.columns) >= DOCCANO_COLUMNS:
        return None
    rows = [_doccano_cell(value) for value in frame[column]]
    labels = [row for row in rows if row is not None]
    return (_labeled(frame, labels, None), []) if len(labels) == len(rows) else None


def _doccano_cell(value: Any) -> list[Any] | None:
    """Return the labels of a cell, None if they do not apply to whole texts."""
    if _is_missing(value):
        return []
    if isinstance(value, str):
        parsed = printed_list(value)
        labels = value.split(DOCCANO_SEPARATOR) if parsed is None else parsed
    else:
        labels = listed(value) or []
    return labels if all(isinstance(label, str) for label in labels) else None


def _spacy(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]] | None:
    if not set(frame.columns) >= {"text", "cats"} or {"label", "labels"} & set(frame.columns):
        return None
    labels = _cats(frame)
    return None if labels is None else (_labeled(frame, labels, None), [])


def _cats(frame: pd.DataFrame) -> list[list[str]] | None:
    """Return the labels with the value 1 in spaCy's ``{label: 0 or 1}``, None for other values."""
    if "cats" not in frame.columns:
        return None
    rows = [_from_json(value) for value in frame["cats"]]
    if not all(isinstance(row, Mapping) for row in rows):
        return None
    # In a parquet file, all objects have the same keys; keys that a row lacks are None.
    given = [{name: value for name, value in row.items() if value is not None} for row in rows]
    if any(bit(value) is None for row in given for value in row.values()):
        return None
    return [[str(name) for name, value in row.items() if bit(value)] for row in given]


# ---- Shared functions ----------------------------------------------------------------------------


def _labeled(frame: pd.DataFrame, labels: Sequence[list[Any]], named: str | None) -> pd.DataFrame:
    """Add the labels as ``label``, as ``labels``, and under the name of the tool's own column."""
    cells = _cells(frame, labels)
    columns = dict.fromkeys(["label", "labels"], cells)
    if named is not None and named not in frame.columns:
        columns[named] = cells
    return frame.assign(**columns)


def _cells(frame: pd.DataFrame, values: Sequence[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(list(values), index=frame.index, dtype=object)


def _only(columns: Sequence[str]) -> str | None:
    return columns[0] if len(columns) == 1 else None


def _from_json(value: Any) -> Any:
    """Return the value of a cell that is an object or a list as JSON text, any other cell unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and value != value)
