"""Predict tables in parts, on one machine or many: the public face of ``clx.ml.batch``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml import training_run
from clx.ml.batch import predictor

if TYPE_CHECKING:
    from clx.ml.results.parts import PartsStatus

__all__ = ["Predictor", "join_parts", "parts_status", "predict_parts"]


class Predictor(predictor.Predictor):
    """A trained run as a callable that any engine can send to its workers.

    Called with a table, it returns a table of the same kind with the columns of
    ``run.predict_frame`` added, and nothing else changed. It takes a dict of NumPy arrays or lists, a
    ``pyarrow.Table`` or ``RecordBatch``, or a DataFrame of pandas or polars.

    It can be pickled: it has a reference to the run directory and these options, no weights. A
    process opens the run once, at its first call, and several threads can use it. A directory
    whose run was trained again is refused, so that one job has the predictions of one model.

    Args:
        run: a trained run, or what ``training_run(load=...)`` takes: a path, a name or an address.
        text_column: as for ``run.predict_frame``.
        columns: the input columns to keep, None for all.
        prefix: the prefix of the names of the added columns. Without one, a prediction whose name is
            taken is called ``predicted_<name>``.
        all_scores: as for ``run.predict_frame``.
        min_score: as for ``run.predict_frame``.
        backend: as for ``run.predict_frame``.
        on_error: ``"skip"``, for which a row without a prediction has nulls, and the column
            ``error`` says why, or ``"raise"``.
        threads: how many threads to compute with. None takes the CPUs that this process was given.
        batch_size: as for ``run.predict_frame``.

    Raises:
        ConfigError: an argument is wrong.
        NotTrainedError: the run is not trained, or was not exported for the backend.
        RunNotFoundError: there is no such run.
    """

    opener = staticmethod(training_run)


def predict_parts(
    run: Any,
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    directory: str | os.PathLike[str],
    shard: str | None = None,
    *,
    part_rows: int | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | Iterable[str] = True,
    overwrite: bool = False,
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float = 0,
    **options: Any,
) -> PartsStatus:
    """Predict files into a folder of parts, each of which is complete or absent.

    Any number of workers may call this with the same arguments and different shards, at the same time
    or later. A call skips what is finished. The parts are parquet files in ``<directory>/parts``.

    Args:
        run: a trained run, or what ``training_run(load=...)`` takes: a path, a name or an address.
        sources: a file, folder, glob or address, or several.
        directory: the folder of the parts: a path or an address. Nothing else may be in it.
        shard: which share to predict, such as ``"3/16"`` (counted from 1), or ``"auto"`` for that of
            SLURM, torchrun, SkyPilot or a Kubernetes indexed job. None predicts all parts.
        part_rows: the most rows of a part; a part never crosses files. None for 8,192.
        separator: as for ``run.train``.
        encoding: as for ``run.train``.
        header: as for ``run.train``.
        overwrite: start again if the files, the run or the options changed. Parts of unchanged files
            are kept if only files changed.
        engine: ``"local"`` predicts in this process, ``"ray"`` with the workers of a Ray cluster.
        address: the address of the Ray cluster; None for ``RAY_ADDRESS``, else for one on this machine.
        workers: the number of Ray workers; None for as many as there are CPUs.
        gpus_per_worker: how many GPUs each Ray worker reserves.
        **options: further arguments of :class:`Predictor`.

    Returns:
        How far the whole prediction is.

    Raises:
        ConfigError: an argument is wrong.
        DataFormatError: a file cannot be read, or lacks a column.
        ResumeError: the folder holds the parts of another prediction; the message says what differs.
        RunExistsError: the folder holds other files.
        UnfinishedError: parts failed; the others are finished. The message lists them.
    """
    from clx.ml.batch import parts
    from clx.ml.batch.engines import ray_options
    from clx.ml.batch.plan import PART_ROWS
    from clx.ml.data.reading import reading_of

    ray = ray_options(engine, address, workers, gpus_per_worker)
    return parts.predict_parts(
        Predictor(run, **options),
        sources,
        directory,
        shard,
        part_rows=PART_ROWS if part_rows is None else part_rows,
        reading=reading_of(separator, encoding, header),
        overwrite=overwrite,
        ray=ray,
    )


def parts_status(directory: str | os.PathLike[str]) -> PartsStatus:
    """Return the progress of a prediction in parts: parts done, rows per second, time left, failures.

    Args:
        directory: the folder of the parts: a path or an address.

    Raises:
        RunNotFoundError: no prediction was started there.
    """
    from clx.ml.batch import status

    return status.parts_status(directory)


def join_parts(
    directory: str | os.PathLike[str], target: str | os.PathLike[str], overwrite: bool = False
) -> Path | str:
    """Write the parts of a finished prediction into one file, in the order of the inputs.

    Args:
        directory: the folder of the parts: a path or an address.
        target: the csv, tsv, jsonl or parquet file to write, or an address; it appears when it is
            complete.
        overwrite: replace an existing target.

    Returns:
        The path of the file, or the str of an address.

    Raises:
        RunNotFoundError: no prediction was started in the folder.
        UnfinishedError: parts are missing or failed; the message names some.
        RunExistsError: the target exists.
        DataFormatError: a part is damaged.
    """
    from clx.ml.batch import status

    return status.join_parts(directory, target, overwrite)
