"""The cascade of a run: a fast student answers the texts on which it decides like the run.

The run's folder ``fast/`` has the student and ``cascade.json``, which says when the student answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import ConfigError, RunDirError
from clx_runtime.files import read_json
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel
from clx_runtime.problems import cell
from clx_runtime.rules import rule_of
from clx_runtime.scores import scores_of
from clx_runtime.settings import Settings

if TYPE_CHECKING:
    import numpy as np

CASCADE = "cascade"
"""The name of the backend."""

FAST = "fast"
FILE = "cascade.json"
SCHEMA_VERSION = 1

STUDENT, TEACHER = "student", "teacher"
"""The values of the column ``answered_by``."""

ANSWERED_BY = "answered_by"


@dataclass(frozen=True)
class Cascade:
    """When the student answers, and what is known about it.

    Attributes:
        teacher: the backend of the run that answers the other texts.
        settings: the settings that an export of the run would have, with the decision rule that the
            margins were chosen for.
        function: the function of the scores: ``softmax``, ``sigmoid`` or ``none``.
        margins: label → the margin from which the student answers, None if it never does. The label
            is the one that the decision depends on; see :func:`closest`.
        min_agreement: the share of equal decisions that was asked for.
        share: the share of the texts that the student answered.
        monitor: the share of the student's answers that the teacher checks.
        teacher_file: the SHA-256 of the exported model that answers the other texts; None for torch.
    """

    teacher: str
    settings: Settings
    function: str
    margins: dict[str, float | None]
    min_agreement: float
    share: float
    monitor: float = 0.0
    teacher_file: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``cascade.json``."""
        return {"schema_version": SCHEMA_VERSION, **vars(self), "settings": vars(self.settings)}

    def rule(self) -> OneLabel | LabelSet:
        """Return the rule that decides."""
        return rule_of(self.settings.decision or {})

    def student_answers(
        self, logits: np.ndarray[Any, Any], rule: OneLabel | LabelSet
    ) -> np.ndarray[Any, Any]:
        """Return which texts the student answers, as booleans of shape (texts,).

        Args:
            logits: the logits of the student, shape (texts, labels), in the order of the settings.
            rule: the rule that decides.
        """
        import numpy as np

        margin, label = closest(self.scores(logits, rule), rule)
        wanted = [self.margins[name] for name in rule.labels]
        limits = np.array([np.inf if limit is None else limit for limit in wanted])
        answers: np.ndarray[Any, Any] = margin >= limits[label]
        return answers

    def scores(
        self, logits: np.ndarray[Any, Any], rule: OneLabel | LabelSet
    ) -> np.ndarray[Any, Any]:
        """Return scores in the order of the rule's labels, shape (texts, labels).

        Args:
            logits: shape (texts, labels), in the order of the settings.
            rule: the rule that decides.
        """
        place = {name: n for n, name in enumerate(self.settings.labels)}
        return scores_of(logits, self.function)[:, [place[name] for name in rule.labels]]


def refuse_min_score(backend: str, min_score: float | None) -> None:
    """Refuse a limit of the score for a cascade, whose margins hold for the run's own decisions.

    Raises:
        ConfigError: both are given.
    """
    if min_score is not None and backend == CASCADE:
        raise ConfigError(
            "min_score does not go with backend='cascade', whose margins were chosen for the run's own "
            "decisions: call run.set_decisions(min_score=...), and with_fast again"
        )


def closest(
    scores: np.ndarray[Any, Any], rule: OneLabel | LabelSet
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return how far each decision is from the closest other one, and the label that it depends on.

    For one label per text, the margin is the lead of the best label over the second or, if the run
    abstains, the distance of its score from the limit, whichever is smaller; the label is the best one.
    For any number of labels, it is the distance of a score from the threshold of its label; the label
    is the one for which this is smallest.

    Args:
        scores: shape (texts, labels), in the order of the labels.
        rule: the rule that decides.

    Returns:
        The margins, float64 of shape (texts,), and the positions of the labels, shape (texts,).
    """
    import numpy as np

    wide = np.asarray(scores, dtype=np.float64)
    if isinstance(rule, LabelSet):
        distances = np.abs(wide - np.array(list(rule.limits().values())))
        label = distances.argmin(axis=1)
        return np.take_along_axis(distances, label[:, None], axis=1)[:, 0], label
    label = wide.argmax(axis=1)
    ranked = np.partition(wide, max(0, wide.shape[1] - 2), axis=1)[:, -2:]
    best = ranked[:, -1]
    lead = best - ranked[:, 0] if ranked.shape[1] > 1 else best
    if rule.min_score is not None:
        gap = best - rule.min_score
        # Below the limit, the second label does not matter.
        lead = np.where(gap >= 0, np.minimum(lead, gap), -gap)
    return lead, label


def same_decisions(
    one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], rule: OneLabel | LabelSet
) -> np.ndarray[Any, Any]:
    """Return for which texts two tables of scores give the same decision, shape (texts,)."""
    import numpy as np

    if isinstance(rule, LabelSet):
        limits = np.array(list(rule.limits().values()))
        chosen = [np.asarray(scores, dtype=np.float64) >= limits for scores in (one, other)]
        equal: np.ndarray[Any, Any] = (chosen[0] == chosen[1]).all(axis=1)
        return equal
    pairs = zip(rule.decide_all(one), rule.decide_all(other), strict=True)
    return np.array([mine == theirs for mine, theirs in pairs], dtype=bool)


def read_cascade(folder: Path) -> Cascade:
    """Return the content of ``cascade.json`` in the folder ``fast/`` of a run.

    Raises:
        RunDirError: the file is damaged, or a newer clx wrote it.
    """
    path = folder / FILE
    values = read_json(path)
    version = values.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RunDirError(
            f"A newer clx wrote {path}: pip install --upgrade clx-core or clx-runtime"
        )
    known = {each.name for each in fields(Cascade)}
    try:
        given = {name: value for name, value in values.items() if name in known}
        cascade = Cascade(**{**given, "settings": Settings(**given["settings"])})
        problem = _problem(cascade)
    except (TypeError, KeyError, ValueError) as error:
        problem = str(error)
    if problem:
        raise RunDirError(f"{path} cannot be used ({problem}): call with_fast again")
    return cascade


def _problem(cascade: Cascade) -> str:
    """Return what is wrong with values from a file, or an empty string.

    Raises:
        ValueError: the decision does not describe a rule.
    """
    margins, labels = cascade.margins, cascade.rule().labels
    if not isinstance(margins, Mapping) or set(margins) != set(labels):
        return f"the margins are {cell(margins)}"
    if set(cascade.settings.labels) != set(labels):
        return f"the labels are {cell(cascade.settings.labels)}"
    if not all(margin is None or _is_number(margin) for margin in margins.values()):
        return f"the margins are {cell(margins)}"
    numbers = (cascade.min_agreement, cascade.share, cascade.monitor)
    if not all(_is_number(value) and 0 <= value <= 1 for value in numbers):
        return "min_agreement, share and monitor must be numbers from 0 to 1"
    if cascade.function not in ("softmax", "sigmoid", "none"):
        return f"function is {cell(cascade.function)}"
    return "" if isinstance(cascade.teacher, str) else f"teacher is {cell(cascade.teacher)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
