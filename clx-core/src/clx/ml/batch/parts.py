"""Predict files in parts: what the command line and ``clx.batch`` call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import DataWarning, UnfinishedError
from clx.ml.batch.job import begin_job
from clx.ml.batch.plan import PART_ROWS, Part
from clx.ml.batch.predictor import Predictor
from clx.ml.batch.records import Failure, Record
from clx.ml.batch.shard import ALL, shard_of
from clx.ml.batch.status import parts_status
from clx.ml.batch.work import predict_shard
from clx.ml.data.lengths import warn_truncated
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.results.parts import PartsStatus
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from clx.ml.batch.ray_engine import RayOptions


def predict_parts(
    predictor: Predictor,
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    directory: str | os.PathLike[str],
    shard: str | None = None,
    *,
    part_rows: int = PART_ROWS,
    reading: Reading = DEFAULT_READING,
    overwrite: bool = False,
    ray: RayOptions | None = None,
) -> PartsStatus:
    """Predict files in parts; see :func:`clx.batch.predict_parts`.

    Args:
        predictor: the run and the options of the prediction.
        sources: a file, folder, glob or address, or several.
        directory: the folder of the parts.
        shard: which share to predict.
        part_rows: the most rows of a part.
        reading: how to read the files.
        overwrite: start again if anything changed.
        ray: the cluster to use; None predicts in this process.
    """
    own = shard_of(shard, os.environ)
    given = [sources] if isinstance(sources, str | Path) else list(sources)  # type: ignore[arg-type]
    job = begin_job(predictor, given, directory, reading, part_rows, overwrite)
    parts = own.of(job.plan.parts())
    if ray is None:
        what = "predict" if own == ALL else f"predict shard {own}"
        done, failed = predict_shard(job, parts, what)
    else:
        from clx.ml.batch.ray_engine import predict_on_ray

        done, failed = predict_on_ray(job, parts, ray)
    tell(done, job.directory)
    raise_failed(failed, parts, job.directory)
    return parts_status(directory)


def tell(records: Sequence[Record], directory: str) -> None:
    """Warn of truncated texts and of rows without a prediction."""
    limit = next((each.limit for each in records if each.limit is not None), None)
    rows = sum(each.rows for each in records)
    warn_truncated(limit, sum(each.truncated for each in records), rows, directory)
    errors = sum(each.errors for each in records)
    first = next((each.first_error for each in records if each.first_error is not None), None)
    if first is not None:
        warnings.warn(
            f"{errors} of {rows} rows have no prediction; the column 'error' says why. The first is row "
            f"{first[0]} of its file: {first[1]}",
            DataWarning,
            stacklevel=user_level(),
        )


def raise_failed(failed: dict[Part, Failure], parts: Sequence[Part], directory: str) -> None:
    """Raise if parts failed.

    Raises:
        UnfinishedError: the message lists some of them with their causes.
    """
    if failed:
        causes = [f"{part}: {failure.cause}" for part, failure in failed.items()]
        listed = "\n".join(f"  - {cause}" for cause in causes[:10])
        more = f"\n  … and {len(causes) - 10} more" if len(causes) > 10 else ""
        raise UnfinishedError(
            f"{len(failed)} of {len(parts)} parts in {directory} failed; the others are finished:\n"
            f"{listed}{more}\nFix the causes and run the same command again."
        )
