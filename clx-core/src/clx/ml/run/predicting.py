"""Prediction with a trained run: a list or stream of texts, a frame, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.data.frames import to_frame
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import own_text_columns
from clx.ml.data.texts import column_to_frame, frame_inputs
from clx.ml.prediction.backends import check_backend
from clx.ml.prediction.predict import CutTexts
from clx.ml.prediction.windows import array_rule
from clx.ml.run.cascade_engines import CascadeEngineRun
from clx_runtime.arguments import check_batch_size, check_min_score
from clx_runtime.cascade import refuse_min_score
from clx_runtime.texts import as_text_rows, as_texts, check_texts, columns_to_read

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.prediction.windows import ArrayRule, Window


class PredictingRun(CascadeEngineRun):
    """A run that predicts. All its methods use one private generator, and the task decides."""

    def predict(
        self,
        texts: Any,
        batch_size: int | None = None,
        backend: str | None = None,
        **predict_args: Any,
    ) -> list[Any]:
        """Return one prediction per text, in order.

        Args:
            texts: a list, tuple, Series, array or generator of str, or one str. For a task with
                several ``text_columns``, each item is a tuple or dict with one text per column.
            batch_size: texts per batch; None chooses it by the device and the lengths of the texts.
            backend: ``"torch"`` (the default, None), or after :meth:`export` ``"onnx"``,
                ``"onnx-int8"``, ``"openvino"`` or ``"openvino-int8"``. A static student has
                ``"static"`` only.
            **predict_args: arguments of the pipeline's call, or keyword-only arguments of the task's
                ``post_process_prediction``; they override the task's ``predict_args``.

        Raises:
            UnknownArgumentError: neither of them knows an argument.
            DataFormatError: items are not texts; the message lists their positions.
            NotTrainedError: there is no trained model.
        """
        candidates = as_texts(as_text_rows(texts, self.text_columns))
        if hasattr(candidates, "__len__"):
            candidates = check_texts(candidates)
        return list(self.predict_iter(candidates, batch_size, backend, **predict_args))

    def predict_iter(
        self,
        texts: Any,
        batch_size: int | None = None,
        backend: str | None = None,
        **predict_args: Any,
    ) -> Iterator[Any]:
        """Yield one prediction per text, in order, for any number of texts in bounded memory.

        The arguments and errors are those of :meth:`predict`. An invalid text raises an error when
        it is reached.
        """
        return self._predict(texts, batch_size, backend, predict_args)

    def recorded_predictions(
        self,
        texts: Any,
        cut: CutTexts,
        batch_size: int | None = None,
        backend: str | None = None,
    ) -> Iterator[Any]:
        """Yield what :meth:`predict_iter` yields, and record which texts were truncated.

        Args:
            texts: as for :meth:`predict`.
            cut: the record; it has a text before its prediction is yielded. A task with a
                ``predict_iter`` of its own leaves it empty.
            batch_size: as for :meth:`predict`.
            backend: as for :meth:`predict`. For a cascade, ``cut`` also has who answered.
        """
        if type(self).predict_iter is not PredictingRun.predict_iter:
            return self.predict_iter(texts, batch_size, backend)
        return self._predict(texts, batch_size, backend, {}, cut)

    def predict_labels(
        self,
        texts: Any,
        batch_size: int | None = None,
        min_score: float | None = None,
        backend: str | None = None,
    ) -> list[Any]:
        """Return the decision for each text: a name, a list of names, or None to abstain.

        Args:
            texts: as for :meth:`predict`.
            batch_size: as for :meth:`predict`.
            min_score: the score that a label needs; it overrides what the run has learned.
            backend: as for :meth:`predict`.
        """
        check_min_score(min_score)
        check_batch_size(batch_size)
        refuse_min_score(check_backend(backend), min_score)
        candidates = as_texts(as_text_rows(texts, self.text_columns))
        if hasattr(candidates, "__len__"):
            candidates = check_texts(candidates)
        chosen, rule = self._ready_backend(backend), self._array_rule()
        if rule is None:
            predictions = self.predict(candidates, batch_size, backend)
            return [self.decide(each, min_score) for each in predictions]
        windows = self._predict_windows(candidates, batch_size, chosen, rule)
        return [decision for window in windows for decision in window.decisions(min_score)]

    def predict_frame(
        self,
        data: Any,
        text_column: str = "text",
        batch_size: int | None = None,
        all_scores: bool = False,
        min_score: float | None = None,
        backend: str | None = None,
        *,
        keep: bool | Sequence[Any] = False,
        prefix: str = "",
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> pd.DataFrame:
        """Return the predictions as a frame with the index of the data.

        The columns are those of the task, and ``truncated``, which says whether the text was longer
        than the model's limit. If some rows have no label, labels that are whole numbers or
        booleans keep their values in a nullable column (``Int64``, ``boolean``).

        Args:
            data: a frame, Dataset or path, as for :meth:`train`; only its texts are read. Or a list,
                Series or array of texts, as for :meth:`predict`.
            text_column: the column of texts; ``"text"`` stands for the run's own column, or the task's
                ``text_columns``.
            batch_size: as for :meth:`predict`.
            all_scores: add the score of every label, for a task that has labels.
            min_score: as for :meth:`predict_labels`.
            backend: as for :meth:`predict`.
            keep: True, or the columns of the data to return too. A prediction whose name is taken is
                then called ``predicted_<name>``.
            prefix: the prefix of the names of the predicted columns.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            DataFormatError: there is no such column, or it holds something other than texts.
        """
        from clx.ml.prediction.output_types import declared_types
        from clx.ml.prediction.rows import beside_input, kept_columns, prediction_frame

        check_min_score(min_score)
        chosen = self._ready_backend(backend)
        columns = columns_to_read(own_text_columns(self), text_column)
        frame = column_to_frame(data, columns)
        if frame is None:
            frame = to_frame(data, "data", reading_of(separator, encoding, header), labeled=False)
        kept, inputs = kept_columns(frame, keep), frame_inputs(frame, columns)
        cut = CutTexts(frame.index.__getitem__)
        rows = self.row_function(batch_size, backend, all_scores, min_score)(inputs, cut)
        # Without rows, only the task knows the columns.
        known = None if rows else declared_types(self, all_scores, chosen)
        return beside_input(prediction_frame(rows, frame.index, known), frame, kept, prefix)

    def predict_file(
        self,
        source: str | Path,
        target: str | Path,
        text_column: str = "text",
        columns: Iterable[str] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        batch_size: int | None = None,
        all_scores: bool = False,
        min_score: float | None = None,
        backend: str | None = None,
        on_error: str = "raise",
        prefix: str = "",
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Iterable[str] = True,
    ) -> Path | str:
        """Predict every row of a file, write another file in bounded memory, and return its path.

        Args:
            source: what to read: a file, a folder, a glob, or an address (see docs/how-to/data.md).
            target: the csv, tsv, jsonl or parquet file to write, or an address; it appears when it
                is complete. The method returns its Path, or the str of an address.
            text_column: the column of texts. An empty cell of a csv file is an empty text.
            columns: the input columns to copy to the target, by default all.
            resume: continue an interrupted call; parts whose rows did not change are kept.
            overwrite: replace an existing target, and the parts of an interrupted call.
            batch_size: as for :meth:`predict`.
            all_scores: add the score of every label, for a task that has labels.
            min_score: as for :meth:`predict_labels`.
            backend: as for :meth:`predict`.
            on_error: ``"raise"`` or ``"skip"``. With ``"skip"``, a row without a valid text keeps
                its place, its predictions are null, and the column ``error`` says why.
            prefix: the prefix of the names of the predicted columns.
            separator: as for :meth:`predict_frame`.
            encoding: as for :meth:`predict_frame`.
            header: as for :meth:`predict_frame`.

        Raises:
            RunExistsError: the target exists, or finished parts of an interrupted call do.
            DataFormatError: the source cannot be read, or lacks a column or a text.
            ResumeError: the name of the source, the run or an argument changed since the
                interrupted call.
        """
        from clx.ml.prediction.output_types import declared_types
        from clx.ml.prediction.predict_file import FilePrediction, predict_file

        chosen = self._ready_backend(backend)
        directory = self._trained_directory()
        columns = [columns] if isinstance(columns, str) else columns
        job = FilePrediction(
            source,
            target,
            tuple(columns_to_read(own_text_columns(self), text_column)),
            answer={
                "run": directory.identity(),
                "all_scores": all_scores,
                "min_score": check_min_score(min_score),
                "backend": chosen,
            },
            columns=None if columns is None else tuple(dict.fromkeys(columns)),
            prefix=prefix,
            on_error=on_error,
            resume=resume,
            overwrite=overwrite,
            reading=reading_of(separator, encoding, header),
            types=declared_types(self, all_scores, chosen),
        )
        check_batch_size(batch_size)
        return predict_file(job, self.row_function(batch_size, backend, all_scores, min_score))

    def row_function(
        self,
        batch_size: int | None,
        backend: str | None,
        all_scores: bool,
        min_score: float | None,
    ) -> Callable[[list[str], CutTexts], Sequence[Mapping[str, Any]]]:
        """Return the function with which this run predicts rows of frames, files and batches.

        It takes texts and a record of the truncated ones, and returns a row for each, with
        ``truncated``. The arguments are those of :meth:`predict_frame`.
        """
        from clx.ml.prediction.rows import row_function, window_row_function

        chosen, rule = self._ready_backend(backend), self._array_rule()
        refuse_min_score(chosen, min_score)
        if rule is not None:

            def windows(inputs: list[str], cut: CutTexts) -> Iterator[Window]:
                return self._predict_windows(inputs, batch_size, chosen, rule, cut)

            return window_row_function(windows, all_scores, min_score)

        def predict(inputs: list[str], cut: CutTexts) -> Iterator[Any]:
            return self._predict(inputs, batch_size, backend, {}, cut)

        return row_function(self, predict, all_scores, min_score)

    def _array_rule(self) -> ArrayRule | None:
        """Return how to decide on arrays, None if Python code of the task or a plugin takes part."""
        own = (type(self).predict, type(self).predict_iter)
        stock = (PredictingRun.predict, PredictingRun.predict_iter)
        return array_rule(self) if own == stock else None
