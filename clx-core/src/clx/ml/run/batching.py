"""Predict the blocks of an engine such as Ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clx.ml.run.sharing import SharingRun

if TYPE_CHECKING:
    import ray.data


class BatchingRun(SharingRun):
    """A trained run that predicts the datasets of engines."""

    def predict_dataset(
        self,
        dataset: ray.data.Dataset,
        text_column: str = "text",
        columns: Sequence[str] | None = None,
        prefix: str = "",
        all_scores: bool = False,
        min_score: float | None = None,
        backend: str | None = None,
        on_error: str = "skip",
        workers: int | None = None,
        batch_size: int | None = None,
        gpus_per_worker: float = 0,
    ) -> ray.data.Dataset:
        """Return a Ray dataset with the columns of the predictions, which Ray computes when it is read.

        The actors open the run directory, so every machine of the cluster must have it at the same
        path. Needs the extra ``clx-core[ray]``.

        Args:
            dataset: the dataset.
            text_column: as for :meth:`predict_frame`.
            columns: the input columns to keep, None for all.
            prefix: the prefix of the names of the predicted columns.
            all_scores: as for :meth:`predict_frame`.
            min_score: as for :meth:`predict_labels`.
            backend: as for :meth:`predict`.
            on_error: ``"skip"``, for which a row without a prediction has nulls, and the column
                ``error`` says why, or ``"raise"``.
            workers: the number of actors; None for as many as the cluster has room for.
            batch_size: how many rows an actor gets at once, None for 4096.
            gpus_per_worker: how many GPUs each actor reserves; a share such as 0.5 is possible.

        Raises:
            MissingDependencyError: Ray is not installed.
            DataFormatError: ``dataset`` is not a ``ray.data.Dataset``. A dataset without the columns
                fails when Ray computes it.
            ConfigError: an argument has a wrong value.
            NotTrainedError: there is no trained model.
        """
        from clx.ml.batch.predictor import Predictor
        from clx.ml.batch.ray_dataset import predicted_dataset, require_dataset

        require_dataset(dataset)
        predictor = Predictor(
            self, text_column, columns, prefix, all_scores, min_score, backend, on_error
        )
        return predicted_dataset(dataset, predictor, workers, batch_size, gpus_per_worker)
