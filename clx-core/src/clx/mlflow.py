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
        batch_size: texts per batch, None to choose it.
    """

    def __init__(self, run: TrainingRun, batch_size: int | None = None) -> None:
        self.run = run
        self.batch_size = batch_size

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the predictions of ``run.predict_frame``, one row per text, in order.

        Args:
            data: a DataFrame with the run's text columns, whose index the result gets; or a list,
                array or Series of texts, or one text.
            params: arguments of ``predict_frame``: ``all_scores``, ``min_score``, ``batch_size``.

        Raises:
            ConfigError: there is no such parameter.
            DataFormatError: there is no text column, or it holds something other than texts.
        """
        from clx.errors import ConfigError
        from clx.problems import did_you_mean, names

        arguments = {"batch_size": self.batch_size, **(params or {})}
        known = ("all_scores", "batch_size", "min_score")
        for name in arguments:
            if name not in known:
                raise ConfigError(
                    f"a logged run has no parameter {name!r} ({names(known)}){did_you_mean(name, known)}"
                )
        return self.run.predict_frame(_frame(self.run, data), **arguments)


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


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> RunModel:
    """Open a logged run: MLflow calls this function by its name.

    Args:
        path: the run directory.
        model_config: what ``load_model`` got: ``device`` and ``batch_size``.
    """
    from clx.ml import training_run

    chosen = dict(model_config or {})
    run = training_run(load=path, device=chosen.get("device"))
    return RunModel(run, chosen.get("batch_size"))
