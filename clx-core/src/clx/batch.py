"""Predict tables in parts, on one machine or many: the public face of ``clx.ml.batch``."""

from __future__ import annotations

from clx.ml import training_run
from clx.ml.batch import predictor

__all__ = ["Predictor"]


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
