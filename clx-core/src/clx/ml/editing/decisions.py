"""Decisions of a trained run, such as thresholds, set without a training."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.editing.cards import rewrite_card
from clx.ml.editing.configs import edited_config, options_restored_on_error
from clx.ml.editing.fast import still_holds, tell_removed, without_cascade
from clx.ml.plugins.calls import report_sections
from clx.ml.prediction.exported import decision_settings, settings_files, with_settings
from clx.ml.results.decisions import DecisionChange
from clx.ml.results.pages import run_report
from clx.ml.run_directory.copying import Reopen, edited, history_entry, replace_text
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.identities import with_identities
from clx.ml.run_directory.layout import CONFIG, REPORT, RESULTS, RunDir
from clx.ml.task.author_code import author_code
from clx.ml.task.names import attribute_name
from clx.ml.task.options import option_problems, options_of_task
from clx.problems import did_you_mean, names, raise_problems

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.evaluation.evaluate import Predicted
    from clx.ml.results.outcome import EvaluationResult
    from clx.ml.task.task import Task

HISTORY = "decisions_history"
"""The key in ``results.json`` for the changes of decisions, oldest first."""


@dataclass(frozen=True)
class LabeledRows:
    """The rows that decisions are chosen and measured on.

    Attributes:
        frame: validated rows.
        predicted: the model's predictions for them.
        learned: how many of them the run was trained on, None if that is not known.
    """

    frame: pd.DataFrame
    predicted: Predicted
    learned: int | None = None


def check_decisions(task: Task, given: Mapping[str, Any], has_data: bool) -> None:
    """Refuse decisions that a task does not have.

    Raises:
        ConfigError: the task has none, a name is unknown, or nothing is given.
    """
    known = decision_names(task)
    if not known:
        raise ConfigError(
            f"The task {task.name!r} has no decisions that can be set: its class names no options in "
            f"decision_options"
        )
    raise_problems(
        ConfigError,
        "set_decisions() cannot set this:",
        [
            f"there is no decision {name!r}{did_you_mean(name, known)}"
            for name in given
            if name not in known
        ],
        f"The decisions of the task {task.name!r} are {names(known)}.",
    )
    if not given and not has_data:
        raise ConfigError(
            f"set_decisions() needs a decision to set ({names(known)}), or data to choose on (on=...)"
        )


def decision_names(task: Task) -> Sequence[str]:
    """Return the names of the options that ``set_decisions`` may set."""
    return tuple(map(attribute_name, task.decision_options))


def set_decisions(
    task: Task,
    place: RunDir,
    given: Mapping[str, Any],
    rows: LabeledRows | None,
    reopen: Reopen,
) -> tuple[DecisionChange, dict[str, Any]]:
    """Set decisions of a trained run; see ``TrainingRun.set_decisions``.

    The caller holds the run's lock and has checked the names.

    Args:
        task: the run; its options are changed unless this fails.
        place: its directory.
        given: the decisions to set.
        rows: the rows to choose the remaining decisions on.
        reopen: opens the changed run, to check it.

    Returns:
        The change, and the new config.
    """
    known = decision_names(task)
    before = copy.deepcopy(options_of_task(task))
    with options_restored_on_error(task):
        old = None if rows is None else _evaluated(task, place, rows)
        made_with = _apply(task, given, rows)
        evaluation = None if rows is None else _evaluated(task, place, rows)
        after = options_of_task(task)
        change = DecisionChange(
            {name: before[name] for name in known},
            {name: copy.deepcopy(after[name]) for name in known},
            {} if old is None else old.metrics,
            evaluation,
        )
        changed = {k: v for k, v in after.items() if k in known or v != before[k]}
        config = edited_config(place, changed, made_with)
        keeps_student = still_holds(task, place)
        with edited(place, reopen) as new:
            _write(task, place, new, config, change)
    if not keeps_student:
        tell_removed(task.run_name, "these decisions")
    return change, config


def _apply(task: Task, given: Mapping[str, Any], rows: LabeledRows | None) -> dict[str, Any]:
    """Set and choose the decisions; return the values that a new training starts with."""
    with author_code(task, "apply_decisions"):
        needs_data = task.apply_decisions(given)
    raise_problems(ConfigError, "These decisions cannot be set:", option_problems(task))
    made_with = {name: copy.deepcopy(getattr(task, name)) for name in decision_names(task)}
    if not needs_data:
        return made_with
    if rows is None:
        raise ConfigError(
            "These decisions are chosen on labeled data: pass it with on=... (clx: --on DATA)"
        )
    with author_code(task, "fit_decisions"):
        task.fit_decisions(rows.predicted.prediction)
    # A task may choose more decisions than requested.
    for name, value in given.items():
        if value is not None:
            setattr(task, name, made_with[name])
    raise_problems(ConfigError, "The chosen decisions are not valid:", option_problems(task))
    return made_with


def _evaluated(task: Task, place: RunDir, rows: LabeledRows) -> EvaluationResult:
    # Imported here: a change without data needs no torch.
    from clx.ml.evaluation.evaluate import evaluate_predictions

    result = evaluate_predictions(task, rows.frame, rows.predicted, place.path)
    return replace(result, learned_rows=rows.learned)


def _write(
    task: Task, place: RunDir, new: RunDir, config: dict[str, Any], change: DecisionChange
) -> None:
    results, evaluation = new.read_results(), change.evaluation
    history = results.get(HISTORY)
    about: dict[str, Any] = {"old": change.old, "new": change.new}
    if evaluation is not None:
        about |= {"rows": evaluation.rows, "earlier_metrics": results.get("metrics")}
        values = evaluation.to_dict()
        results |= {"metrics": values["metrics"], "evaluation": values, "split": None}
        for key, count in (("rows", evaluation.rows), ("truncated", evaluation.truncated)):
            known = results.get(key)
            results[key] = {**(known if isinstance(known, dict) else {}), "eval": count}
    entry = history_entry(**about)
    results[HISTORY] = [*(history if isinstance(history, list) else []), entry]
    results = with_identities(results, place)
    if not still_holds(task, place):
        results = without_cascade(new, results)
    write_json(new.path / CONFIG, config)
    write_json(new.path / RESULTS, results)
    for path, settings in settings_files(new).items():
        replace_text(path, with_settings(path, {**settings, **decision_settings(task)}))
    rewrite_card(task, place, new, config, results)
    sections = report_sections(task, evaluation)
    replace_text(new.path / REPORT, run_report(new, sections=sections, name=place.path.name))
