"""The ways to predict with a trained run: texts, a stream of them, a frame, a file.

All of them end in :meth:`Predicting._predict`; what is chosen from its scores is the task's
``decide`` and ``prediction_row``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import NotTrainedError
from clx.ml.data.frames import to_frame
from clx.ml.data.texts import as_text_rows, frame_inputs, input_columns
from clx.ml.machine.memory import with_memory_named
from clx.ml.plugins.calls import observed
from clx.ml.prediction.predict import (
    CutTexts,
    as_texts,
    check_batch_size,
    check_min_score,
    check_texts,
    predict_texts,
)
from clx.ml.run.backends import check_backend, make_engine
from clx.ml.task.task import Task

if TYPE_CHECKING:
    import pandas as pd


class Predicting(Task):
    """The part of :class:`clx.ml.TrainingRun` that predicts."""

    def _require_trained(self) -> None:
        raise NotTrainedError("predictions are had from a TrainingRun only")

    def predict(
        self,
        texts: Any,
        batch_size: int | None = None,
        backend: str | None = None,
        **predict_args: Any,
    ) -> list[Any]:
        """Return one prediction a text, in order.

        Args:
            texts: a list, tuple, Series, array or generator of str, or one str. For a task with
                several ``text_columns``: of tuples or dicts with a text for each.
            batch_size: texts of one batch; None takes as many as suit the device and their length.
            backend: what computes: ``"torch"`` (None), or ``"onnx"`` or ``"onnx-int8"`` after
                :meth:`export`.
            **predict_args: to the pipeline's call, over the task's ``predict_args``.

        Raises:
            DataFormatError: something else than texts; positions are listed.
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
        """Yield one prediction a text, in order, for any number of texts in bounded memory.

        Arguments and errors are those of :meth:`predict`; a wrong text is reported when its turn
        comes.
        """
        return self._predict(texts, batch_size, backend, predict_args)

    def _predict(
        self,
        texts: Any,
        batch_size: int | None,
        backend: str | None,
        predict_args: dict[str, Any],
        cut: CutTexts | None = None,
    ) -> Iterator[Any]:
        """See :meth:`predict_iter`; ``cut`` learns whether each text was cut."""
        size, chosen = check_batch_size(batch_size), check_backend(backend)
        candidates = as_texts(as_text_rows(texts, self.text_columns))
        self._require_trained()
        run, arguments = self._as_run(), {**self.predict_args, **predict_args}

        def predictions(some: Iterable[Any]) -> Iterator[Any]:
            engine = functools.partial(make_engine, run, chosen, size)
            return predict_texts(run, some, engine, arguments, cut)

        return with_memory_named(observed(run, candidates, size, predictions), size)

    def _prediction_rows(
        self,
        inputs: list[str],
        batch_size: int | None,
        backend: str | None,
        all_scores: bool,
        min_score: float | None,
        cut: CutTexts,
    ) -> list[dict[str, Any]]:
        """Return the columns of each text: what the task makes of its prediction, and ``truncated``."""
        begun, rows = len(cut.flags), []
        for number, prediction in enumerate(self._predict(inputs, batch_size, backend, {}, cut)):
            row = self.prediction_row(prediction, all_scores=all_scores, min_score=min_score)
            rows.append(
                row if "truncated" in row else {**row, "truncated": cut.flags[begun + number]}
            )
        return rows

    def predict_labels(
        self,
        texts: Any,
        batch_size: int | None = None,
        min_score: float | None = None,
        backend: str | None = None,
    ) -> list[Any]:
        """Return what is chosen for each text: a name, a list of names, or None for an abstention.

        Args:
            texts: as for :meth:`predict`.
            batch_size: as for :meth:`predict`.
            min_score: what a score has to reach to count; over what the run has learnt.
            backend: as for :meth:`predict`.
        """
        check_min_score(min_score)
        return [self.decide(each, min_score) for each in self.predict(texts, batch_size, backend)]

    def predict_frame(
        self,
        data: Any,
        text_column: str = "text",
        batch_size: int | None = None,
        all_scores: bool = False,
        min_score: float | None = None,
        backend: str | None = None,
    ) -> pd.DataFrame:
        """Return predictions as a frame on the same index.

        The columns are the task's, and ``truncated``: whether the text was longer than the model
        takes and was cut.

        Args:
            data: a frame, Dataset or path, as for :meth:`train`; only its texts are read.
            text_column: the column of texts; ``"text"`` stands for the task's ``text_columns``.
            batch_size: as for :meth:`predict`.
            all_scores: add the score of every label, for a task that has labels.
            min_score: what a score has to reach to count; over what the run has learnt.
            backend: as for :meth:`predict`.

        Raises:
            DataFormatError: there is no such column, or it has something else than texts.
        """
        import pandas as pd

        check_min_score(min_score)
        frame = to_frame(data)
        inputs = frame_inputs(frame, input_columns(self.text_columns, text_column))
        cut = CutTexts(frame.index.__getitem__)
        rows = self._prediction_rows(inputs, batch_size, backend, all_scores, min_score, cut)
        return pd.DataFrame(rows, index=frame.index)

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
    ) -> Path:
        """Predict every row of a file into another, in bounded memory, and return its path.

        Args:
            source: csv, tsv, jsonl or parquet.
            target: csv, tsv, jsonl or parquet; it appears when it is complete.
            text_column: the column of texts.
            columns: the input columns to carry through, default all.
            resume: continue what an interrupted call left.
            overwrite: replace an existing target.
            batch_size: as for :meth:`predict`.
            all_scores: add the score of every label, for a task that has labels.
            min_score: what a score has to reach to count; over what the run has learnt.
            backend: as for :meth:`predict`.

        Raises:
            RunExistsError: the target exists.
            DataFormatError: the source cannot be read, or lacks a column.
            ResumeError: source, run or arguments changed since the interrupted call.
        """
        from clx.ml.prediction.predict_file import predict_file

        self._require_trained()
        return predict_file(
            self._as_run(),
            Path(source),
            Path(target),
            text_column=text_column,
            columns=None if columns is None else list(columns),
            resume=resume,
            overwrite=overwrite,
            batch_size=check_batch_size(batch_size),
            all_scores=all_scores,
            min_score=check_min_score(min_score),
            backend=check_backend(backend),
        )

    def _as_run(self) -> Any:
        """Return the run that this is a part of, for modules that take a whole one."""
        return self
