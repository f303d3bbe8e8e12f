"""``Predictor``: a trained run as a callable that any engine can send to its workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from clx.errors import ConfigError, DataFormatError
from clx.ml.batch.kinds import kind_of
from clx.ml.batch.opened import opened_run, reference_to
from clx.ml.data.problems import missing_columns, raise_data_problems, repeated_names
from clx.ml.data.task_frames import own_text_columns
from clx.ml.machine.cpus import computing_threads
from clx.ml.prediction.backends import EXPORTED, TORCH, backend_of, check_backend
from clx.ml.prediction.cascaded import cascade_folder
from clx.ml.prediction.exported import exported_folder
from clx.ml.prediction.output_types import Types, arrow_types, declared_types, sampled_types
from clx.ml.prediction.predict import CutTexts
from clx.ml.prediction.record_batch import (
    PredictedRows,
    RowPrediction,
    added_columns,
    predicted_rows,
)
from clx.ml.prediction.text_rows import expected_columns
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.predicting import require_prediction
from clx.problems import cell
from clx.problems import names as names_of
from clx_runtime.arguments import check_batch_size, check_min_score
from clx_runtime.cascade import CASCADE, refuse_min_score
from clx_runtime.columns import ON_ERROR, Columns
from clx_runtime.row_texts import RowTexts, texts_of_columns
from clx_runtime.texts import TextRow, columns_to_read

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLES = ("", "a", "Anna Smith paid 12.50 euros in Paris on Monday. Why?")
"""The texts whose predictions show the types of the columns if a task does not declare them."""


class Predictor:
    """A trained run as a callable over tables: see :class:`clx.batch.Predictor`.

    Attributes:
        opener: opens a saved run by its path, name or address. Without it, ``run`` must be a run.
    """

    opener: ClassVar[Callable[..., Any] | None] = None

    def __init__(
        self,
        run: Any,
        text_column: str = "text",
        columns: Iterable[str] | None = None,
        prefix: str = "",
        all_scores: bool = False,
        min_score: float | None = None,
        backend: str | None = None,
        on_error: str = "skip",
        threads: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        if on_error not in ON_ERROR:
            raise ConfigError(f"on_error must be 'raise' or 'skip', but is {cell(on_error)}")
        check_backend(backend)
        self.min_score = check_min_score(min_score)
        self.batch_size = check_batch_size(batch_size)
        self.all_scores, self.prefix, self.on_error = all_scores, prefix, on_error
        self.threads = _check_threads(threads)
        kept = [columns] if isinstance(columns, str) else columns
        self.columns = None if kept is None else tuple(dict.fromkeys(kept))
        self._reference = reference_to(run, self.opener)
        task = opened_run(self._reference)
        require_prediction(task)
        self.backend = backend_of(RunDir(task.run_dir), backend)
        if self.backend in EXPORTED:
            exported_folder(RunDir(task.run_dir), self.backend)
        if self.backend == CASCADE:
            cascade_folder(RunDir(task.run_dir))
            refuse_min_score(self.backend, self.min_score)
        self.text_columns = tuple(columns_to_read(own_text_columns(task), text_column))
        self._declared = declared_types(task, all_scores, self.backend)

    @property
    def run(self) -> str:
        """The path of the run directory, or its address on the Hub."""
        return self._reference.path

    @property
    def identity(self) -> str:
        """The identity of the content of the run directory."""
        return self._reference.identity

    def __call__(self, batch: Any) -> Any:
        """Return a table with the columns of the predictions; see the class.

        Args:
            batch: a dict of arrays or lists, or a pyarrow, pandas or polars table.

        Raises:
            DataFormatError: the batch is not a table, lacks a column, has columns of the predictions'
                names, or, with ``on_error="raise"``, a row has no valid text.
            RunDirError: the run was trained again since this object was made.
        """
        kind = kind_of(batch)
        names = kind.names(batch)
        self._check_names(names)
        values = {name: kind.values(batch, name) for name in self.text_columns}
        if len({len(column) for column in values.values()}) > 1:
            raise DataFormatError(f"The columns {names_of(values)} have different numbers of rows")
        predicted = self.predicted(texts_of_columns(values))
        kept = names if self.columns is None else self.columns
        return kind.extended(batch, self.columns, self.added(predicted, kept))

    def predicted(self, found: RowTexts, first: int = 0) -> PredictedRows:
        """Predict some rows.

        Args:
            found: their texts.
            first: the number of the first row, for messages.

        Raises:
            DataFormatError: with ``on_error="raise"``, a row has no valid text.
        """
        how = RowPrediction(self._rows, self.text_columns, self.on_error == "skip", self._types())
        return predicted_rows(how, found, first)

    def added(self, predicted: PredictedRows, kept: Sequence[str]) -> dict[str, pa.Array]:
        """Return the columns of the predictions of some rows, by name, as :meth:`schema` says.

        Args:
            predicted: the predictions.
            kept: the names of the columns that are kept beside them.

        Raises:
            DataFormatError: a kept column has the name of a prediction.
        """
        return added_columns(predicted, self._columns(kept), self._types())

    def schema(self, names: Sequence[str] = ()) -> pa.Schema:
        """Return the names and types of the columns that a call adds.

        The model is loaded only if the task does not declare its types.

        Args:
            names: the names of the columns that are kept. A prediction whose name is taken is called
                ``predicted_<name>``.
        """
        import pyarrow as pa

        types = self._types()
        columns = self._columns(names)
        added = dict(
            zip(columns.names(list(types)).values(), arrow_types(types).values(), strict=True)
        )
        if columns.with_errors:
            added[columns.error_name(list(added))] = pa.string()
        return pa.schema(list(added.items()))

    def __repr__(self) -> str:
        return f"<Predictor of the run {self.run}, {', '.join(self.text_columns)}>"

    def _check_names(self, names: Sequence[Any]) -> None:
        """Raise if a batch lacks a column, or has two columns with one name.

        Raises:
            DataFormatError: the message lists the columns.
        """
        needed = list(dict.fromkeys([*self.text_columns, *(self.columns or ())]))
        problems = missing_columns(names, needed)
        problems += [
            f"there is more than one column {name!r}"
            for name in repeated_names(name for name in names if name in needed)
        ]
        raise_data_problems(problems, expected_columns(self.text_columns))

    def _columns(self, kept: Sequence[str]) -> Columns:
        return Columns(tuple(kept), self.prefix, self.on_error == "skip")

    def _types(self) -> Types:
        if self._declared is None:
            count = len(self.text_columns)
            samples = SAMPLES if count == 1 else [TextRow([text] * count) for text in SAMPLES]
            self._declared = sampled_types(self._rows(list(samples), CutTexts(warn=False)))
        return self._declared

    def _rows(self, texts: list[str], cut: CutTexts) -> Sequence[Mapping[str, Any]]:
        run = opened_run(self._reference)
        rows = run.row_function(self.batch_size, self.backend, self.all_scores, self.min_score)
        with computing_threads(self.threads, with_torch=self.backend in (TORCH, CASCADE)):
            found: Sequence[Mapping[str, Any]] = rows(texts, cut)
        return found


def _check_threads(threads: Any) -> int | None:
    is_number = isinstance(threads, int) and not isinstance(threads, bool) and threads > 0
    if threads is not None and not is_number:
        raise ConfigError(f"threads must be a whole number of at least 1, but is {cell(threads)}")
    return threads  # type: ignore[no-any-return]
