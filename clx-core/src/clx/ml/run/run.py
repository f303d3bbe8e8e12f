"""``TrainingRun``: the object that users hold. Every verb is a call into one room."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.data.frames import to_frame
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.plugins.calls import after_evaluation, after_training, report_sections
from clx.ml.run.making import make_run
from clx.ml.run.predicting import PredictingRun
from clx.ml.run_directory.files import writing
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import REPORT, RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.task.author_code import validate_frame
from clx.ml.task.options import DEFAULT_BASE_MODEL, OPTIONS, argument_docs

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.prediction.onnx_export import ExportReport
    from clx.ml.results.comparison import Comparison
    from clx.ml.results.data_check import DataCheck
    from clx.ml.results.outcome import EvaluationResult, TrainingResult


class CheckedWhenMade(type):
    """Checks a run after its whole ``__init__``: authors set attributes after ``super()``."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Make a run and check it."""
        return make_run(TrainingRun, cls, super().__call__, args, options)


class TrainingRun(PredictingRun, metaclass=CheckedWhenMade):
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

    ``docs/task-reference.md`` describes every attribute and method that a task may have.

    Args:
        run_name: one path component; None makes a name from the task and the time.
        **options: the options below.

    Raises:
        ConfigError: options have wrong names or values; all are listed.
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
        strict_data: bool = False,
        head_init: str | None = None,
        pooling: str | None = None,
        class_weights: str | dict[str, float] | None = None,
        label_texts: str | dict[str, str | list[str]] | None = "names",
        calibrate: bool | None = None,
        long_text: str = "truncate",
        window_pooling: str = "length",
        strict_length: bool = False,
        trust_remote_code: bool = False,
        **config_attrs: Any,
    ) -> None:
        given = locals()
        super().__init__(run_name, {option.name: given[option.name] for option in OPTIONS})
        self._set_config_attrs(config_attrs)

    # ---- Training and evaluation -----------------------------------------------------------------

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

        The run directory is replaced at the end, so a training that fails leaves an earlier run
        unchanged.

        Args:
            train_data: a DataFrame in the task's format, a ``datasets.Dataset``, or a path to csv,
                tsv, jsonl or parquet (also a folder or glob).
            eval_data: data of the same kinds. Training evaluates on it, and keeps the best model.
            overwrite: replace a trained run of this name.
            resume: continue an interrupted training from its newest complete checkpoint.
            callbacks: ``transformers.TrainerCallback`` objects or classes.
            fine_tune: False leaves the base model unchanged and fits its last layer only, in
                seconds; it needs ``head_init="probe"``.
            time_budget: the time limit of the whole call, in seconds or as text such as ``"5m"``. A
                measured step time determines the number of steps.

        Raises:
            RunExistsError: there is a trained run, and neither ``overwrite`` nor ``resume`` is set.
            DataFormatError: the data is not in the task's format, or has findings and the run has
                ``strict_data``.
            ModelNotFoundError: the base model cannot be found.
            ResumeError: there is nothing to resume, or it was started with other data or arguments.
            RunBusyError: another process is training into this run.
        """
        place = RunDir(self.run_dir)
        refuse_existing(place, overwrite, resume)
        self._require_device()
        from clx.ml.training.train import Request, train_run

        request = Request(
            train_data, eval_data, overwrite, resume, tuple(callbacks or ()), fine_tune, time_budget
        )
        # Free an earlier model before new_garbage_only excludes it from garbage collection.
        self._clx_loaded.free()
        with caller_state_kept(), new_garbage_only(), self._transaction(afresh=True, keep=True):
            self._resolve_metrics()
            result, config = train_run(self, place, request, self._origin())
            self._take_over(config)
        self._clx_loaded.opened(place)
        after_evaluation(self, result.evaluation)
        after_training(self, result)
        return result

    def check(self, train_data: Any, eval_data: Any = None) -> DataCheck:
        """Return findings about the data, such as leaked texts; nothing is trained.

        The check finds eval texts that are also (nearly) in the training data, equal texts with
        different labels, repeated rows, labels with few or no rows, empty texts, and truncated
        texts with the share of lost tokens. ``train`` runs the same check and warns; with
        ``strict_data=True`` it raises an error.

        Raises:
            DataFormatError: the data is not in the task's format.
            ModelNotFoundError: the tokenizer cannot be found.
        """
        from clx.ml.training.data import check_run_data

        with caller_state_kept(), self._transaction(afresh=True):
            return check_run_data(self, train_data, eval_data)

    def find_label_errors(self, data: Any, folds: int = 5, top: int | None = None) -> pd.DataFrame:
        """Return the rows whose labels look wrong, the most suspicious first; nothing is trained.

        Linear models on the base model's features score rows that they were not fitted to
        (confident learning). The columns are ``text``, ``given``, ``suggested`` and ``score``, the
        probability of the given label; the index is the data's.

        Args:
            data: labeled data, as for :meth:`train`.
            folds: the number of parts, each scored by models fitted to the others.
            top: the number of rows to return, suspicious or not; None for all suspicious rows.

        Raises:
            DataFormatError: the data is not in the task's format, or has too few rows.
            ConfigError: the task's model has no linear layer for labels.
        """
        from clx.ml.training.data import label_errors

        self._require_device()
        with caller_state_kept(), self._transaction(afresh=False):
            # Each text counts as one row, scored by its beginning.
            self.long_text, self.strict_length = "truncate", False
            return label_errors(self, data, folds, top)

    def evaluate(self, data: Any) -> EvaluationResult:
        """Return the metrics of the trained model on labeled data; nothing is written.

        Raises:
            NotTrainedError: there is no trained model.
            DataFormatError: the data is not in the task's format.
        """
        from clx.ml.evaluation.evaluate import evaluate

        self._require_ready()
        frame = self._labeled_frame(data)
        with caller_state_kept():
            evaluation = evaluate(self, self.tokenizer, self.model, frame, self.run_dir)
        after_evaluation(self, evaluation)
        return evaluation

    def compare(self, other: TrainingRun, data: Any) -> Comparison:
        """Return a comparison with another trained run of the same task and labels.

        The result has both runs' metrics with their paired bootstrap difference, McNemar's test,
        and the rows that the other run fixes or breaks; ``save(folder)`` writes them with a report.

        Raises:
            ConfigError: the runs are of different tasks or have different labels.
            NotTrainedError: one of the runs has no trained model.
        """
        from clx.ml.evaluation.compare import Contender, compare_runs, refuse_unlike

        for run in (self, other):
            run._require_ready()
        frame = self._labeled_frame(data)
        refuse_unlike(self, other)
        one, two = (Contender(run, run.tokenizer, run.model, run.run_dir) for run in (self, other))
        with caller_state_kept():
            return compare_runs(one, two, frame)

    def report(self, target: str | Path | None = None, data: Any = None) -> Path:
        """Write ``report.html``, one file that needs no network, and return its path.

        Args:
            target: a file, or a folder to write ``report.html`` into; by default the run directory.
            data: labeled data to evaluate on, as for :meth:`evaluate`; by default the report shows
                the evaluation at the end of training.

        Raises:
            NotTrainedError: there is no trained model.
            RunDirError: the target cannot be written.
        """
        from clx.ml.results.pages import run_report

        self._require_trained()
        evaluation = None if data is None else self.evaluate(data)
        path = self.run_dir if target is None else Path(target)
        path = path if path.suffix == ".html" else path / REPORT
        figures = None if evaluation is None else evaluation.to_dict()
        page = run_report(RunDir(self.run_dir), figures, report_sections(self, evaluation))
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
        return path

    def export(
        self, kind: str = "onnx", texts: Iterable[Any] | None = None, int8: bool = True
    ) -> ExportReport:
        """Export the trained model into the run for ONNX Runtime, in fp32 and with 8-bit weights.

        ``predict(..., backend="onnx")`` and ``"onnx-int8"`` use it without torch. The export
        compares its predictions with torch's. It keeps the first quantization that makes at least
        99 % of torch's decisions, else the best one. Training again removes the export.

        Args:
            kind: ``"onnx"``.
            texts: typical texts (not a test split) to compare on; at most 500 are used. None uses
                sentences from Python's documentation.
            int8: whether to write a copy with 8-bit weights.

        Raises:
            MissingDependencyError: the extra is needed: ``pip install 'clx-core[onnx]'``.
            ExportError: the model, pipeline or tokenizer cannot be exported, or the exported
                model's scores differ.
            RunBusyError: a training is writing into the run.
        """
        from clx.ml.prediction.onnx_export import Reference, check_export_kind, export_run

        directory = self._trained_directory()
        check_export_kind(kind)
        with only_writer(directory):
            reference = Reference(self.pipe, self.tokenizer)
            report = export_run(self, reference, directory, texts, int8)
        self._clx_loaded.forget_exports()
        return report

    def _labeled_frame(self, data: Any) -> pd.DataFrame:
        frame = to_frame(data)
        validate_frame(self, frame, "data")
        return frame


# The table documents each option once, for this docstring and docs/arguments.md.
TrainingRun.__doc__ = str(TrainingRun.__doc__).replace(
    "        **options: the options below.", argument_docs(indent=8)
)
