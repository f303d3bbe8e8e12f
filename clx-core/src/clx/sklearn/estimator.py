"""``ClxClassifier``: a run as an estimator of scikit-learn."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from clx.errors import DataFormatError, ModelError
from clx.ml import TrainingRun, task_registry, training_run
from clx.ml.data.texts import column_to_frame
from clx.ml.task.options import DEFAULT_BASE_MODEL, OPTIONS, accepted_options
from clx.problems import cell
from clx.sklearn.folder import TemporaryFolder, read_files, write_files
from clx.sklearn.parameters import parameters_explained, refuse_unknown
from clx.sklearn.targets import INDICATOR, LISTS, SINGLE, WEIGHTS, targets_of
from clx_runtime.objects import is_table

if TYPE_CHECKING:
    import pandas as pd

NOT_PARAMETERS = frozenset({"text_column", "label_column", "weight_column", "tokenize_lazily"})
"""Options of a run that the estimator lacks: ``X`` and ``y`` have no names, and are in memory."""


class ClxClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier with the interface of scikit-learn.

    ``X`` is a list, Series or array of texts; for a task with two text columns, rows of two texts. It
    may also be a frame with one column, or with the task's text columns. ``y`` has a class per
    text, or, for several labels per text, is a matrix of 0 and 1 or a list of lists of classes.

    Args:
        task: the task; None takes ``"classification"``, or ``"multi-label-classification"`` if ``y``
            has several labels per text.
        fine_tune: False fits only the last layer, in seconds.
        time_budget: the time limit of ``fit``, in seconds or as text such as ``"5m"``.
        eval_data: the share of the rows of ``fit`` to set aside for evaluation, such as 0.2. It is
            needed for early stopping, calibration and chosen thresholds. ``fit`` also takes rows for
            it, as ``eval_set=(X, y)``.
        random_state: the seed of the training, a ``RandomState``, or None for the task's default.
        verbose: whether to show progress bars.
        run_name: the name of the run directory; None makes a new name for each fit.
        overwrite: replace a trained run of this name.
        task_options: options of the task, such as ``{"thresholds": 0.3}``.
        run_dir_parent: the folder of the run directory. If this and ``run_name`` are None, the
            directory is a temporary one, which is removed with the estimator. A pickled estimator then
            contains its files; otherwise it refers to the directory.

    The other parameters are the options of :class:`clx.ml.TrainingRun`.

    Attributes:
        classes_: the classes, shape (classes,), in the order of ``predict_proba``.
        run_: the trained run.
        result_: what its ``train`` returned.
    """

    @parameters_explained
    def __init__(
        self,
        task: str | None = None,
        *,
        fine_tune: bool = True,
        time_budget: str | float | None = None,
        eval_data: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
        run_name: str | None = None,
        overwrite: bool = False,
        task_options: dict[str, Any] | None = None,
        run_dir_parent: str | Path | None = None,
        base_model_name: str | Path = DEFAULT_BASE_MODEL,
        tokenizer_name: str | Path | None = None,
        tokenize_args: dict[str, Any] | None = None,
        model_args: dict[str, Any] | None = None,
        training_args: dict[str, Any] | None = None,
        report_to: str | list[str] | None = None,
        device: str | None = None,
        metrics: Iterable[Any] | None = None,
        strict_data: bool = False,
        head_init: str | None = None,
        pooling: str | None = None,
        class_weights: str | dict[str, float] | None = None,
        label_texts: str | dict[str, str | list[str]] | None = "names",
        calibrate: bool | None = None,
        lora: bool | dict[str, Any] = False,
        lora_merge: bool = True,
        long_text: str = "truncate",
        window_pooling: str = "length",
        strict_length: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        given = dict(locals())
        for name in given.keys() - {"self"}:
            setattr(self, name, given[name])

    def set_params(self, **params: Any) -> ClxClassifier:
        """Set parameters.

        Raises:
            UnknownArgumentError: there is no such parameter; the message says what to write.
        """
        refuse_unknown(params, self._get_param_names())
        super().set_params(**params)
        return self

    def fit(
        self,
        X: Any,
        y: Any = None,
        eval_set: tuple[Any, Any] | None = None,
        sample_weight: Any = None,
    ) -> ClxClassifier:
        """Train a run.

        Args:
            X: texts, see the class.
            y: classes, see the class.
            eval_set: texts and classes to evaluate on, instead of ``eval_data``. They weigh the same.
            sample_weight: how much each row counts, shape (rows,); None weighs all rows equally. A
                row of weight 0 does not count.

        Raises:
            ConfigError: parameters are wrong; all are listed.
            DataFormatError: texts or classes are not valid.
            RunExistsError: there is a trained run of this name, and ``overwrite`` is False.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        kind, classes, labels = targets_of(y)
        if kind == SINGLE and len(classes) == 1:
            raise DataFormatError(
                f"y has 1 class, {cell(classes.tolist()[0])}, but a classifier needs at least two: add "
                f"rows of another class"
            )
        default = "classification" if kind == SINGLE else "multi-label-classification"
        task = task_registry[self.task or default]
        names = [str(name) for name in classes]
        frame = self._labeled(task, X, labels, kind)
        eval_data: Any = self.eval_data
        if eval_set is not None:
            eval_kind, _, eval_labels = targets_of(eval_set[1], classes)
            eval_data = self._labeled(task, eval_set[0], eval_labels, eval_kind)
        # A folder of an earlier fit lives until the new one is complete.
        folder = (
            TemporaryFolder() if self.run_dir_parent is None and self.run_name is None else None
        )
        options = self._options(task, names, folder)
        if sample_weight is not None:
            check_consistent_length(X, sample_weight)
            frame[WEIGHTS] = list(sample_weight)
            options["weight_column"] = WEIGHTS
        run = training_run(task.name, self._new_name(task), **options)
        self.result_ = run.train(
            frame,
            eval_data,
            overwrite=self.overwrite,
            fine_tune=self.fine_tune,
            time_budget=self.time_budget,
        )
        self.run_, self._folder, self._kind, self.classes_ = run, folder, kind, classes
        return self

    def predict(self, X: Any) -> Any:
        """Return the predicted class of each text; for several labels, in the form of ``y``.

        For one class per text it is the best one: ``min_score`` does not apply.
        """
        check_is_fitted(self, "run_")
        if self._kind == SINGLE:
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        place = {name: number for number, name in enumerate(self._names())}
        decisions = self.run_.predict_labels(self._texts(type(self.run_), X))
        chosen = np.zeros((len(decisions), len(place)), dtype=np.int64)
        for row, decided in enumerate(decisions):
            chosen[row, [place[name] for name in decided]] = 1
        if self._kind == INDICATOR:
            return chosen
        classes = self.classes_.tolist()
        return [[classes[label] for label in np.flatnonzero(row)] for row in chosen]

    def predict_proba(self, X: Any) -> Any:
        """Return the score of each class, shape (texts, classes), in the order of ``classes_``."""
        check_is_fitted(self, "run_")
        names = self._names()
        scores = self.run_.predict(self._texts(type(self.run_), X))
        rows = [[row[name] for name in names] for row in scores]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(names))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; for several labels, the share of texts with exactly the right ones."""
        check_is_fitted(self, "run_")
        predicted = self.predict(X)
        if self._kind == LISTS:
            binary = MultiLabelBinarizer().fit([*y, *predicted])
            y, predicted = binary.transform(y), binary.transform(predicted)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def _names(self) -> list[str]:
        """Return the names of the classes in the run.

        Raises:
            ModelError: the labels of the run were changed after the fit.
        """
        names = [str(name) for name in self.classes_]
        labels = [str(label) for label in getattr(self.run_, "label_names", None) or names]
        if sorted(names) != sorted(labels):
            raise ModelError(
                f"The labels of run_ were changed after the fit: classes_ has {', '.join(names)}, and "
                f"the run has {', '.join(labels)}. Use run_ itself, or fit again with the new names."
            )
        return names

    def _labeled(
        self, task: type[TrainingRun], X: Any, labels: list[Any], kind: str
    ) -> pd.DataFrame:
        """Return texts and labels in the task's format."""
        texts = self._texts(task, X)
        check_consistent_length(texts, labels)
        frame = column_to_frame(texts, task.text_columns)
        assert frame is not None
        own = task.label_column_names or (("label",) if kind == SINGLE else ("labels",))
        frame[own[0]] = labels
        return frame

    def _texts(self, task: type[TrainingRun], X: Any) -> list[Any]:
        """Return a text, or a row of texts, for each row of ``X``."""
        columns = task.text_columns
        if isinstance(X, str):
            raise DataFormatError("X must hold one text per row, but is one text: pass [text]")
        if is_table(X) and hasattr(X, "columns"):
            known = [name for name in columns if name in X.columns]
            wanted = known if len(known) == len(columns) else list(X.columns)
            if len(wanted) != len(columns):
                raise DataFormatError(
                    f"X has the columns {', '.join(map(str, X.columns))}: select the columns of texts, "
                    f"as many as {', '.join(columns)}"
                )
            X = X[wanted[0]] if len(columns) == 1 else X[wanted].to_numpy()
        if getattr(X, "ndim", 1) == 2 and X.shape[1] == len(columns):
            X = X[:, 0] if len(columns) == 1 else [tuple(row) for row in X]
        return [str(text) if isinstance(text, np.str_) else text for text in X]

    def _new_name(self, task: type[TrainingRun]) -> str:
        # Two fits in one second, or in two processes, must not share a name.
        fresh = f"{task.name}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        return fresh if self.run_name is None else self.run_name

    def _options(
        self, task: type[TrainingRun], names: list[str], folder: TemporaryFolder | None
    ) -> dict[str, Any]:
        wanted = [option.name for option in OPTIONS if option.name not in NOT_PARAMETERS]
        options = {name: getattr(self, name) for name in wanted}
        arguments: dict[str, Any] = {} if self.verbose else {"disable_tqdm": True}
        if self.random_state is not None:
            arguments["seed"] = int(check_random_state(self.random_state).randint(2**31 - 1))
        if self.training_args is None or isinstance(self.training_args, dict):
            options["training_args"] = {**arguments, **(self.training_args or {})}
        if folder is not None:
            options["run_dir_parent"] = folder.path
        if "label_names" in accepted_options(task):
            options["label_names"] = names
        return options | (self.task_options or {})

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if state.pop("_folder", None) is not None:
            state["_files"] = read_files(state.pop("run_").run_dir)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("_files", None)
        super().__setstate__(state)
        self._folder = None
        if files is not None:
            self._folder = TemporaryFolder()
            path = write_files(files, self._folder.path / self.result_.run_dir.name)
            self.run_ = training_run(load=path, device=self.device)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, False
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags

    def _more_tags(self) -> dict[str, Any]:
        # What scikit-learn 1.5 reads instead.
        return {"X_types": ["string"], "multilabel": True}
