"""Continue a published run: the new run and its training, which compares both runs at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, RunDirError
from clx.ml.continuing.compare import Opponents, compare_continued
from clx.ml.continuing.disk_rows import joined_on_disk
from clx.ml.continuing.options import LABEL_LISTS, Predecessor, fresh_name, new_options
from clx.ml.continuing.rows import JoinedRows, Readers, Replay, all_labels, joined_rows
from clx.ml.data.frames import training_sources
from clx.ml.data.holdout.arguments import seed_of
from clx.ml.data.task_frames import validated_frame
from clx.ml.evaluation.compare import Contender
from clx.ml.model.lora.base import require_lasting_base
from clx.ml.results.continued import ContinuedTraining
from clx.ml.results.outcome import TrainingResult
from clx.ml.run_directory.downloaded import parent_for_next
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.training.earlier import Earlier, Finished
from clx.ml.training.train import Request
from clx.ml.training.training_data import refuse_share

if TYPE_CHECKING:
    from clx.ml.task.task import Task
    from clx.ml.training.data import Data

Make = Callable[[str, Mapping[str, Any]], Any]
"""Makes a run of the task, from its name and its options."""


@dataclass(frozen=True)
class Continuation:
    """The arguments of ``continue_training``, which describes them.

    Attributes:
        request: the arguments that ``train`` has too.
        name: the name of the new run.
        replay: the old rows to mix in.
        options: the options of the new run that are given anew.
    """

    request: Request
    name: str | None = None
    replay: Replay = field(default_factory=Replay)
    options: Mapping[str, Any] = field(default_factory=dict)


def prepared(
    predecessor: Predecessor,
    continuation: Continuation,
    load: Callable[[], Contender],
    make: Make,
) -> tuple[Any, Request]:
    """Return the new run and the request to train it; see ``TrainingRun.continue_training``.

    Args:
        predecessor: the run to continue.
        continuation: the arguments of the call.
        load: returns the run with its model.
        make: makes the new run.

    Returns:
        The run, and the request; its result is a :class:`ContinuedTraining`.
    """
    request, replay = continuation.request, continuation.replay
    replay.check()
    given = dict(continuation.options)
    if "label_columns" in given:
        given.setdefault("label_names", list(given["label_columns"]))
    options = new_options(predecessor, given)
    parent = Path(options.pop("run_dir_parent", parent_for_next(predecessor.directory)))
    name = _name(predecessor, continuation, parent)
    options["run_dir_parent"] = parent
    known = make(name, {**options, **predecessor.learned, **given})
    refuse_existing(RunDir(known.run_dir), request.overwrite, request.resume)
    if request.fine_tune:
        # The training checks this again; check it here before reading rows and loading the model.
        require_lasting_base(known, predecessor.directory.model)
    unlabeled = {key: None for key in LABEL_LISTS if key in options}
    blank = make(name, {**options, **unlabeled})
    readers = Readers(known, blank, request.data.reading)
    data = request.data
    joined, eval_data = _joined(readers, data, replay)
    labels = all_labels(readers, joined.frame)
    inferred = _inferred(predecessor, blank, options)
    decisions = {k: v for k, v in predecessor.learned.items() if k not in inferred}
    named = {"label_names": labels} if labels else {}
    run = make(name, {**options, **inferred, **given, **named})
    if len(labels) > len(getattr(known, "label_names", None) or ()):
        # Check this before the model is loaded: the earlier run could not accept the rows.
        validated_frame(run, joined.frame, "train_data", data.reading)
    old = load()
    story = _Story(predecessor, old, labels, joined, decisions)
    earlier = Earlier(
        predecessor.directory, old.model, predecessor.recorded, joined.replay_from, story.complete
    )
    data = replace(data, train_data=joined.rows, eval_data=eval_data)
    return run, replace(request, data=data, earlier=earlier)


def _joined(readers: Readers, data: Data, replay: Replay) -> tuple[JoinedRows, Any]:
    """Return the rows to train on, which stay on disk if the run tokenizes lazily, and the eval data."""
    lazily = readers.known.tokenize_lazily
    if lazily:
        refuse_share(readers.known, data)
    reading = replace(data.reading, lazily=lazily)
    more, eval_data = training_sources(data.train_data, data.eval_data, reading)
    join = joined_on_disk if lazily else joined_rows
    return join(readers, more, replay, seed_of(readers.known.training_args)), eval_data


def _inferred(predecessor: Predecessor, blank: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the earlier task took from its rows; they stay as they were.

    Its other learned options are decisions, which are fitted anew.

    Args:
        predecessor: the run to continue.
        blank: the task as it was made, after it has inferred its config.
        options: the options that both were made with.
    """
    return {
        key: value
        for key, value in predecessor.learned.items()
        if key in ("label_names", "label_columns", "label_type")
        or getattr(blank, key, None) != options.get(key)
    }


def _name(predecessor: Predecessor, continuation: Continuation, parent: Path) -> str:
    name = continuation.name
    if name is None and continuation.request.resume:
        raise ConfigError("resume=True needs name=, the name of the run whose training to continue")
    if name is None:
        return fresh_name(predecessor, parent)
    return name


@dataclass(frozen=True)
class _Story:
    """Adds the comparison with the earlier run to the result of a continued training.

    Attributes:
        predecessor: the earlier run.
        old: the earlier run with its model.
        labels: the labels of the new run; empty for a task without label names.
        joined: the training rows.
        decisions: the options of the earlier run that its training fitted, such as thresholds.
    """

    predecessor: Predecessor
    old: Contender
    labels: list[str]
    joined: JoinedRows
    decisions: Mapping[str, Any]

    def complete(self, result: TrainingResult, finished: Finished) -> TrainingResult:
        """Return the result with the comparison, or take over the decisions without eval data."""
        predecessor, task = self.predecessor, finished.task
        self._refuse_replaced()
        comparison, carried = None, []
        if finished.eval_frame is None:
            # Without eval data, the decisions cannot be fitted.
            carried = [k for k, v in self.decisions.items() if getattr(task, k) != v]
            for key in carried:
                setattr(task, key, self.decisions[key])
        else:
            new = Contender(task, finished.tokenizer, finished.model, result.run_dir)
            opponents = Opponents(self.old, new, self.decisions)
            comparison = compare_continued(opponents, finished.eval_frame)
        known = getattr(self.old.task, "label_names", None) or ()
        base = {name: getattr(result, name) for name in TrainingResult.__dataclass_fields__}
        return ContinuedTraining(
            **base,
            continued_from=predecessor.name,
            new_labels=self.labels[len(known) :],
            replayed=self.joined.replayed,
            comparison=comparison,
            carried=carried,
        )

    def _refuse_replaced(self) -> None:
        """Refuse to publish a mix of two runs.

        Raises:
            RunDirError: the earlier run was replaced after it was opened.
        """
        directory = self.predecessor.directory
        if directory.identity() != self.predecessor.fingerprint:
            raise RunDirError(
                f"The run in {directory.path} was replaced while it was continued, so nothing was "
                f"published: continue the run that is there now."
            )
