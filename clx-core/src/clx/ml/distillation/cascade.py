"""Let a student answer first: choose its margin, state the agreement, and copy it into the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.errors import CascadeError
from clx.ml.distillation.binomial import fewest, lower_bound
from clx.ml.distillation.cascade_curve import curve_of
from clx.ml.distillation.cascade_files import write_cascade
from clx.ml.distillation.cascade_measure import Answers, Measured, answers
from clx.ml.distillation.cascade_student import known_agreement, rule_of_run, student_entry
from clx.ml.distillation.cascade_texts import CascadeData, CascadeTexts, cascade_texts, right
from clx.ml.distillation.choice import Choice, Observed, choose, leaves_room
from clx.ml.distillation.learned import learned_by
from clx.ml.prediction.backends import TORCH
from clx.ml.results.cascade import CascadeResult
from clx.ml.run_directory.copying import Reopen, edited
from clx.ml.run_directory.layout import (
    RunDir,
)
from clx_runtime.cascade import Cascade
from clx_runtime.cascade_model import CascadeModel
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel
from clx_runtime.read import LoadedModel
from clx_runtime.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from clx.ml.task.task import Task

LEAST_AGREEMENT = 0.5
"""Below this share of equal decisions, the student was distilled from other kinds of texts."""

LOST_AGREEMENT = 0.1
"""If the agreement drops by this much from that of the distillation, the texts are different."""

LEAST_SHARE = 0.05
"""The lowest share of texts that makes a student worth using."""

_TIMED = 2000


@dataclass(frozen=True)
class CascadeRequest:
    """The arguments of ``with_fast``, which describes them.

    Attributes:
        min_agreement: the share of equal decisions to reach.
        given: the data.
        teacher: the backend that answers what the student leaves.
        teacher_file: the SHA-256 of the backend's model; None for torch.
        monitor: the share of the student's answers to check later.
        torch_instead: whether to use torch if the export agrees with torch too rarely.
    """

    min_agreement: float
    given: CascadeData
    teacher: str
    teacher_file: str | None
    monitor: float
    torch_instead: bool = False


@dataclass(frozen=True)
class CascadeModels:
    """The models, as functions that load them.

    Attributes:
        settings: the settings that an export of the run would have.
        function: the function of its scores.
        student: loads the student in a run directory.
        torch: loads the run with torch.
        teacher: loads the backend that answers what the student leaves.
    """

    settings: Settings
    function: str
    student: Callable[[RunDir], LoadedModel]
    torch: Callable[[], LoadedModel]
    teacher: Callable[[], LoadedModel]


def with_fast(
    task: Task,
    place: RunDir,
    student: Task,
    where: RunDir,
    request: CascadeRequest,
    models: CascadeModels,
    reopen: Reopen,
) -> CascadeResult:
    """Let a student answer first; see ``TrainingRun.with_fast``. The caller holds the run's lock.

    Args:
        task: the run.
        place: its directory.
        student: the student.
        where: its directory.
        request: the arguments of the call.
        models: the models.
        reopen: opens the changed run, to check it.

    Raises:
        ConfigError: it is not a student of this run.
        CascadeError: there are too few texts, or no margin reaches the agreement.
    """
    rule, entry = rule_of_run(task), student_entry(task, place, student, where)
    texts = cascade_texts(task, request.given, learned_by(where.path, entry))
    _refuse_few(texts, request.min_agreement)
    settings, function = models.settings, models.function
    no_limits = dict.fromkeys(rule.labels)
    unlimited = Cascade(request.teacher, settings, function, no_limits, request.min_agreement, 0.0)
    loaded = models.student(where)
    measured = _measured(loaded, models, request.teacher, texts.texts)
    observed = measured.observed(unlimited, rule)
    _refuse_other_texts(observed, known_agreement(where))
    # Only the half that chooses says so: the other has to state the agreement without bias.
    first = observed.part(texts.first)
    if request.torch_instead and not leaves_room(first, request.min_agreement):
        request = replace(request, teacher=TORCH, teacher_file=None)
        models = replace(models, teacher=models.torch)
        measured = replace(measured, teacher=measured.torch)
        observed = measured.observed(unlimited, rule)
    first, second = (observed.part(rows) for rows in (texts.first, ~texts.first))
    choice = choose(first, second, request.min_agreement)
    _refuse_slow(choice, second, request.min_agreement)
    assert choice is not None
    cascade = Cascade(
        request.teacher,
        settings,
        function,
        {name: _margin(value) for name, value in zip(rule.labels, choice.margins, strict=True)},
        request.min_agreement,
        choice.share,
        request.monitor,
        request.teacher_file,
    )
    model = CascadeModel(cascade, loaded, models.teacher)
    timed = [text for text, is_first in zip(texts.texts, texts.first, strict=True) if not is_first]
    speed = answers(model, timed[:_TIMED], "cascade").speed
    result = _result(student, request, (texts, measured, second, choice), (cascade, rule), speed)

    def checked(new: RunDir, device: str | None) -> None:
        reopen(new, device)
        # Find every problem with the copied student before it takes its place.
        models.student(new.fast).read(texts.texts[:1])

    with edited(place, checked) as new:
        write_cascade(task, place, new, where, cascade, result)
    return result


def _measured(
    student: LoadedModel, models: CascadeModels, teacher: str, texts: Sequence[str]
) -> Measured:
    fast = answers(student, texts, "student")
    slow = answers(models.torch(), texts, "torch")
    other = slow if teacher == TORCH else answers(models.teacher(), texts, teacher)
    return Measured(fast, slow, other)


def _refuse_few(texts: CascadeTexts, min_agreement: float) -> None:
    halves = (int(texts.first.sum()), int((~texts.first).sum()))
    needed = fewest(min_agreement)
    if min(halves) >= needed:
        return
    left_out = (
        f", without {texts.learned:,} that the student has or may have learned from"
        if texts.learned
        else ""
    )
    raise CascadeError(
        f"min_agreement={min_agreement:g} takes at least {needed:,} texts in each half, but the data "
        f"has {halves[0]:,} and {halves[1]:,} different texts to use{left_out}. Pass about "
        f"{math.ceil(2.5 * needed):,} texts or more of the domain that the student has not seen, or a "
        f"lower min_agreement. The run is unchanged"
    )


def _refuse_other_texts(observed: Observed, expected: float | None) -> None:
    share = float(observed.student.mean())
    if share >= LEAST_AGREEMENT and (expected is None or share >= expected - LOST_AGREEMENT):
        return
    known = "" if expected is None else f" (on the texts of its distillation, {expected:.1%})"
    raise CascadeError(
        f"The student agrees with the run on {share:.1%} of {len(observed):,} texts{known}: no margin "
        f"was chosen. The texts may be of another domain than those that it was distilled on. Distill "
        f"the run on texts like these, or pass texts of the student's domain. The run is unchanged"
    )


def _refuse_slow(choice: Choice | None, second: Observed, min_agreement: float) -> None:
    if choice is not None and choice.share >= LEAST_SHARE:
        return
    wrong = int((~second.teacher).sum())
    bound = lower_bound(wrong, len(second))
    if bound < min_agreement:
        raise CascadeError(
            f"The teacher's own backend agrees with torch on {1 - wrong / len(second):.2%} of "
            f"{len(second):,} texts, at least {bound:.2%} with 95 % confidence: that is below "
            f"min_agreement={min_agreement:g} without a student. Pass more texts, teacher='torch', or a "
            f"lower min_agreement. The run is unchanged"
        )
    share = 0.0 if choice is None else choice.share
    raise CascadeError(
        f"No margin reaches min_agreement={min_agreement:g}: the student could answer {share:.1%} of "
        f"the texts. It decides like the run on {second.student.mean():.1%} of {len(second):,} texts "
        f"that chose nothing. Distill a student on more texts of this domain, pass more texts, or a "
        f"lower min_agreement. The run is unchanged"
    )


def _margin(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _result(
    student: Task,
    request: CascadeRequest,
    found: tuple[CascadeTexts, Measured, Observed, Choice],
    decided: tuple[Cascade, OneLabel | LabelSet],
    speed: float,
) -> CascadeResult:
    texts, measured, second, choice = found
    cascade, rule = decided
    correct = _correct(texts, measured, cascade, rule)
    curve = curve_of(second, choice, measured, correct)
    answered = second.answered(choice.margins)
    accuracy = {name: float(values.mean()) for name, values in correct.items()}
    if correct:
        from_both = [correct["student"][answered].sum(), correct["teacher"][~answered].sum()]
        accuracy["cascade"] = float(sum(from_both)) / len(second)
    return CascadeResult(
        student=student.run_name,
        teacher=request.teacher,
        margin=choice.risk.common_margin(choice.limit),
        margins=cascade.margins,
        min_agreement=request.min_agreement,
        agreement=choice.agreement,
        bound=choice.bound,
        share=choice.share,
        student_agreement=float(second.student.mean()),
        teacher_agreement=float(second.teacher.mean()),
        texts={
            "chosen_on": int(texts.first.sum()),
            "measured_on": len(second),
            "learned": texts.learned,
            "not_used": texts.more,
        },
        accuracy=accuracy,
        speeds={
            "torch": measured.torch.speed,
            "student": measured.student.speed,
            "teacher": measured.teacher.speed,
            "cascade": speed,
        },
        curve=curve,
        monitor=request.monitor,
    )


def _correct(
    texts: CascadeTexts, measured: Measured, cascade: Cascade, rule: OneLabel | LabelSet
) -> dict[str, np.ndarray[Any, Any]]:
    """Return for each model which decisions on the second half are right; empty without labels."""
    if texts.decisions is None:
        return {}
    expected = [d for d, is_first in zip(texts.decisions, texts.first, strict=True) if not is_first]

    def of(model: Answers) -> np.ndarray[Any, Any]:
        scores = cascade.scores(model.logits[~texts.first], rule)
        return right(rule.decide_all(scores), expected)

    return {name: of(getattr(measured, name)) for name in ("torch", "student", "teacher")}
