"""The outcome of a tuning in words, and the sections about it in a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.ml.report import Section
from clx.ml.report.words import metric_name
from clx.ml.results.ending import PROBE
from clx.ml.results.json_tables import is_finite_number, object_or_empty, table_from_json

TUNING = "tuning"
"""The entry about a tuning in the results."""

FINISHED, PRUNED, FAILED, OUT_OF_TIME = "finished", "pruned", "failed", "out of time"
"""The states of a trial."""


def without_effect(tuning: Mapping[str, Any], kept: Any) -> list[str]:
    """Return the best parameters that had no effect, because the published model is the probe.

    Args:
        tuning: :meth:`Tuning.to_dict`; the values may come from a file.
        kept: ``TrainingResult.kept`` of the published run.
    """
    if kept != PROBE:
        return []
    names = tuning.get("of_fine_tuning")
    return [str(name) for name in names] if isinstance(names, list | tuple) else []


def in_words(tuning: Mapping[str, Any], kept: Any) -> str:
    """Return the outcome of a tuning in sentences, one paragraph each.

    Args:
        tuning: :meth:`Tuning.to_dict`; the values may come from a file.
        kept: ``TrainingResult.kept`` of the published run.
    """
    trials = table_from_json(tuning.get("trials"))
    states = [] if trials is None or "state" not in trials else trials["state"].tolist()
    counts = [
        f"{states.count(state)} {state}"
        for state in dict.fromkeys((FINISHED, *states))
        if states.count(state)
    ]
    sentences = [f"{len(states)} trials: {', '.join(counts) or 'none'}."]
    if tuning.get("stopped"):
        sentences.append("The time budget ended the search.")
    objective, best = tuning.get("objective"), tuning.get("best")
    if objective is None or not isinstance(best, Mapping):
        sentences.append("No trial finished, so the run has its own options.")
        return "\n\n".join(sentences)
    which = "highest" if tuning.get("greater_is_better") else "lowest"
    folds = tuning.get("folds")
    where = "on the eval data" if folds is None else f"as the mean of {folds} folds"
    chosen = ", ".join(f"{name} = {value!r}" for name, value in best.items())
    value = tuning.get("value")
    shown = f"{value:.4g}" if isinstance(value, int | float) else value
    sentences.append(
        f"The {which} {metric_name(str(objective))} {where} is {shown}, with {chosen or 'no parameter'}."
    )
    idle = without_effect(tuning, kept)
    if idle:
        sentences.append(
            f"The published model is the probe, because no epoch of fine-tuning improved it. So these "
            f"tuned parameters had no effect: {', '.join(idle)}."
        )
    return "\n\n".join(sentences)


def tuning_sections(results: Mapping[str, Any]) -> list[Section]:
    """Return the sections of a report about the tuning of a run; none if it was not tuned.

    Args:
        results: ``results.json``.
    """
    import pandas as pd

    tuning = results.get(TUNING)
    if not isinstance(tuning, Mapping):
        return []
    trials = table_from_json(tuning.get("trials"))
    if trials is not None:
        trials.index.name = "trial"
    sections = [Section("Tuning", in_words(tuning, results.get("kept_model")), trials)]
    shares = object_or_empty(tuning.get("importance"))
    importance = {name: share for name, share in shares.items() if is_finite_number(share)}
    if importance:
        table = pd.DataFrame({"importance": pd.Series(importance, dtype=float)})
        table.index.name = "parameter"
        text = "The share of each parameter in the effect on the objective, over all trials."
        sections.append(Section("Importance of the tuned parameters", text, table))
    return sections
