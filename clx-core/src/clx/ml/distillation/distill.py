"""A distillation, from texts to a published student, in the order of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.errors import ClxError
from clx.ml.distillation.augmentation import augmented, variants_per_text
from clx.ml.distillation.gathering import Lesson, gathered
from clx.ml.distillation.layers_student import LayersRequest, layers_student
from clx.ml.distillation.measure import (
    agreement_of,
    fitted_on_eval,
    fitted_on_teacher,
    in_order,
    warn_if_low,
)
from clx.ml.distillation.publish import (
    CHECKED_TEXTS,
    Sample,
    Written,
    check_student,
    write_student_run,
)
from clx.ml.distillation.setting_aside import excluding, text_hashes
from clx.ml.distillation.static_student import StaticRequest, static_student
from clx.ml.distillation.student import Student
from clx.ml.model.base_models import resolve_base_model
from clx.ml.results.distilled import Distillation
from clx.ml.run_directory.config import STUDENT_OF, TEMPERATURE, config_to_write
from clx.ml.run_directory.files import writing
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.staging import recover, staged
from clx.ml.task.names import attribute_name
from clx_runtime.files import read_json_or_empty

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.distillation.request import Request
    from clx.ml.distillation.teacher import Teacher
    from clx.ml.distillation.texts import TextSource
    from clx.ml.results.outcome import EvaluationResult
    from clx.ml.run_directory.config import Origin
    from clx.ml.task.task import Task

_TIMED_TEXTS = 2000


@dataclass(frozen=True)
class TeachingRun:
    """The trained run that teaches, and what only its caller can make of it.

    Attributes:
        teacher: the run as a teacher.
        directory: its directory.
        tokenizer: its tokenizer.
        load: returns its model.
        student_task: returns a new run with the options of this one; its name is the argument.
        origin: the content of the student's config other than the options.
        reopen: opens a run directory as a user would, and returns the run's ``predict``.
        look_at: is called with the different texts.
    """

    teacher: Teacher
    directory: RunDir
    tokenizer: PreTrainedTokenizerBase
    load: Callable[[], PreTrainedModel]
    student_task: Callable[[str, Path], Task]
    origin: Origin
    reopen: Callable[[RunDir], Callable[[list[str]], list[Any]]]
    look_at: Callable[[Sequence[str]], None]


def distill(
    run: TeachingRun, source: TextSource, eval_frame: pd.DataFrame | None, request: Request
) -> Distillation:
    """Train a student and publish it; see ``TrainingRun.distill``.

    Args:
        run: the teacher.
        source: the texts.
        eval_frame: validated rows with labels, None without.
        request: the arguments of the call.
    """
    started = time.monotonic()
    place = RunDir(request.parent / request.name)
    refuse_existing(place, request.overwrite, False)
    with only_writer(place):
        recover(place)
        refuse_existing(place, request.overwrite, False)
        order = _order(run)
        lesson = in_order(_lesson(run, source, eval_frame, request), order)
        answered = time.monotonic() - started
        student = _student(run, lesson, request)
        task = run.student_task(request.name, request.parent)
        _forget_decisions(task, run.directory)
        fitted = _fitted(task, student, run.teacher, lesson, order, eval_frame, place)
        agreement = agreement_of(task, student, run.teacher, lesson, order)
        warn_if_low(agreement, run.teacher, lesson)
        course, sides = student.course, lesson.sides
        result = Distillation(
            run_dir=place.path,
            metrics={} if fitted.evaluation is None else fitted.evaluation.metrics,
            evaluation=fitted.evaluation,
            train_loss=course.loss,
            steps=course.steps,
            epochs=float(course.epochs),
            seconds=time.monotonic() - started,
            rows={"train": len(sides.learned), **_counted(eval_frame)},
            kept=float(course.best),
            student_of=run.teacher.task.run_name,
            kind=request.student,
            agreement=agreement,
            texts={
                "read": lesson.read,
                "different": len(lesson.texts) - len(sides.variants),
                "learned": len(sides.learned),
                "variants": len(sides.variants),
                "watched": len(sides.watched),
                "aside": len(sides.aside),
            },
            durations={"teacher": answered, "student": course.seconds},
            facts={**student.facts, "augment": variants_per_text(request, len(sides.learned))},
            decided_on="teacher" if eval_frame is None else "eval_data",
        )
        return _published(run, place, student, lesson, task, fitted, result)


def _lesson(
    run: TeachingRun, source: TextSource, eval_frame: pd.DataFrame | None, request: Request
) -> Lesson:
    """Return the texts, and variants of them if they are few, with the teacher's scores."""
    lesson = gathered(source, run.teacher, request.max_texts, request.hidden)
    run.look_at(lesson.texts)
    known = text_hashes(() if eval_frame is None else _eval_texts(run.teacher.task, eval_frame))
    # The student must not learn from the texts that evaluate it.
    lesson = replace(lesson, sides=excluding(lesson.sides, lesson.hashes, known))
    return augmented(lesson, run.teacher, run.tokenizer, request, known)


@dataclass(frozen=True)
class _Fitted:
    evaluation: EvaluationResult | None = None
    temperature: float | None = None
    calibration: Mapping[str, float] | None = None


def _student(run: TeachingRun, lesson: Lesson, request: Request) -> Student:
    kind, task = run.teacher.kind, run.teacher.task
    torch.manual_seed(request.seed)
    if request.student == "layers":
        wanted = LayersRequest(kind, request.layers, request.seed, request.hidden)
        return layers_student(task, run.tokenizer, run.load(), lesson, wanted)
    config = read_json_or_empty(run.directory.model / "config.json")
    asked = StaticRequest(
        kind,
        _labels(run),
        config.get("problem_type"),
        _base(run),
        request.dim,
        request.int8,
        request.seed,
        task.trust_remote_code,
        request.hidden,
    )
    return static_student(task, run.tokenizer, lesson, asked)


def _base(run: TeachingRun) -> Path:
    """Return the folder of the base model, or of the trained model if the base is gone."""
    task = run.teacher.task
    try:
        return resolve_base_model(
            task.base_model_name, near=run.directory.path.parent, trusted=task.trust_remote_code
        )
    except ClxError:
        return run.directory.model


def _labels(run: TeachingRun) -> list[str]:
    """Return the names of the logits in the order of the teacher's model."""
    known = read_json_or_empty(run.directory.model / "config.json").get("id2label")
    named = [str(known[key]) for key in sorted(known, key=int)] if isinstance(known, dict) else []
    labels = list(run.teacher.labels)
    return named if sorted(named) == sorted(labels) else labels


def _order(run: TeachingRun) -> list[int]:
    """Return the position of each logit's label among the labels of the teacher's rule."""
    position = {label: number for number, label in enumerate(run.teacher.labels)}
    return [position[label] for label in _labels(run)]


def _eval_texts(task: Task, frame: pd.DataFrame) -> Sequence[str]:
    from clx.ml.data.texts import frame_inputs

    return frame_inputs(frame, task.text_columns)


def _counted(frame: pd.DataFrame | None) -> dict[str, int]:
    return {} if frame is None else {"eval": len(frame)}


def _forget_decisions(task: Task, teacher: RunDir) -> None:
    """Give the task the decision options that the teacher had before training fitted them."""
    learned = teacher.read_config().get("learned")
    for name in map(attribute_name, task.decision_options):
        if isinstance(learned, dict) and name in learned:
            setattr(task, name, learned[name])


def _fitted(
    task: Task,
    student: Student,
    teacher: Teacher,
    lesson: Lesson,
    order: Sequence[int],
    frame: pd.DataFrame | None,
    place: RunDir,
) -> _Fitted:
    if frame is None:
        return _Fitted(temperature=fitted_on_teacher(task, student, teacher, lesson, order))
    evaluation, found = fitted_on_eval(task, student, teacher.kind, frame, place.path)
    if found is None:
        return _Fitted(evaluation)
    return _Fitted(evaluation, found.temperature, found.to_dict())


def _published(
    run: TeachingRun,
    place: RunDir,
    student: Student,
    lesson: Lesson,
    task: Task,
    fitted: _Fitted,
    result: Distillation,
) -> Distillation:
    """Write the student, check it, and publish it."""
    extra = {**run.origin.extra, STUDENT_OF: _student_of(run, lesson, result)}
    if fitted.temperature is not None:
        extra[TEMPERATURE] = fitted.temperature
    config = config_to_write(task, replace(run.origin, extra=extra))
    aside = [lesson.texts[row] for row in lesson.sides.aside]
    # A model that reads long texts in windows reads these short ones whole.
    sample = Sample(sorted(aside, key=len)[:CHECKED_TEXTS], _labels(run), run.teacher.kind)
    check = partial(check_student, place=place, student=student, sample=sample, reopen=run.reopen)
    fresh = {"data": {"train": None, "eval": None}, "calibration": fitted.calibration}
    with writing(place.path.parent), staged(place, check) as new:
        result = replace(result, texts_per_second=_speed(student, aside))
        written = Written(task, run.directory, config, result, fresh)
        write_student_run(new, written, student, lesson)
    return result


def _speed(student: Student, texts: list[str]) -> float:
    """Return how many texts per second the student scores, tokenization included."""
    some = texts[:_TIMED_TEXTS]
    started = time.perf_counter()
    student.read_logits(some)
    return len(some) / max(1e-9, time.perf_counter() - started)


def _student_of(run: TeachingRun, lesson: Lesson, result: Distillation) -> dict[str, Any]:
    teacher = run.teacher
    entry = {
        "run_name": teacher.task.run_name,
        "task": teacher.task.name,
        "identity": teacher.identity,
        "kind": result.kind,
        "backend": teacher.backend,
        # Texts with a smaller hash were set aside.
        "below": lesson.sides.below,
        **result.facts,
    }
    ancestor = run.directory.read_config().get(STUDENT_OF)
    return {**entry, STUDENT_OF: ancestor} if ancestor else entry
