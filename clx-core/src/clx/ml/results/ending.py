"""The end of a training in words: which model it kept, and why it stopped early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROBE = "probe"
"""The value of ``TrainingResult.kept`` for a head on the unchanged base model."""

EARLY_STOPPING, TIME_BUDGET, CALLBACK = "early_stopping", "time_budget", "callback"
END_OF_STREAM = "end_of_stream"
"""The values of ``TrainingResult.stopped``."""

_ENDED_BY = {
    EARLY_STOPPING: "early stopping",
    TIME_BUDGET: "the time budget",
    CALLBACK: "a callback",
}

_STOPPED = {
    EARLY_STOPPING: "early stopping: the eval metric stopped improving",
    TIME_BUDGET: "the time budget",
    CALLBACK: "a callback",
    END_OF_STREAM: "the end of the stream of training rows",
}


def kept_in_words(results: Mapping[str, Any]) -> str | None:
    """Return which model a training kept, None if its results do not say so.

    Args:
        results: ``results.json`` or ``TrainingResult.to_dict()``.
    """
    # Results without "kept_model", from earlier versions, have only the entry about a better probe.
    better = results.get("kept")
    kept = results.get("kept_model", PROBE if isinstance(better, dict) else None)
    if isinstance(kept, int | float):
        return f"epoch {kept:g}"
    if kept != PROBE:
        return None
    if not results.get("steps"):
        return "the probe"
    why = "the probe: no epoch of the fine-tuning scores better on the eval data"
    if not isinstance(better, dict):
        return why
    scores = [better.get("score"), better.get("best_of_training")]
    if not all(isinstance(score, int | float) for score in scores):
        return why
    return f"{why} (probe {scores[0]:.4g}, best epoch {scores[1]:.4g})"


def stopped_in_words(results: Mapping[str, Any]) -> str | None:
    """Return what stopped a training early, None if it ran to its end; see :func:`kept_in_words`."""
    return _STOPPED.get(str(results.get("stopped")))


def end_in_words(results: Mapping[str, Any], planned: int, last: float) -> str | None:
    """Return what ended a training early and which model it kept, None if it ran and kept everything.

    Args:
        results: the entries of :func:`kept_in_words` and :func:`stopped_in_words`, with ``epochs``.
        planned: the number of planned steps.
        last: the epoch that ended last.
    """
    steps, epochs = results["steps"], results["epochs"]
    said, kept = [], kept_in_words(results)
    by = _ENDED_BY.get(str(results.get("stopped")))
    if by is not None:
        of = f" of {planned}" if steps < planned else ""
        said.append(f"ended by {by} at step {steps}{of}, epoch {epochs:.3g}")
    if kept is not None and (by is not None or results.get("kept_model") != last):
        said.append(f"kept {kept}")
    return "; ".join(said) or None
