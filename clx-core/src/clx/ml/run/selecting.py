"""Choose a base model and options by measurement."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clx.errors import ResumeError
from clx.ml.data.reading import reading_of
from clx.ml.data.task_frames import column_names
from clx.ml.machine.caller_state import caller_state_kept
from clx.ml.machine.collecting import new_garbage_only
from clx.ml.run.validating import ValidatingRun
from clx.ml.run_directory.layout import RunDir

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.results.outcome import TrainingResult
    from clx.ml.results.tuning import TuningResult
    from clx.ml.selection.candidates import Candidate
    from clx.ml.selection.tune import Found


class SelectingRun(ValidatingRun):
    """A run that measures which base model and which options suit the data."""

    if TYPE_CHECKING:
        train: Callable[..., TrainingResult]

    def compare_bases(
        self,
        data: Any,
        bases: Any = None,
        folds: int = 3,
        metric: str | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        *,
        text_column: str = "text",
        label_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> pd.DataFrame:
        """Return base models with their scores and costs on the data, the best first.

        Each base model reads the texts once. A linear layer is fitted to its features, and scored
        by cross-validation. Nothing is trained, and the run does not change. The features are kept
        in the cache folder, so that a second comparison only fits the linear layers.

        The columns are ``base``, the metric with ``_low`` and ``_high`` (its 95 % bootstrap
        interval), ``seconds_per_1000`` (the seconds in which the model reads 1,000 of the texts),
        and ``parameters``. ``frame.attrs["recommended"]`` is the fastest base whose score is within
        one standard error of the best. A base that cannot be measured is left out with a warning,
        and with its reason in ``frame.attrs["left_out"]``.

        Args:
            data: labeled data, as for :meth:`train`.
            bases: Hub ids, presets (``"small"``, ``"fast"``, ``"best"``, ``"multilingual"``),
                folders, and saved runs by name or directory. None stands for the run's base model
                and the presets.
            folds: the number of folds.
            metric: a metric of the task to compare by. None takes the accuracy, or ``f1_micro``
                for several labels per row; for imbalanced labels, the task's metric for these.
            group_column: as for :meth:`cross_validate`.
            time_column: as for :meth:`cross_validate`.
            text_column: as for :meth:`evaluate`.
            label_column: as for :meth:`evaluate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            ConfigError: an argument is wrong, or the task's model has no linear layer for labels.
            DataFormatError: the data is not in the task's format, or has too few rows.
            ModelNotFoundError: none of the base models can be found.
            ModelError: none of the base models can be measured.
        """
        from clx.ml.selection.bases import BasesRequest, compare_bases
        from clx.ml.splits.folds import FoldRequest
        from clx.ml.training.data import Data

        self._require_device()
        reading = reading_of(separator, encoding, header)
        with caller_state_kept(), new_garbage_only(), self._transaction(afresh=True):
            columns = column_names(self, text_column, label_column)
            source = Data(data, reading=reading, columns=columns)
            request = FoldRequest(source, folds, False, group_column, time_column)
            self._resolve_metrics()
            return compare_bases(self, BasesRequest(bases, request, metric), self._with_base)

    @contextlib.contextmanager
    def _with_base(self, candidate: Candidate) -> Iterator[None]:
        """Use another base model, with its own tokenizer, until the block ends."""
        with self._transaction(afresh=False):
            self.base_model_name, self.tokenizer_name = str(candidate.folder), None
            if candidate.is_run:
                # Its head is for other labels.
                self.model_args = {**self.model_args, "ignore_mismatched_sizes": True}
            yield

    def tune(
        self,
        train_data: Any,
        eval_data: Any = None,
        trials: int = 20,
        time_budget: str | float | None = "30m",
        space: Any = None,
        overwrite: bool = False,
        folds: int = 3,
        group_column: str | None = None,
        time_column: str | None = None,
        *,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
    ) -> TuningResult:
        """Try several values of the options, and train and publish the run with the best ones.

        The trials are kept in ``.<run_name>.tuning.db`` beside the run directory. If a tuning is
        killed or interrupted, the same call goes on with the trials that are missing. With other
        data, another space or other options, a tuning begins anew.

        Args:
            train_data: labeled data, as for :meth:`train`.
            eval_data: as for :meth:`train`; a trial is measured on it. Without it, a trial is
                measured on the rows that ``folds`` models did not see.
            trials: the number of trials, including those of an earlier call.
            time_budget: the time limit of the whole call, with the training of the published run:
                seconds, or text such as ``"30m"``; None for no limit.
            space: the values to try: a dict of options or training arguments, each with a list of
                values, ``(low, high)``, or ``(low, high, "log")``; or a function of an Optuna trial
                that returns ``{name: value}``. None chooses a space by the task and the data.
            overwrite: replace a trained run of this name.
            folds: the number of folds without eval data.
            group_column: as for :meth:`train`, or for the folds as for :meth:`cross_validate`.
            time_column: as for :meth:`train`, or for the folds as for :meth:`cross_validate`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.

        Raises:
            MissingDependencyError: Optuna is needed: ``pip install 'clx-core[optuna]'``.
            ConfigError: the space or another argument has a wrong name or value.
            RunExistsError: there is a trained run, and ``overwrite`` is not set.
            DataFormatError: the data is not in the task's format.
            TrainingError: no trial finished.
            RunBusyError: another process is training into this run.
        """
        from clx.ml.results.tuning import TuningResult
        from clx.ml.results.tuning_pages import TUNING
        from clx.ml.selection.tune import TuneRequest, check_tuning, search
        from clx.ml.selection.tune_again import untuned_options
        from clx.ml.training.data import Data

        self._refuse_if_student("tune()")
        reading = reading_of(separator, encoding, header)
        place, started = RunDir(self.run_dir), time.monotonic()
        data = Data(train_data, eval_data, group_column, time_column, reading)
        given = self._clx_state.given
        request = TuneRequest(data, trials, time_budget, space, folds, given, started)
        begun = check_tuning(self, place, request, overwrite)
        self._require_device()
        tuned = self._clx_state.made_with
        untuned = self._clx_state.untuned or untuned_options(
            self, tuned, self.results.get(TUNING), given
        )
        self._clx_state.made_with = untuned
        try:
            with caller_state_kept(), new_garbage_only(), self._transaction(afresh=True):
                self._resolve_metrics()
                found = search(self, place, request)
        finally:
            self._clx_state.made_with = tuned
        training = self._publish_found(found, untuned, overwrite, begun)
        seconds = time.monotonic() - started
        return TuningResult(**vars(found.tuning), training=training, seconds=seconds)

    def _publish_found(
        self, found: Found, untuned: Mapping[str, Any], overwrite: bool, begun: bool
    ) -> TrainingResult:
        """Train and publish the run with the best options, which it has from now on.

        Args:
            found: what the trials found.
            untuned: the options that the trials began with.
            overwrite: replace a trained run.
            begun: whether there is an unfinished training of this kind, to resume if it is the same.
        """
        from clx.ml.selection.tune import published
        from clx.ml.selection.tune_loop import interrupt_explained

        data, before, done = found.data, self._clx_state, False
        changed = {**untuned, **found.options}
        self._clx_state = replace(before, made_with=changed, notes=found.notes(untuned))
        how = {
            "overwrite": overwrite,
            "time_budget": found.time_budget,
            "group_column": data.group_column,
            "time_column": data.time_column,
            "separator": data.reading.separator,
            "encoding": data.reading.encoding,
            "header": data.reading.header,
        }
        try:
            with interrupt_explained(RunDir(self.run_dir)):
                try:
                    result = self.train(data.train_data, data.eval_data, resume=begun, **how)
                except ResumeError:
                    if not (begun and overwrite):
                        raise
                    result = self.train(data.train_data, data.eval_data, **how)
            done = True
        finally:
            if done:
                self._clx_state = replace(self._clx_state, untuned=untuned, notes={})
            else:
                made_with = before.made_with
                self._clx_state = replace(self._clx_state, made_with=made_with, notes={})
        published(RunDir(self.run_dir))
        return result
