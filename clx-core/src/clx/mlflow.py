"""Runs as MLflow models: ``mlflow.pyfunc.load_model("runs:/<run id>/model")``.

``report_to="mlflow"`` logs the run directory with this module as its loader, so the model has no
pickle. Opening it does the checks of ``training_run(load=...)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml import TrainingRun

__all__ = ["RunModel"]


class RunModel:
    """A trained run, as ``mlflow.pyfunc`` calls it.

    Args:
        run: the opened run.
    """

    def __init__(self, run: TrainingRun) -> None:
        self.run = run

    def predict(self, data: Any) -> pd.DataFrame:
        """Return the predictions of ``run.predict_frame``, one row per text, in order.

        Args:
            data: a DataFrame with the run's text columns, whose index the result gets; or a list,
                array or Series of texts, or one text.

        Raises:
            DataFormatError: there is no text column, or it holds something other than texts.
        """
        return self.run.predict_frame(_frame(self.run, data))

    def get_raw_model(self) -> TrainingRun:
        """Return the run; ``mlflow.pyfunc`` has a method of this name."""
        return self.run


def _frame(run: TrainingRun, data: Any) -> pd.DataFrame:
    """Return the input as a frame with the run's text columns."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, Mapping):
        return pd.DataFrame(dict(data))
    columns = [run.text_column] if run.text_column else list(run.text_columns)
    if isinstance(data, pd.Series):
        return data.to_frame(columns[0])
    rows = [data] if isinstance(data, str) else list(data)
    if len(columns) == 1:
        # An array of MLflow's server may have one column.
        rows = [
            row if isinstance(row, str) or not hasattr(row, "__len__") else row[0] for row in rows
        ]
        return pd.DataFrame({columns[0]: pd.Series(rows, dtype=object)})
    return pd.DataFrame(rows, columns=None if rows and isinstance(rows[0], Mapping) else columns)


def _load_pyfunc(path: str) -> RunModel:
    """Open a logged run, as MLflow does by this name; ``path`` is the run directory."""
    from clx.ml import training_run

    return RunModel(training_run(load=path))
