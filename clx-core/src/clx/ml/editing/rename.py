"""New names for the labels of a trained run, without a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ModelError
from clx.ml.editing.cards import rewrite_card
from clx.ml.editing.configs import edited_config
from clx.ml.editing.names import (
    LABEL_TYPE,
    checked_renaming,
    label_names_of_run,
    label_type_for,
    options_with_labels,
    renamed_tags,
)
from clx.ml.editing.rename_fast import rename_in_cascade
from clx.ml.editing.renamed_results import renamed_results, renamed_value
from clx.ml.plugins.calls import report_sections
from clx.ml.prediction.cascaded import has_cascade
from clx.ml.prediction.exported import settings_files, with_settings
from clx.ml.results.pages import run_report
from clx.ml.run_directory.config import LEARNED
from clx.ml.run_directory.copying import Reopen, edited, history_entry, replace_text
from clx.ml.run_directory.files import json_text
from clx.ml.run_directory.identities import with_identities
from clx.ml.run_directory.layout import CONFIG, REPORT, RESULTS, RunDir
from clx.ml.run_directory.students import is_student
from clx.problems import examples
from clx_runtime.files import read_json

if TYPE_CHECKING:
    from clx.ml.task.task import Task

HISTORY = "labels_history"
"""The key in ``results.json`` for the changes of labels, oldest first."""


def rename_labels(
    task: Task, place: RunDir, renamed: Mapping[Any, Any], reopen: Reopen
) -> dict[str, Any]:
    """Rename labels in every file of a run; see ``TrainingRun.rename_labels``.

    The caller holds the run's lock.

    Returns:
        The new config. The options of the task are unchanged.
    """
    new = checked_renaming(label_names_of_run(task), renamed)
    model = _renamed_model(place, new)
    config = _renamed_config(task, place, new)
    with edited(place, reopen) as copy:
        _write(copy, CONFIG, config)
        if model is not None:
            _write(copy, "model/config.json", model)
        kind = config.get(LABEL_TYPE) or "str"
        _rename_settings(copy, new, kind)
        if has_cascade(place):
            _rename_student(task, copy, new, kind)
        results = with_identities(_renamed_history(task, copy, new), place)
        _write(copy, RESULTS, results)
        rewrite_card(task, place, copy, config, results)
        sections = report_sections(task, None)
        replace_text(copy.path / REPORT, run_report(copy, sections=sections, name=place.path.name))
    return config


def _write(copy: RunDir, name: str, value: Any) -> None:
    replace_text(copy.path / name, json_text(value))


def _rename_settings(copy: RunDir, new: Mapping[str, str], kind: str) -> None:
    """Rename the labels in the settings of an export or of a static student."""
    for path, settings in settings_files(copy).items():
        labels = settings.get("labels") or []
        tags = renamed_tags({str(n): str(label) for n, label in enumerate(labels)}, new)
        renamed = renamed_value(labels, new) if tags is None else list(tags.values())
        changed = {**settings, "labels": renamed}
        decision = settings.get("decision")
        if isinstance(decision, dict):
            names = renamed_value(decision.get("labels"), new)
            changed["decision"] = {**decision, "labels": names, "label_type": kind}
        replace_text(path, with_settings(path, changed))


def _rename_student(task: Task, copy: RunDir, new: Mapping[str, str], kind: str) -> None:
    """Rename the labels of the student that answers first."""
    model = _renamed_model(copy.fast, new)
    _write(copy.fast, CONFIG, _renamed_config(task, copy.fast, new))
    if model is not None:
        _write(copy.fast, "model/config.json", model)
    _rename_settings(copy.fast, new, kind)
    rename_in_cascade(copy, new, kind)


def _renamed_model(place: RunDir, new: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the model's config with new names; None for a static student, which has none.

    Raises:
        ModelError: the model's labels are not those of the run.
    """
    if is_student(place):
        return None
    config = read_json(place.model / "config.json")
    tags = config.get("id2label")
    named = {str(n): str(tag) for n, tag in tags.items()} if isinstance(tags, dict) else {}
    after = renamed_tags(named, new)
    if after is None:
        raise ModelError(
            f"The labels of the model in {place.model} are {examples(list(named.values()))}, not the "
            f"run's label_names: they cannot be renamed"
        )
    if after:
        config |= {"id2label": after, "label2id": {tag: int(n) for n, tag in after.items()}}
    return config


def _renamed_config(task: Task, place: RunDir, new: Mapping[str, str]) -> dict[str, Any]:
    config = place.read_config()
    holding = options_with_labels(task)
    values = {name: renamed_value(config[name], new) for name in holding if name in config}
    if LABEL_TYPE in config:
        values[LABEL_TYPE] = label_type_for(config[LABEL_TYPE], list(new.values()))
    config = edited_config(place, values, {})
    first = config[LEARNED]
    config[LEARNED] = first | {n: renamed_value(first[n], new) for n in holding if n in first}
    return config


def _renamed_history(task: Task, copy: RunDir, new: Mapping[str, str]) -> dict[str, Any]:
    """Return the results with new names, and with the change."""
    results = renamed_results(copy.read_results(), new, options_with_labels(task))
    changed = {old: name for old, name in new.items() if old != name}
    entry = history_entry(renamed=changed)
    return {**results, HISTORY: [*(results.get(HISTORY) or ()), entry]}
