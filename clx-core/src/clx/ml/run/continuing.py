"""Train a run further."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.reading import reading_of
from clx.ml.run.editing import EditingRun
from clx.ml.run.making import named_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.students import refuse_student
from clx.ml.task.options import accepted_options, option_names

if TYPE_CHECKING:
    from clx.ml.evaluation.compare import Contender
    from clx.ml.results.continued import ContinuedTraining


class ContinuingRun(EditingRun):
    """A trained run that can be trained further."""

    def continue_training(
        self,
        more: Any,
        eval_data: Any = None,
        name: str | None = None,
        *,
        replay: Any = None,
        replay_rows: float | None = None,
        overwrite: bool = False,
        resume: bool = False,
        callbacks: Iterable[Any] | None = None,
        fine_tune: bool = True,
        time_budget: str | float | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        header: bool | Sequence[str] = True,
        **options: Any,
    ) -> ContinuedTraining:
        """Train this run further on more rows, as a new run; this run does not change.

        The training starts from the trained model and its head. Labels keep their order, and labels
        that only ``more`` has come after them. The options are those of this run.

        Args:
            more: the new rows, as for :meth:`train`.
            eval_data: as for :meth:`train`; a share is taken from all rows, the old ones included.
                Both runs are compared on it, and thresholds are fitted on it.
            name: the name of the new run, beside this one. None takes this run's name with the next
                number.
            replay: old rows to mix in, so that the model does not unlearn them.
            replay_rows: how many old rows: a number, or a share of them such as 0.3; None for all.
            overwrite: replace a trained run of this name, which may be this run.
            resume: continue an interrupted training of this call.
            callbacks: as for :meth:`train`.
            fine_tune: False leaves the trained model unchanged except for its last layer.
            time_budget: as for :meth:`train`.
            group_column: as for :meth:`train`.
            time_column: as for :meth:`train`.
            separator: as for :meth:`train`.
            encoding: as for :meth:`train`.
            header: as for :meth:`train`.
            **options: options of the new run that do not depend on the trained model, such as
                ``training_args`` and ``run_dir_parent``; docs/reference/continued-runs.md lists them.

        Returns:
            The result of the training, with the comparison of both runs.

        Raises:
            ConfigError: an option contradicts the trained model, or the arguments are wrong.
            NotTrainedError: there is no trained model.
            RunExistsError: there is a trained run of the new name.
            DataFormatError: the data is not in the task's format.
        """
        reading = reading_of(separator, encoding, header)
        self._require_ready()
        from clx.ml.continuing.options import Predecessor
        from clx.ml.continuing.rows import Replay
        from clx.ml.continuing.train import Continuation, prepared
        from clx.ml.results.continued import ContinuedTraining
        from clx.ml.training.data import Data
        from clx.ml.training.train import Request

        directory = RunDir(self.run_dir)
        refuse_student(directory, "continue_training()")
        identity = self._clx_loaded.same_identity(directory)
        predecessor = Predecessor(directory, directory.read_config(), option_names(self), identity)
        data = Data(more, eval_data, group_column, time_column, reading)
        request = Request(data, overwrite, resume, callbacks or (), fine_tune, time_budget)
        given = {key: value for key, value in options.items() if value is not None}
        continuation = Continuation(request, name, Replay(replay, replay_rows), given)
        run, request = prepared(predecessor, continuation, self._contender, self._made_like)
        run._require_device()
        result = run._trained(request, start=directory)
        assert isinstance(result, ContinuedTraining)
        return result

    def _contender(self) -> Contender:
        from clx.ml.evaluation.compare import Contender

        return Contender(self, self.tokenizer, self.model, self.run_dir)

    def _made_like(self, name: str, options: Mapping[str, Any]) -> Any:
        """Return a new run of this task, with the metrics and the device of this one."""
        make: Any = type(self)
        accepted = accepted_options(make)
        own: dict[str, Any] = {
            "metrics": list(self._clx_state.metric_sources) or None,
            "device": self._own_device(),
            "trust_remote_code": self.trust_remote_code or None,
        }
        values = {**{key: value for key, value in own.items() if value is not None}, **options}
        known = {key: value for key, value in values.items() if key in accepted}
        run = named_run(make, name, known)
        others = {key: value for key, value in values.items() if key not in accepted}
        if others:
            run._set_options(others)
            run._finish([], set(values))
        return run

    def _own_device(self) -> str | None:
        """Return the run's device, None if only its config names it and this machine lacks it."""
        stored = self._clx_state.stored_device
        return None if stored and self.device != "cpu" else self.device
