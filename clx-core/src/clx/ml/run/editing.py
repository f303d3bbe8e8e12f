"""Changes to a trained run that need no training."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.frames import VALIDATION
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names, validated_frame
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.plugins.calls import after_evaluation
from clx.ml.run.saved import opener_of
from clx.ml.run.selecting import SelectingRun
from clx.ml.run_directory.config import learned_of
from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.task.options import option_names, options_of_task

if TYPE_CHECKING:
    from clx.ml.results.decisions import DecisionChange
    from clx.ml.results.outcome import TrainingResult


class EditingRun(SelectingRun):
    """A trained run whose decisions and label names can be changed."""

    def set_decisions(
        self,
        *,
        on: Any = None,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
        **decisions: Any,
    ) -> DecisionChange:
        """Set how the trained model's scores become decisions, and save it, without a training.

        The run directory is replaced as a whole, and ``results.json`` keeps the history. An ONNX
        export stays valid, because it has scores only.

        Args:
            on: labeled data, as for :meth:`evaluate`, to choose decisions on that are not given,
                and to evaluate the new ones. Without ``decisions``, it chooses them again.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.
            **decisions: the task's decision options. Classification has ``min_score`` and
                ``target_accuracy``. Several labels have ``thresholds``, ``threshold_objective`` and
                ``threshold_target``; thresholds by name leave those of other labels as they are.

        Returns:
            The old and the new decisions and, with ``on``, the metrics under both.

        Raises:
            ConfigError: the task has no such decision, a value is not valid, or ``on`` is needed.
            NotTrainedError: there is no trained model.
            RunBusyError: another process is writing into the run.
            RunDirError: the run was replaced since it was opened, is damaged, or is a download from
                the Hub.
        """
        from clx.ml.editing.decisions import LabeledRows, check_decisions, set_decisions

        reading = reading_of(separator, encoding, header)
        directory = self._changeable_directory()
        check_decisions(self, decisions, on is not None)
        rows = None
        if on is not None:
            from clx.ml.evaluation.evaluate import predict_frame_rows
            from clx.ml.evaluation.learned import learned_rows, warn_of_learned

            self._require_ready()
            columns = column_names(self, text_column, label_column)
            frame = validated_frame(self, on, "on", reading, columns, VALIDATION)
            learned = learned_rows(self, directory, frame)
            warn_of_learned([learned], len(frame))
            with caller_state_kept():
                predicted = predict_frame_rows(self, self.tokenizer, self._scorer(), frame)
            rows = LabeledRows(frame, predicted, learned.count)
        # Without data, nothing random happens, and torch need not be imported.
        kept = contextlib.nullcontext() if rows is None else caller_state_kept()
        with kept, only_writer(directory):
            self._clx_loaded.require_same(directory)
            opener = opener_of(EditingRun, self)
            change, config = set_decisions(self, directory, decisions, rows, opener)
            self._take_over_edited(config)
        if change.evaluation is not None:
            after_evaluation(self, change.evaluation)
        return change

    def rename_labels(self, renamed: Mapping[Any, Any]) -> list[str]:
        """Give labels of the trained run new names, in all of its files at once, without a training.

        Scores and their order stay the same. Names may be exchanged: ``{"a": "b", "b": "a"}``. Data
        for later calls must have the new names.

        Args:
            renamed: old name → new name, for the labels that get one.

        Returns:
            The new label names, in order.

        Raises:
            ConfigError: names are unknown, repeated or not valid, or the task does not say where it
                keeps label names.
            ModelError: the model has other labels than the run.
            NotTrainedError: there is no trained model.
            RunBusyError: another process is writing into the run.
            RunDirError: the run was replaced since it was opened, is damaged, or is a download from
                the Hub.
        """
        from clx.ml.editing.names import label_names_of_run
        from clx.ml.editing.rename import rename_labels

        directory = self._changeable_directory()
        with only_writer(directory):
            self._clx_loaded.require_same(directory)
            config = rename_labels(self, directory, renamed, opener_of(EditingRun, self))
            self._clx_loaded.free()
            self._take_over_edited(config)
        return label_names_of_run(self)

    def merge_labels(
        self,
        groups: Mapping[Any, Sequence[Any]],
        data: Any,
        eval_data: Any = None,
        *,
        group_column: str | None = None,
        time_column: str | None = None,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> TrainingResult:
        """Merge several labels into one, and fit the last layer again; the rest of the model stays.

        The new layer is a probe on the features of the trained model. It is calibrated, and
        decisions are chosen, on the eval data. The run directory is replaced at the end. An ONNX
        export is removed, because it has the old labels.

        Args:
            groups: new name → the labels that it stands for, such as ``{"pet": ["cat", "dog"]}``. A
                merged label takes the place of the first of them.
            data: labeled data, as for :meth:`train`, with the old names or with the new ones. It
                needs rows of every label that no ``label_texts`` describe.
            eval_data: as for :meth:`train`. None leaves the run without metrics.
            group_column: as for :meth:`train`.
            time_column: as for :meth:`train`.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: names are unknown, in two groups or not valid.
            DataFormatError: the data is not in the task's format, or lacks rows of a label.
            ModelError: no linear layer computes the model's scores.
            NotTrainedError: there is no trained model.
            RunBusyError: another process is writing into the run.
            RunDirError: the run was replaced since it was opened, is damaged, or is a download from
                the Hub.
        """
        from clx.ml.editing.merge import MergeRequest, merge_labels
        from clx.ml.training.data import Data

        reading = reading_of(separator, encoding, header)
        directory = self._changeable_directory()
        self._require_ready()
        columns = column_names(self, text_column, label_column)
        source = Data(data, eval_data, group_column, time_column, reading, columns)
        with caller_state_kept(), only_writer(directory):
            self._clx_loaded.require_same(directory)
            request = MergeRequest(groups, source)
            opener = opener_of(EditingRun, self)
            result, config = merge_labels(self, directory, self.tokenizer, request, opener)
            self._clx_loaded.free()
            self._take_over_edited(config)
        if result.evaluation is not None:
            after_evaluation(self, result.evaluation)
        return result

    def _changeable_directory(self) -> RunDir:
        directory = self._trained_directory()
        refuse_downloaded(directory)
        return directory

    def _take_over_edited(self, config: Mapping[str, Any]) -> None:
        """Adopt the changed run; a new training starts with its options too."""
        self._take_over(config)
        learned = {k: v for k, v in learned_of(config).items() if k in option_names(self)}
        self._clx_state.made_with = copy.deepcopy({**options_of_task(self), **learned})
        self._clx_loaded.opened(self._trained_directory())
