"""Predicting a file into another: rows in order, bounded memory, resumable.

The output is written in parts into a folder beside the target, each complete by rename; when all
are there they are joined and the target appears by rename. A resumed call skips the rows that
complete parts hold, or finds that all was done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from clx.errors import DataFormatError, ResumeError, RunExistsError
from clx.ml.data.files import file_format
from clx.ml.data.frames import column_problems, raise_data_problems
from clx.ml.data.row_files import flush, join_parts, read_chunks, write_part
from clx.ml.data.texts import frame_inputs, input_columns
from clx.ml.machine.disk import full_disk_named
from clx.ml.prediction.predict import CutTexts
from clx.ml.run_directory.layout import RunDir, write_json
from clx.ml.run_directory.lock import only_writer_of_file
from clx.ml.run_directory.staging import remove
from clx.ml.run_directory.untrusted_files import read_object
from clx.problems import raise_problems

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task

PART_ROWS = 4096
STATE = "state.json"
JOINED = "joined.json"


def predict_file(
    task: Task,
    source: Path,
    target: Path,
    *,
    text_column: str,
    columns: list[str] | None,
    resume: bool,
    overwrite: bool,
    batch_size: int | None,
    all_scores: bool,
    min_score: float | None,
    backend: str,
) -> Path:
    """See :meth:`TrainingRun.predict_file`."""
    if not source.is_file():
        raise DataFormatError(f"There is no file {source}")
    file_format(source)
    kind = file_format(target)
    parts = target.with_name(f".{target.name}.parts")
    asked = {"all_scores": all_scores, "min_score": min_score}
    how = {"batch_size": batch_size, "backend": backend}
    identity = _identity(task, source, text_column, columns, {**asked, "backend": backend})
    with only_writer_of_file(target), full_disk_named(target.parent):
        if resume and _was_finished(parts, identity, target):
            remove(parts)
            return target
        if target.exists() and not overwrite:
            raise RunExistsError(f"{target} exists: pass overwrite=True or give another target")
        if target.exists() and target.samefile(source):
            raise DataFormatError(f"{source} cannot be source and target at once")
        done = _begin(parts, identity, resume)
        cut = CutTexts(lambda row: row + done * PART_ROWS, warn=False)
        # A source read as text (csv) gives texts, one of json or parquet gives typed columns.
        for number, frame in enumerate(_bar(read_chunks(source, PART_ROWS), source)):
            if number < done:
                continue
            output = _predicted(
                task, frame, number * PART_ROWS, text_column, columns, how | asked, cut
            )
            write_part(output, parts / f"{number:08d}.part", kind, first=number == 0)
        new = join_parts(sorted(parts.glob("*.part")), target, kind)
        write_json(parts / JOINED, _fingerprint(new))
        new.replace(target)
        flush(target.parent)
        remove(parts)
    cut.tell(str(source))
    return target


def _fingerprint(path: Path) -> list[int]:
    """Return what a file keeps when it is renamed, and another one in its place has not."""
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _was_finished(parts: Path, identity: dict[str, Any], target: Path) -> bool:
    """Return whether the same call was broken off when its target was there already."""
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


def _identity(
    task: Task,
    source: Path,
    text_column: str,
    columns: list[str] | None,
    asked: dict[str, Any],
) -> dict[str, Any]:
    stat = source.stat()
    return {
        "source": [str(source.absolute()), stat.st_size, stat.st_mtime_ns],
        "run": RunDir(task.run_dir).identity(),
        "text_column": text_column,
        "columns": columns,
        **asked,
        "part_rows": PART_ROWS,
    }


def _begin(parts: Path, identity: dict[str, Any], resume: bool) -> int:
    """Make the folder of parts; return how many complete ones are there from before."""
    state = parts / STATE
    if resume and state.is_file():
        before = read_object(state)
        raise_problems(
            ResumeError,
            f"The interrupted prediction in {parts} was another one:",
            [f"{key} changed" for key in identity if before.get(key) != identity[key]],
            "Make it the same again, or leave resume out to start afresh.",
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
    task: Task,
    frame: pd.DataFrame,
    first_row: int,
    text_column: str,
    columns: list[str] | None,
    how: dict[str, Any],
    cut: CutTexts,
) -> pd.DataFrame:
    """Return the carried columns and the predictions of some rows."""
    import pandas as pd

    wanted = list(frame.columns) if columns is None else columns
    raise_data_problems(column_problems(frame, wanted), "the columns to carry through")
    frame.index = pd.RangeIndex(first_row, first_row + len(frame))
    inputs = frame_inputs(frame, input_columns(task.text_columns, text_column))
    predicted = pd.DataFrame(task._prediction_rows(inputs, **how, cut=cut), index=frame.index)
    taken = set(wanted)
    predicted = predicted.rename(
        columns={name: f"predicted_{name}" for name in predicted.columns if name in taken}
    )
    clash = set(predicted.columns) & taken
    if clash:
        raise DataFormatError(f"The input already has the columns {sorted(clash)}: rename them")
    return pd.concat([frame[wanted], predicted], axis=1)
