"""``TrainingRun``: the object that users hold. Every verb is a call into one room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.data.reading import reading_of
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.plugins.calls import after_evaluation, after_training
from clx.ml.run.arguments import arguments_explained
from clx.ml.run.cascading import CascadingRun
from clx.ml.run.making import make_run
from clx.ml.run.saved import opener_of
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.students import is_student, refuse_student
from clx.ml.task.options import DEFAULT_BASE_MODEL, OPTIONS, argument_docs
from clx.ml.task.predicting import require_prediction

if TYPE_CHECKING:
    from clx.ml.prediction.onnx_export import ExportReport
    from clx.ml.results.outcome import TrainingResult
    from clx.ml.training.train import Request


class CheckedWhenMade(type):
    """Checks a run after its whole ``__init__``: authors set attributes after ``super()``."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Make a run and check it."""
        return make_run(TrainingRun, cls, super().__call__, args, options)


@arguments_explained
class TrainingRun(CascadingRun, metaclass=CheckedWhenMade):
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

    ``docs/reference/task-reference.md`` describes every attribute and method that a task may have.

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
        report_to: str | list[str] | None = None,
        device: str | None = None,
        metrics: Iterable[Any] | None = None,
        text_column: str | None = None,
        label_column: str | None = None,
        weight_column: str | None = None,
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
        tokenize_lazily: bool = False,
        trust_remote_code: bool = False,
        **config_attrs: Any,
    ) -> None:
        given = locals()
        super().__init__(run_name, {option.name: given[option.name] for option in OPTIONS})
        self._set_config_attrs(config_attrs)

    # ---- Training -----------------------------------------------------------------

    def train(
        self,
        train_data: Any,
        eval_data: Any = None,
        overwrite: bool = False,
        resume: bool = False,
        callbacks: Iterable[Any] | None = None,
        fine_tune: bool = True,
        time_budget: str | float | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        *,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> TrainingResult:
        """Fine-tune the base model and write the run directory.

        The run directory is replaced at the end, so a training that fails leaves an earlier run
        unchanged.

        Args:
            train_data: a DataFrame in the task's format, a table of pyarrow or polars, a
                ``datasets.Dataset``, a source (docs/how-to/data.md lists what may be read),
                or the id of a data set on the Hub. From a ``DatasetDict``, ``train`` reads the
                split ``train`` and, without ``eval_data``, ``validation``.
            eval_data: data of the same kinds, or the share of ``train_data`` to set aside, such as
                0.2, stratified by label. Training evaluates on it, and keeps the best model.
            overwrite: replace a trained run of this name.
            resume: continue an interrupted training from its newest complete checkpoint.
            callbacks: ``transformers.TrainerCallback`` objects or classes.
            fine_tune: False leaves the base model unchanged and fits its last layer only, in
                seconds; it needs ``head_init="probe"``.
            time_budget: the time limit of the whole call, in seconds or as text such as ``"5m"``. A
                measured step time determines the number of steps.
            group_column: with a share, the column of groups, each of which stays on one side.
            time_column: with a share, the column of times whose newest rows are set aside.
            separator: the character between the cells of a csv file.
            encoding: the encoding of a text file.
            header: False for a csv file without a row of names, or the names of its columns.

        Raises:
            ConfigError: the share is not between 0 and 1, or the columns do not fit it.
            RunExistsError: there is a trained run, and neither ``overwrite`` nor ``resume`` is set.
            DataFormatError: the data is not in the task's format, or ``strict_data`` has findings.
            ConfigError: a callback is not one, or the training arguments do not fit the data.
            MissingDependencyError: a tracker of ``report_to`` has no package.
            ModelNotFoundError: the base model cannot be found.
            ResumeError: there is nothing to resume, or it was started with other data or arguments.
            RunBusyError: another process is training into this run.
            MissingDependencyError: the run trains an adapter (``lora``) without PEFT.
            NotPublishedError: the written run does not open, or does not have the trained model.
        """
        self._refuse_if_student("train()")
        reading = reading_of(separator, encoding, header)
        refuse_existing(RunDir(self.run_dir), overwrite, resume)
        self._require_device()
        from clx.ml.training.data import Data
        from clx.ml.training.train import Request

        data = Data(train_data, eval_data, group_column, time_column, reading)
        notes = self._clx_state.notes
        request = Request(
            data, overwrite, resume, callbacks or (), fine_tune, time_budget, notes=notes
        )
        return self._trained(request)

    def _trained(self, request: Request, start: RunDir | None = None) -> TrainingResult:
        """Train and publish the run, use what was published, and call the plugins.

        Args:
            request: the arguments of the call.
            start: the trained run to start from, None for the base model.
        """
        from clx.ml.tracking.follow import followed
        from clx.ml.training.processes import RESUME, all_processes
        from clx.ml.training.train import train_run

        place = RunDir(self.run_dir)
        # Free an earlier model before new_garbage_only excludes it from garbage collection.
        self._clx_loaded.free()
        transaction = self._transaction(afresh=True, keep=True, start=start)
        together = all_processes(self, RESUME)
        with together, caller_state_kept(), new_garbage_only(), transaction:
            self._resolve_metrics()
            origin, opener = self._origin(), opener_of(TrainingRun, self)
            with followed(self, origin.made_with, request) as logged:
                result, config = train_run(self, place, logged, origin, opener)
            self._take_over(config)
        self._clx_loaded.opened(place)
        after_evaluation(self, result.evaluation)
        after_training(self, result)
        return result

    def export(
        self,
        kind: str = "onnx",
        texts: Iterable[Any] | None = None,
        int8: bool = True,
        *,
        to: str | Path | None = None,
        backend: str | None = None,
        overwrite: bool = False,
    ) -> ExportReport:
        """Export the trained model into the run for ONNX Runtime, in fp32 and with 8-bit weights.

        ``predict(..., backend="onnx")`` and ``"onnx-int8"`` use it without torch. Where ``openvino`` and
        ``nncf`` are installed, so do ``"openvino"`` and ``"openvino-int8"``. The export
        compares its predictions with torch's. It keeps the first quantization that makes at least
        99 % of torch's decisions, else the best one. Training again removes the export.

        Args:
            kind: ``"onnx"``.
            texts: typical texts (not a test split) to compare on; at most 500 are used. None uses
                sentences from Python's documentation.
            int8: whether to write a copy with 8-bit weights.
            to: also write one file with everything that ``clx_runtime.load`` needs, such as
                ``"model.clx.zip"``. A static student needs no export: for it, this only writes the file.
            backend: the model in that file; None takes ``"onnx-int8"`` if at least 99 % of its
                decisions are equal to those of torch, else ``"onnx"``.
            overwrite: replace an existing file.

        Raises:
            RunExistsError: the file ``to`` exists.
            MissingDependencyError: the extra is needed: ``pip install 'clx-core[onnx]'``.
            ExportError: the model, pipeline or tokenizer cannot be exported, or the exported
                model's scores differ.
            ConfigError: the run is a static student, and ``to`` is not given.
            RunBusyError: a training is writing into the run.
        """
        from clx.ml.prediction.archiving import archive_run, archive_student, checked_archive
        from clx.ml.prediction.onnx_export import Reference, check_export_kind, export_run

        require_prediction(self)
        directory = self._trained_directory()
        check_export_kind(kind)
        if is_student(directory):
            if to is None:
                refuse_student(directory, "export() without to=")
            assert to is not None
            return archive_student(directory, checked_archive(to, overwrite), backend)
        target = None if to is None else checked_archive(to, overwrite, backend)
        with only_writer(directory):
            reference = Reference(self.pipe, self.tokenizer)
            report = export_run(self, reference, directory, texts, int8)
            if target is not None:
                archive_run(directory, target, backend)
        self._clx_loaded.forget_exports()
        return report


# The table documents each option once, for this docstring and docs/reference/arguments.md.
TrainingRun.__doc__ = str(TrainingRun.__doc__).replace(
    "        **options: the options below.", argument_docs(indent=8)
)
