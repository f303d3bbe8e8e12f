"""Merge labels of a trained run: fit the last layer again."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, ModelError
from clx.ml.data.lengths import input_limit, warn_truncated
from clx.ml.data.text_sketch import LEARNED_TEXTS
from clx.ml.editing.cards import rewrite_card
from clx.ml.editing.configs import edited_config, options_restored_on_error
from clx.ml.editing.fast import tell_removed
from clx.ml.editing.groups import Merging, checked_merging, merged_value
from clx.ml.editing.merged_result import merged_result
from clx.ml.editing.names import (
    LABEL_NAMES,
    LABEL_TYPE,
    label_names_of_run,
    label_type_for,
    options_with_labels,
)
from clx.ml.editing.refit import Refitted, encoded, head_to_refit, refit
from clx.ml.editing.rename import HISTORY
from clx.ml.editing.saved_scores import check_scores
from clx.ml.evaluation.evaluate import evaluate_predictions
from clx.ml.machine.devices import choose_device
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.initialize import validation_to_json
from clx.ml.model.head.label_texts import label_texts
from clx.ml.model.head.layer import model_columns
from clx.ml.model.saved_model import load_saved_model
from clx.ml.model.static_net import StaticNet, static_net
from clx.ml.plugins.calls import report_sections
from clx.ml.prediction.cascaded import has_cascade
from clx.ml.prediction.exported import decision_settings
from clx.ml.results.outcome import EvaluationResult, TrainingResult
from clx.ml.results.pages import run_report
from clx.ml.run_directory.config import LEARNED, TEMPERATURE
from clx.ml.run_directory.copying import Reopen, edited, history_entry, replace_text
from clx.ml.run_directory.files import json_text
from clx.ml.run_directory.layout import CONFIG, ONNX, REPORT, RESULTS, RunDir
from clx.ml.run_directory.students import is_student
from clx.ml.task.author_code import author_code
from clx.ml.task.options import option_names, options_of_task
from clx.ml.task.predicting import labels_tokens
from clx.ml.training.data import Data, fingerprints, tokenized_splits, validated_frames
from clx.ml.training.learned import learned_by, texts_of_frame

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.data.splits import Split
    from clx.ml.results.row_split import RowSplit
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class MergeRequest:
    """The arguments of ``TrainingRun.merge_labels``, which describes them.

    Attributes:
        groups: new name → the old names that it stands for.
        data: the rows to fit and, if there are any, to evaluate on.
    """

    groups: Any
    data: Data


@dataclass(frozen=True)
class _Rows:
    frames: dict[str, pd.DataFrame]
    made: RowSplit | None
    names: list[str]


def merge_labels(
    task: Task,
    place: RunDir,
    tokenizer: PreTrainedTokenizerBase,
    request: MergeRequest,
    reopen: Reopen,
) -> tuple[TrainingResult, dict[str, Any]]:
    """Merge labels of a trained run; see ``TrainingRun.merge_labels``.

    The caller holds the run's lock.

    Args:
        task: the run; its options are changed unless this fails.
        place: its directory.
        tokenizer: its tokenizer.
        request: the arguments of the call.
        reopen: opens the changed run, to check it.

    Returns:
        The result, and the new config.
    """
    started = time.monotonic()
    _refuse_labels_of_tokens(task)
    merging = checked_merging(label_names_of_run(task), request.groups)
    with options_restored_on_error(task):
        rows = _validated(task, request.data, merging)
        splits = tokenized_splits(task, tokenizer, rows.frames)
        limit = input_limit(task, tokenizer)
        for split in splits:
            warn_truncated(limit, split.truncated, len(split.frame), split.name)
        fitted, made_with = _fit(task, place, tokenizer, splits, rows.names, merging)
        evaluation = _evaluation(task, place, fitted, rows)
        result = merged_result(place, fitted, evaluation, splits, rows.made)
        result = replace(result, seconds=time.monotonic() - started)
        config = _config(task, place, fitted, made_with)

        def checked(new: RunDir, device: str | None) -> None:
            check_scores(reopen(new, device), splits[0].dataset, fitted)

        had_student = has_cascade(place)
        with edited(place, checked) as new:
            _write_model(task, new, tokenizer, fitted)
            results = _results(task, new, result, fitted, merging, rows.frames)
            rewrite_card(task, place, new, config, results)
            replace_text(new.path / CONFIG, json_text(config))
            replace_text(new.path / RESULTS, json_text(results))
            sections = report_sections(task, evaluation)
            page = run_report(new, sections=sections, name=place.path.name)
            replace_text(new.path / REPORT, page)
    if had_student:
        tell_removed(task.run_name, "the merged labels")
    return result, config


def _refuse_labels_of_tokens(task: Task) -> None:
    if labels_tokens(task):
        raise ModelError(
            f"The labels of the task {task.name!r} cannot be merged: its rows have a label for each "
            f"token, and the new layer is fitted to texts. Change the labels in the data, and train"
        )


def _fit(
    task: Task,
    place: RunDir,
    tokenizer: PreTrainedTokenizerBase,
    splits: Sequence[Split],
    label_names: Sequence[str],
    merging: Merging,
) -> tuple[Refitted, dict[str, Any]]:
    """Fit the new layer; return the model, and the options that a new training starts with.

    Args:
        task: the run; it gets the options of the merged labels.
        place: its directory.
        tokenizer: its tokenizer.
        splits: the tokenized rows.
        label_names: the names of their labels, by id.
        merging: the labels.
    """
    # The saved model has the old labels.
    setattr(task, LABEL_NAMES, list(merging.old))
    model: Any = (
        static_net(place.model)
        if is_student(place)
        else load_saved_model(task, place.model, tokenizer)
    )
    model.to(choose_device(task.device, stored=True))
    head = head_to_refit(task, model, splits[0])
    ids = [merging.id_of(name) for name in label_names]
    labels = len(merging.new)
    rows = {each.name: encoded(task, model, head.layer, each, ids, labels) for each in splits}
    made_with = _set_options(task, place, merging)
    texts = label_texts(task, tokenizer, merging.new, model_columns(splits[0].dataset))
    return refit(task, model, head, rows, merging, texts), made_with


def _evaluation(
    task: Task, place: RunDir, fitted: Refitted, rows: _Rows
) -> EvaluationResult | None:
    if fitted.eval is None:
        return None
    with author_code(task, "fit_decisions"):
        task.fit_decisions(fitted.eval.prediction)
    return evaluate_predictions(task, rows.frames["eval"], fitted.eval, place.path)


def _validated(task: Task, data: Data, merging: Merging) -> _Rows:
    """Return validated rows, whose labels may have old names, or old and new ones."""
    old = list(merging.old)
    try:
        return _Rows(*validated_frames(task, data), old)
    except DataFormatError:
        if not merging.added:
            raise
    every = [*old, *merging.added]
    setattr(task, LABEL_NAMES, every)
    return _Rows(*validated_frames(task, data), every)


def _set_options(task: Task, place: RunDir, merging: Merging) -> dict[str, Any]:
    """Give the task the options of the merged labels; return what a new training starts with."""
    learned = place.read_config().get(LEARNED)
    learned = learned if isinstance(learned, dict) else {}
    made_with = {}
    for name in options_with_labels(task):
        made_with[name] = merged_value(learned.get(name, getattr(task, name)), merging)
        setattr(task, name, copy.deepcopy(made_with[name]))
    for name in task.decision_options:
        name = name.replace("-", "_")
        if name in learned and name not in made_with:
            made_with[name] = learned[name]
            setattr(task, name, learned[name])
    setattr(task, LABEL_NAMES, list(merging.new))
    if LABEL_TYPE in option_names(task):
        kind = label_type_for(getattr(task, LABEL_TYPE), merging.new)
        setattr(task, LABEL_TYPE, kind)
    return made_with


def _config(
    task: Task, place: RunDir, fitted: Refitted, made_with: Mapping[str, Any]
) -> dict[str, Any]:
    options = options_of_task(task)
    stored = place.read_config()
    changed = {k: v for k, v in options.items() if k in made_with or v != stored.get(k, v)}
    config = edited_config(place, {LABEL_NAMES: options[LABEL_NAMES], **changed}, made_with)
    config.pop(TEMPERATURE, None)
    if fitted.calibration is not None:
        config[TEMPERATURE] = fitted.calibration.temperature
    return config


def _write_model(
    task: Task, new: RunDir, tokenizer: PreTrainedTokenizerBase, fitted: Refitted
) -> None:
    shutil.rmtree(new.model)
    # An export, an adapter and a student have the old labels.
    shutil.rmtree(new.path / ONNX, ignore_errors=True)
    shutil.rmtree(new.fast.path, ignore_errors=True)
    shutil.rmtree(new.adapter, ignore_errors=True)
    model: Any = fitted.model
    if isinstance(model, StaticNet):
        model.write(new.model, decision_settings(task))
        return
    with quiet_transformers():
        fitted.model.save_pretrained(new.model)
        tokenizer.save_pretrained(new.model)


def _results(
    task: Task,
    new: RunDir,
    result: TrainingResult,
    fitted: Refitted,
    merging: Merging,
    frames: dict[str, pd.DataFrame],
) -> dict[str, Any]:
    known, values = new.read_results(), result.to_dict()
    entry = history_entry(
        merged=merging.merged,
        data=fingerprints(frames),
        rows=result.rows,
        earlier_rows=known.get("rows"),
        earlier_metrics=known.get("metrics"),
    )
    head = known.get("head")
    head = {**(head if isinstance(head, dict) else {}), "init": "probe"}
    probe = fitted.probe
    head |= {"strength": probe.C, "probe_train_loss": probe.train_loss, "label_texts": probe.extra}
    head |= {"steepness": probe.steepness, "validation": validation_to_json(probe.losses)}
    calibration = None if fitted.calibration is None else fitted.calibration.to_dict()
    fresh = {key: values[key] for key in ("metrics", "rows", "truncated", "split", "evaluation")}
    check = known.get("data_check")
    if isinstance(check, dict):
        # It counts the old labels, and its rows differ from those of the new layer.
        entry["earlier_data_check"] = check
    history = [*(known.get(HISTORY) or ()), entry]
    fresh |= {"data_check": values["data_check"], "head": head, "calibration": calibration}
    learned = learned_by(new).joined(texts_of_frame(task, frames["train"]))
    fresh[LEARNED_TEXTS] = learned.to_json()
    return {**known, **fresh, HISTORY: history}
