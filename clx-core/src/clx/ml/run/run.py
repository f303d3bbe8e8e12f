"""``TrainingRun``: the methods that run a task, each a skeleton that calls one module a step.

What a task defines and overrides is in :mod:`clx.ml.task.task`, the ways to predict are in
:mod:`clx.ml.run.predicting`.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, NotTrainedError, PluginError
from clx.ml.data.frames import to_frame
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.model.embedded_model import MODEL as DEFAULT_BASE_MODEL
from clx.ml.plugins.calls import after_evaluation, after_training, report_sections
from clx.ml.run.loaded import Components
from clx.ml.run.options import CheckedWhenMade, RunOptions, plain_name
from clx.ml.run.predicting import Predicting
from clx.ml.run_directory.existing import refuse_existing
from clx.ml.run_directory.layout import REPORT, RunDir, writing
from clx.ml.task.quality_options import set_quality_options

if TYPE_CHECKING:
    import pandas as pd
    from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.prediction.onnx_export import ExportReport
    from clx.ml.results.comparison import Comparison
    from clx.ml.results.data_check import DataCheck
    from clx.ml.results.outcome import EvaluationResult, TrainingResult


class TrainingRun(Predicting, RunOptions, metaclass=CheckedWhenMade):
    """A task's model from data to predictions. Subclass it to write a task.

    ::

        class MyTrainingRun(TrainingRun):
            name = "my-custom-task"
            pipeline_args = {"task": "text-classification"}

            def validate_data_format(self, data):
                if "text" not in data.columns:
                    raise ValueError("there is no column 'text'")

            def load_model(self, model_name=None):
                return AutoModelForSequenceClassification.from_pretrained(model_name, **self.model_args)

            def tokenize(self, examples):
                return {**super().tokenize(examples), "labels": examples["label"]}

    and register it in the package's ``pyproject.toml``::

        [project.entry-points."clx.tasks"]
        my-custom-task = "my_package:MyTrainingRun"

    Attributes:
        name: the task's name. Required.
        aliases: other names of the task.
        dataset_cols: the columns that the model is fed, from what ``tokenize`` returns.
        add_config_attrs: extra ``__init__`` arguments that the config keeps. The attribute is the
            name with underscores; the value has to be JSON-serialisable when ``__init__`` is done.
            A class without an ``__init__`` of its own gets them as keyword arguments; their default
            is the class attribute of that name, else None.
        text_columns: the columns of texts (str) that a prediction is made from, one or two. With two,
            ``predict`` takes pairs, and the tokenizer and the pipeline get them as text and pair.
        pipeline_args: arguments of ``transformers.pipeline``, at least ``task``. Required.
        predict_args: arguments of each call of the pipeline.
        trainer_class: the Trainer to train with, for instance for a loss of its own.
        head_init: the default of that option: ``"probe"`` opts in to a head that begins as a linear
            model on the frozen features.
        pooling: the default of that option; ``"auto"`` opts in to the checkpoint's own pooling.
        calibrate: the default of that option.
        imbalanced_metric: a key of ``compute_metrics``, the higher the better, by which the best
            model is chosen when the labels of the training rows are imbalanced; else it is the loss.

    Args:
        run_name: one path component; None makes one from task and time.
        run_dir_parent: the folder of run directories, default ``LOCAL_DATA_DIR / "runs"``.
        base_model_name: Hub id or local folder of the model to fine-tune.
        tokenizer_name: Hub id or local folder, default the base model.
        tokenize_args: to the tokenizer, in training and in prediction.
        model_args: to ``from_pretrained``.
        training_args: to ``transformers.TrainingArguments``; names of transformers 4.57 are
            translated.
        device: where to predict, such as ``"cpu"`` or ``"cuda:1"``; default the best there is.
        metrics: more metrics, each the name of an ``evaluate`` metric (local script or Hub) or an
            object with ``compute(predictions=, references=)``. The config keeps their names only;
            a loaded run does not run them, since naming one loads its code.
        head_init: ``"probe"`` fits the model's last layer to the base model's features before the
            fine-tuning, ``"random"`` leaves it as it was loaded; default the task's.
        pooling: how tokens become the vector that the head reads: ``"mean"``, ``"cls"`` (the first
            token), ``"model"`` (as its class does), or ``"auto"``: as the checkpoint says it was
            trained, else what proves best; default the task's.
        class_weights: ``"balanced"``, or ``{label: weight}``, the weights of labels in the loss.
        label_texts: what says what the labels mean, as examples of them: ``"names"`` takes
            their names where these are words and fit the rows, ``{label: text or list of texts}``
            descriptions of one's own, None nothing; with one text column only.
        calibrate: divide the scores by the temperature that fits the eval data best; default the
            task's.
        long_text: what is done with texts that are longer than the model takes: ``"truncate"`` cuts
            them, ``"window"`` reads them whole, as overlapping windows (``tokenize_args={"stride":
            ...}`` tokens, default an eighth) whose logits are pooled, in training, evaluation and
            prediction; :attr:`pipe` cuts them all the same.
        window_pooling: ``"length"``, the mean weighted by tokens, ``"mean"``, or ``"max"``.
        strict_length: texts that would be cut are an error instead of a warning.
        strict_data: stop before a training when the check of the data finds anything, instead of
            warning; see :meth:`check`.
        trust_remote_code: run the Python code that a base model brings. Never kept in the config.

    Raises:
        ConfigError: options with wrong names or values; all are listed.
        PluginError: the class is not a valid task.
    """

    def __init__(
        self,
        run_name: str | None = None,
        *,
        run_dir_parent: str | Path | None = None,
        base_model_name: str | Path = DEFAULT_BASE_MODEL,
        tokenizer_name: str | Path | None = None,
        tokenize_args: dict[str, Any] | None = None,
        model_args: dict[str, Any] | None = None,
        training_args: dict[str, Any] | None = None,
        device: str | None = None,
        metrics: Iterable[Any] | None = None,
        head_init: str | None = None,
        pooling: str | None = None,
        class_weights: str | dict[str, float] | None = None,
        label_texts: str | dict[str, str | list[str]] | None = "names",
        calibrate: bool | None = None,
        long_text: str = "truncate",
        window_pooling: str = "length",
        strict_length: bool = False,
        strict_data: bool = False,
        trust_remote_code: bool = False,
        **config_attrs: Any,
    ) -> None:
        self._set_place(run_name, run_dir_parent)
        self.base_model_name = plain_name(base_model_name)
        self.tokenizer_name = plain_name(tokenizer_name)
        self.tokenize_args = {} if tokenize_args is None else tokenize_args
        self.model_args = {} if model_args is None else model_args
        self.training_args = {} if training_args is None else training_args
        self.device = device
        self._set_metrics(metrics)
        set_quality_options(
            self,
            class_weights,
            label_texts,
            head_init=head_init,
            pooling=pooling,
            calibrate=calibrate,
        )
        self.long_text = long_text
        self.window_pooling = window_pooling
        self.strict_length = strict_length
        self.strict_data = strict_data
        self.trust_remote_code = trust_remote_code
        self._set_config_attrs(config_attrs)
        self._components = Components(self)

    # ---- Running ---------------------------------------------------------------------------------

    def train(
        self,
        train_data: Any,
        eval_data: Any = None,
        overwrite: bool = False,
        resume: bool = False,
        callbacks: Iterable[Any] | None = None,
        fine_tune: bool = True,
        time_budget: str | float | None = None,
    ) -> TrainingResult:
        """Fine-tune the base model and write the run directory.

        The run directory is replaced when everything is done: a training that fails leaves the
        earlier run as it was.

        Args:
            train_data: a DataFrame in the task's format, a ``datasets.Dataset``, or a path to csv,
                tsv, jsonl or parquet (also a folder or glob).
            eval_data: of the same kinds; it is evaluated during training and the best model kept.
            overwrite: replace a trained run of this name.
            resume: continue a training that was broken off, from its newest complete checkpoint.
            callbacks: ``transformers.TrainerCallback`` objects or classes.
            fine_tune: False keeps the base model as it is and fits its last layer only, which takes
                seconds; it needs ``head_init="probe"``.
            time_budget: the time that all of this may take, in seconds or such as ``"5m"``: what a
                step takes is measured, and so many are made as fit.

        Raises:
            RunExistsError: there is a trained run, and neither ``overwrite`` nor ``resume``.
            DataFormatError: the data is not in the task's format, or has findings and the run is
                ``strict_data``.
            ModelNotFoundError: the base model cannot be had.
            ResumeError: nothing to resume, or it was begun with other data or arguments.
            RunBusyError: another process is training into this run.
        """
        refuse_existing(RunDir(self.run_dir), overwrite, resume)
        from clx.ml.training.train import train_run

        self._restore_constructed()
        self._components.free()
        with new_garbage_only():
            try:
                result = train_run(
                    self,
                    train_data,
                    eval_data,
                    overwrite,
                    resume,
                    tuple(callbacks or ()),
                    fine_tune=fine_tune,
                    time_budget=time_budget,
                )
            except BaseException:
                self._restore_constructed()
                if self._was_opened:
                    self._adopt_saved()
                raise
            finally:
                self._components.release()
        self._components.opened(RunDir(self.run_dir))
        self._adopted = True
        after_evaluation(self, result.evaluation)
        after_training(self, result)
        return result

    def check(self, train_data: Any, eval_data: Any = None) -> DataCheck:
        """Return what is to be known about the data before a training; nothing is trained.

        Found are texts of eval data that are (nearly) in the training data too, equal texts with
        different labels, repeated rows, labels with few or no rows, empty texts, and texts that are
        cut with the share of tokens that is lost. ``train`` makes the same check and warns;
        ``strict_data=True`` makes it stop.

        Raises:
            DataFormatError: the data is not in the task's format.
            ModelNotFoundError: the tokenizer cannot be had.
        """
        from clx.ml.training.train import check_run_data

        options = copy.deepcopy(self._options())
        self._restore_constructed()
        self._components.forget()
        try:
            return check_run_data(self, train_data, eval_data)
        finally:
            for name, value in options.items():
                setattr(self, name, value)
            self._components.release()

    def find_label_errors(self, data: Any, folds: int = 5, top: int | None = None) -> pd.DataFrame:
        """Return the rows whose labels look wrong, the most suspicious first; nothing is trained.

        Each row is judged by linear models on the base model's features that have not seen it
        (confident learning). The columns are ``text``, ``given``, ``suggested`` and ``score``, the
        probability of what was given; the index is the data's.

        Args:
            data: labelled, as for :meth:`train`.
            folds: into how many parts it is cut, each judged by what the others teach.
            top: return so many rows, whether they are suspicious or not; None for those that are.

        Raises:
            DataFormatError: the data is not in the task's format, or has too few rows.
            ConfigError: the task's model has no linear layer for labels.
        """
        from clx.ml.training.train import label_errors

        options = copy.deepcopy(self._options())
        self._components.forget()
        try:
            return label_errors(self, data, folds, top)
        finally:
            for name, value in options.items():
                setattr(self, name, value)
            self._components.release()

    def evaluate(self, data: Any) -> EvaluationResult:
        """Return the metrics of the trained model on labelled data; nothing is written.

        Raises:
            NotTrainedError: there is no trained model.
            DataFormatError: the data is not in the task's format.
        """
        from clx.ml.evaluation.evaluate import evaluate_predictions, predict_frame_rows

        self._require_trained()
        frame = to_frame(data)
        self._validate_frame(frame, "data")
        evaluation = evaluate_predictions(self, frame, predict_frame_rows(self, frame))
        after_evaluation(self, evaluation)
        return evaluation

    def compare(self, other: TrainingRun, data: Any) -> Comparison:
        """Return how another trained run of the same task and labels does on the same rows.

        The result has both runs' metrics with the paired bootstrap difference, McNemar's test, and
        the rows that the other run fixes and breaks; ``save(folder)`` writes them with a report.

        Raises:
            ConfigError: the runs are of different tasks or have different labels.
            NotTrainedError: one of them has no trained model.
        """
        from clx.ml.evaluation.compare import compare_runs

        self._require_trained()
        other._require_trained()
        frame = to_frame(data)
        self._validate_frame(frame, "data")
        return compare_runs(self, other, frame)

    def report(self, target: str | Path | None = None, data: Any = None) -> Path:
        """Write ``report.html``, one file that needs no network, and return its path.

        Args:
            target: a file, or a folder to write ``report.html`` into; default the run directory.
            data: labelled data to evaluate on, as for :meth:`evaluate`; default what the training
                found on its eval data.

        Raises:
            NotTrainedError: there is no trained model.
            RunDirError: the target cannot be written.
        """
        from clx.ml.results.pages import run_report

        self._require_trained()
        evaluation = None if data is None else self.evaluate(data)
        path = self.run_dir if target is None else Path(target)
        path = path if path.suffix == ".html" else path / REPORT
        page = run_report(
            RunDir(self.run_dir),
            None if evaluation is None else evaluation.to_dict(),
            report_sections(self, evaluation),
        )
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
        return path

    def export(
        self, kind: str = "onnx", texts: Iterable[Any] | None = None, int8: bool = True
    ) -> ExportReport:
        """Write the trained model for ONNX Runtime into the run, in fp32 and with weights of int8.

        ``predict(..., backend="onnx")`` and ``"onnx-int8"`` use it, without torch. Its answers are
        compared with torch's; of several ways to make eight bits, the first is taken that decides
        at least 99 % of the texts like torch, else the best one. Training anew removes the export.

        Args:
            kind: ``"onnx"``.
            texts: some that the run is for (not a test split), to compare on; at most 500 are
                used. None takes sentences from Python's documentation.
            int8: whether to write the copy with weights of eight bits.

        Raises:
            MissingDependencyError: the extra is needed: ``pip install 'clx-core[onnx]'``.
            ExportError: the model, pipeline or tokenizer cannot be exported, or computes something
                else there.
            RunBusyError: a training writes into the run.
        """
        from clx.ml.prediction.onnx_export import export_run
        from clx.ml.run_directory.lock import only_writer

        self._require_trained()
        with only_writer(RunDir(self.run_dir)):
            report = export_run(self, kind, texts, int8)
        self._components.forget_exports()
        return report

    # ---- What a run has --------------------------------------------------------------------------

    @property
    def run_dir(self) -> Path:
        """Where the run is or will be."""
        return self._run_dir

    @property
    def extra_dir(self) -> Path:
        """The folder of the files that the task's ``save_extra`` wrote; it may not exist."""
        return RunDir(self.run_dir).extra

    @property
    def is_trained(self) -> bool:
        """Whether there is a trained model in the run directory."""
        return RunDir(self.run_dir).is_complete()

    @property
    def config(self) -> Mapping[str, Any]:
        """What ``config.json`` holds, or will hold: read-only."""
        return types.MappingProxyType(copy.deepcopy(self._config_to_save()))

    @property
    def results(self) -> Mapping[str, Any]:
        """What ``results.json`` holds; empty before training."""
        return types.MappingProxyType(RunDir(self.run_dir).read_results())

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer: of the trained run, else of the base model."""
        return self._components.tokenizer

    @property
    def model(self) -> PreTrainedModel:
        """The trained model in evaluation mode, loaded at first use."""
        return self._components.model

    @property
    def pipe(self) -> Pipeline:
        """The Hugging Face pipeline; its tokenizer truncates and has ``tokenize_args`` bound."""
        return self._components.pipe

    def extra_metrics(
        self, references: Any, predictions: Any, taken: Iterable[str] = ()
    ) -> dict[str, float]:
        """Return what the user's ``metrics`` give, for a task's ``compute_metrics``.

        Args:
            references: label ids, shape (rows,), or 0 and 1, shape (rows, labels), or tags by row.
            predictions: likewise.
            taken: names that the task's own metrics have.

        Raises:
            PluginError: a metric failed; the message names it.
        """
        self._resolve_metrics()
        if not self._metrics_resolved:
            return {}
        from clx.ml.evaluate_metrics import compute_extra

        return compute_extra(self._metrics_resolved, references, predictions, tuple(taken))

    def __repr__(self) -> str:
        state = "trained" if self.is_trained else "not trained"
        return (
            f"<{type(self).__name__} {self.name!r} run {self.run_name!r}, {state}: {self.run_dir}>"
        )

    # ---- Skeleton --------------------------------------------------------------------------------

    def _validate_frame(self, frame: pd.DataFrame, what: str) -> None:
        """Run the task's validation and say which data it was about."""
        try:
            self.validate_data_format(frame)
        except PluginError:
            raise
        except Exception as error:
            raise DataFormatError(f"{what}: {error}") from error

    def _require_trained(self) -> None:
        if not self.is_trained:
            raise NotTrainedError(
                f"The run {self.run_name!r} is not trained ({self.run_dir}). Call run.train(data) "
                f"first, or open a trained run with training_run(load=...)."
            )
        self._adopt_saved()
