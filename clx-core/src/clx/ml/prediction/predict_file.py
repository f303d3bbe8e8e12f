"""Predict a file into another file: rows in order, in bounded memory, resumable.

The output is written in parts, into a folder beside the target. A part gets its name when it is
complete; when all parts are there, they are joined and the target appears by rename. A resumed call
skips the rows of complete parts, or finds that the target was complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from clx.errors import DataFormatError, ResumeError, RunExistsError
from clx.ml.data.files import file_format
from clx.ml.data.problems import column_problems, raise_data_problems
from clx.ml.data.row_files import join_parts, read_chunks, write_part
from clx.ml.data.texts import columns_to_read, frame_inputs
from clx.ml.machine.disk import full_disk_named
from clx.ml.prediction.predict import CutTexts
from clx.ml.run_directory.files import fsync, read_json, write_json
from clx.ml.run_directory.lock import only_writer_of_file
from clx.ml.run_directory.staging import remove
from clx.problems import raise_problems

if TYPE_CHECKING:
    import pandas as pd

PART_ROWS = 4096
STATE = "state.json"
JOINED = "joined.json"


@dataclass(frozen=True)
class FilePrediction:
    """One prediction of a file into another file.

    Attributes:
        source: a csv, tsv, jsonl or parquet file.
        target: the csv, tsv, jsonl or parquet file to write.
        text_column: the column of texts; ``"text"`` stands for the task's own columns.
        columns: the input columns to carry through, None for all.
        resume: continue an interrupted call.
        overwrite: replace an existing target.
        answer: what the predictions depend on besides the source: run, backend and so on.
    """

    source: Path
    target: Path
    text_column: str
    columns: list[str] | None
    resume: bool
    overwrite: bool
    answer: dict[str, Any]


RowFunction = Callable[[list[str], CutTexts], list[dict[str, Any]]]
"""Returns the prediction's columns for each text, and records which texts were truncated."""


def predict_file(job: FilePrediction, text_columns: Sequence[str], rows: RowFunction) -> Path:
    """Predict every row of a file; see ``TrainingRun.predict_file``.

    Args:
        job: what to predict.
        text_columns: the task's columns of texts.
        rows: predicts some texts.
    """
    source, target = job.source, job.target
    if not source.is_file():
        raise DataFormatError(f"There is no file {source}")
    file_format(source)
    kind = file_format(target)
    parts = target.with_name(f".{target.name}.parts")
    identity = _identity(job)
    with only_writer_of_file(target), full_disk_named(target.parent):
        if job.resume and _was_finished(parts, identity, target):
            remove(parts)
            return target
        _refuse_target(job)
        done = _begin(parts, identity, job.resume)
        cut = CutTexts(lambda row: row + done * PART_ROWS, warn=False)
        inputs = columns_to_read(text_columns, job.text_column)
        for number, frame in _remaining_chunks(source, done):
            output = _predicted(frame, inputs, job.columns, lambda texts: rows(texts, cut))
            write_part(output, parts / f"{number:08d}.part", kind, first=number == 0)
        joined = join_parts(sorted(parts.glob("*.part")), target, kind)
        write_json(parts / JOINED, _fingerprint(joined))
        joined.replace(target)
        fsync(target.parent)
        remove(parts)
    cut.tell(str(source))
    return target


def _refuse_target(job: FilePrediction) -> None:
    if not job.target.exists():
        return
    if not job.overwrite:
        raise RunExistsError(f"{job.target} exists: pass overwrite=True or choose another target")
    if job.target.samefile(job.source):
        raise DataFormatError(f"{job.source} cannot be both the source and the target")


def _remaining_chunks(source: Path, done: int) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the number and the rows of each part after the first ``done`` parts.

    The index is that of the file, so that errors name rows of the file.
    """
    import pandas as pd

    # Cells of csv files are read as text. The columns of jsonl and parquet files keep their types.
    for number, frame in enumerate(_bar(read_chunks(source, PART_ROWS), source)):
        if number >= done:
            first = number * PART_ROWS
            frame.index = pd.RangeIndex(first, first + len(frame))
            yield number, frame


def _fingerprint(path: Path) -> list[int]:
    """Return values that survive renaming the file, and differ if another file replaces it."""
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _was_finished(parts: Path, identity: dict[str, Any], target: Path) -> bool:
    """Return whether the same call was interrupted after its target was complete."""
    try:
        same = json.loads((parts / STATE).read_text(encoding="utf-8")) == identity
        joined = json.loads((parts / JOINED).read_text(encoding="utf-8"))
        return bool(same and joined == _fingerprint(target))
    except (OSError, ValueError):
        return False


def _bar(chunks: Iterator[pd.DataFrame], source: Path) -> Iterator[pd.DataFrame]:
    with tqdm(desc=f"predict {source.name}", unit="rows", delay=1) as bar:
        for frame in chunks:
            yield frame
            bar.update(len(frame))


def _identity(job: FilePrediction) -> dict[str, Any]:
    stat = job.source.stat()
    return {
        "source": [str(job.source.absolute()), stat.st_size, stat.st_mtime_ns],
        "text_column": job.text_column,
        "columns": job.columns,
        **job.answer,
        "part_rows": PART_ROWS,
    }


def _begin(parts: Path, identity: dict[str, Any], resume: bool) -> int:
    """Make the folder of parts; return how many complete parts an interrupted call has left in it."""
    state = parts / STATE
    if resume and state.is_file():
        before = read_json(state)
        raise_problems(
            ResumeError,
            f"The interrupted prediction in {parts} differs from this one:",
            [f"{key} changed" for key in identity if before.get(key) != identity[key]],
            "Restore what changed, or leave out resume to start again.",
        )
        done = 0
        while (parts / f"{done:08d}.part").is_file():
            done += 1
        return done
    remove(parts)
    parts.mkdir(parents=True)
    write_json(state, identity)
    return 0


def _predicted(
    frame: pd.DataFrame,
    inputs: Sequence[str],
    columns: list[str] | None,
    rows: Callable[[list[str]], list[dict[str, Any]]],
) -> pd.DataFrame:
    """Return some rows of the target: the columns to carry through and the predictions."""
    import pandas as pd

    carried = list(frame.columns) if columns is None else columns
    raise_data_problems(column_problems(frame, carried), "the columns to carry through")
    predicted = pd.DataFrame(rows(frame_inputs(frame, inputs)), index=frame.index)
    taken = set(carried)
    predicted = predicted.rename(
        columns={name: f"predicted_{name}" for name in predicted.columns if name in taken}
    )
    clash = set(predicted.columns) & taken
    if clash:
        raise DataFormatError(f"The input already has the columns {sorted(clash)}: rename them")
    return pd.concat([frame[carried], predicted], axis=1)
