"""Write a student as a run directory, and check it before it takes its place."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import NotPublishedError
from clx.ml.data.text_sketch import LEARNED_TEXTS, TextSketch
from clx.ml.distillation.learned import write_learned
from clx.ml.distillation.teacher import SINGLE
from clx.ml.plugins.calls import report_sections
from clx.ml.results.pages import run_report
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import (
    CONFIG,
    ENVIRONMENT,
    LOGS,
    METRICS_LOG,
    REPORT,
    RESULTS,
    RunDir,
)
from clx.ml.run_directory.staging import set_aside
from clx.ml.training.model_card import model_card
from clx.ml.training.publish import carry_over, environment
from clx_runtime.scores import scores_of

if TYPE_CHECKING:
    from clx.ml.distillation.gathering import Lesson
    from clx.ml.distillation.student import Student
    from clx.ml.results.distilled import Distillation
    from clx.ml.task.task import Task

CHECKED_TEXTS = 32
LIMIT = 1e-3
"""The largest allowed difference of a score."""

Reopen = Callable[[RunDir], Callable[[list[str]], list[Any]]]
"""Opens a run directory as a user would, and returns the run's ``predict``."""


@dataclass(frozen=True)
class Sample:
    """What a written student is checked on.

    Attributes:
        texts: some texts.
        labels: the names of the logits.
        kind: the kind of the scores.
    """

    texts: list[str]
    labels: list[str]
    kind: str


@dataclass(frozen=True)
class Written:
    """What is written.

    Attributes:
        task: the student's task, with its decisions.
        teacher: the directory of the teacher.
        config: the content of ``config.json``.
        result: the result.
        extra: more entries of ``results.json``.
    """

    task: Task
    teacher: RunDir
    config: Mapping[str, Any]
    result: Distillation
    extra: Mapping[str, Any]


def write_student_run(new: RunDir, written: Written, student: Student, lesson: Lesson) -> None:
    """Write all files of a student's run into an empty directory."""
    task, result, config = written.task, written.result, dict(written.config)
    write_json(new.path / CONFIG, config)
    student.write(new.model, task)
    finished = time.strftime("%Y-%m-%d %H:%M:%S %z")
    # The watched texts chose the epoch, so they too would overrate the student.
    sides = lesson.sides
    seen = np.concatenate([sides.learned, sides.watched])
    sketch = TextSketch.of(lesson.texts[place] for place in seen)
    results = {**result.to_dict(), "finished": finished, **written.extra}
    results[LEARNED_TEXTS] = sketch.to_json()
    card = model_card(task, config, results)
    (new.model / "README.md").write_text(card, encoding="utf-8")
    write_json(new.path / RESULTS, results)
    write_json(new.path / ENVIRONMENT, environment(task))
    (new.path / LOGS).mkdir()
    lines = "".join(f"{json.dumps(entry)}\n" for entry in student.course.log)
    (new.path / LOGS / METRICS_LOG).write_text(lines, encoding="utf-8")
    if written.teacher.extra.is_dir():
        shutil.copytree(written.teacher.extra, new.extra)
    write_learned(new.extra, lesson.hashes[np.concatenate([sides.taught, sides.watched])])
    sections = report_sections(task, result.evaluation)
    page = run_report(new, sections=sections, name=task.run_name)
    (new.path / REPORT).write_text(page, encoding="utf-8")
    carry_over(result.run_dir, new.path)


def check_student(
    new: RunDir, place: RunDir, student: Student, sample: Sample, reopen: Reopen
) -> None:
    """Open a written student as a user would, and compare its predictions with those in memory.

    Args:
        new: the complete run.
        place: where it will be.
        student: the student in memory.
        sample: what to compare on.
        reopen: opens a run directory, and returns the run's ``predict``.

    Raises:
        NotPublishedError: it cannot be opened, or predicts otherwise.
    """
    function = "softmax" if sample.kind == SINGLE else "sigmoid"
    try:
        expected = scores_of(student.read_logits(sample.texts), function)
        predictions = reopen(new)(sample.texts)
        found = np.array([[row[label] for label in sample.labels] for row in predictions])
        difference = float(np.abs(found - expected).max())
        problem = None if difference <= LIMIT else f"a score differs by {difference:.2g}"
    except Exception as error:
        kept = set_aside(new, place)
        raise _refused(place, kept, str(error) or type(error).__name__) from error
    if problem:
        raise _refused(place, set_aside(new, place), problem)


def _refused(place: RunDir, kept: Any, why: str) -> NotPublishedError:
    return NotPublishedError(
        f"The student {place.path.name!r} was trained, but what was written does not open or does not "
        f"predict like it, so it was not published: {why}. Its files are in {kept} until a student of "
        f"this name succeeds. Distill again, and please report this."
    )
