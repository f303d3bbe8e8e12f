"""A cascade, loaded: the student reads all texts, and the teacher those that it is not sure about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clx_runtime.cascade import STUDENT, TEACHER, Cascade, same_decisions
from clx_runtime.cascade_monitor import Monitor
from clx_runtime.errors import RunDirError
from clx_runtime.problems import examples
from clx_runtime.read import LoadedModel, Read

if TYPE_CHECKING:
    import numpy as np

WINDOW = 8192
"""The texts that are held in memory at once, so that those left for the teacher fill its batches."""


class CascadeModel:
    """A student with its teacher. Several threads may use it at once if they may use both.

    Args:
        cascade: when the student answers.
        student: the student.
        teacher: loads the teacher; it is called for the first text that the student leaves to it.
        monitor: checks a share of the student's answers, None for no checks.

    Attributes:
        settings: the settings of the run.

    Raises:
        RunDirError: the student has other labels.
    """

    def __init__(
        self,
        cascade: Cascade,
        student: LoadedModel,
        teacher: Callable[[], LoadedModel],
        monitor: Monitor | None = None,
    ) -> None:
        self.settings = cascade.settings
        if student.settings.labels != self.settings.labels:
            raise RunDirError(
                f"The student of the cascade has the labels {examples(student.settings.labels)}, the "
                f"run {examples(self.settings.labels)}: call with_fast again"
            )
        self._cascade, self._student, self._monitor = cascade, student, monitor
        self._teacher, self._rule = teacher, cascade.rule()

    @property
    def device(self) -> str:
        """The kind of device that the student computes on."""
        return self._student.device

    def window(self, batch_size: int | None) -> int:
        """Return how many texts to pass at once."""
        return max(WINDOW, self._student.window(batch_size))

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> Read:
        """Return what student and teacher say about texts; see :class:`clx_runtime.read.LoadedModel`.

        Args:
            texts: the texts.
            batch_size: the teacher's texts per batch; None leaves it to the teacher.
        """
        import numpy as np

        read = self._read_by_student(texts)
        answered = self._cascade.student_answers(read.logits, self._rule)
        kept, left = np.flatnonzero(answered).tolist(), np.flatnonzero(~answered).tolist()
        checked: list[int] = []
        if self._monitor is not None:
            checked = [kept[n] for n in self._monitor.chosen([texts[n] for n in kept])]
        if left or checked:
            theirs = self._teacher().read([texts[n] for n in (*left, *checked)], batch_size)
            self._check(len(texts), len(kept), read.logits[checked], theirs.logits[len(left) :])
            read = _merged(read, theirs, left)
        elif self._monitor is not None:
            self._monitor.add(len(texts), len(kept), ())
        names = [STUDENT if is_own else TEACHER for is_own in answered.tolist()]
        return replace(read, answered_by=names)

    def _read_by_student(self, texts: Sequence[str]) -> Read:
        import numpy as np

        size = self._student.window(None)
        parts = [
            self._student.read(texts[start : start + size])
            for start in range(0, max(1, len(texts)), size)
        ]
        return Read(
            np.concatenate([part.logits for part in parts]),
            [flag for part in parts for flag in part.truncated],
            [count for part in parts for count in part.tokens],
        )

    def _check(
        self, texts: int, answered: int, own: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]
    ) -> None:
        """Tell the monitor whether the teacher decides like the student."""
        if self._monitor is None:
            return
        equal: list[bool] = []
        if len(own):
            scores = [self._cascade.scores(logits, self._rule) for logits in (own, theirs)]
            equal = same_decisions(scores[0], scores[1], self._rule).tolist()
        self._monitor.add(texts, answered, equal)


def _merged(own: Read, theirs: Read, left: Sequence[int]) -> Read:
    """Return the student's results with those of the teacher for the texts that were left to it."""
    logits = own.logits.copy()
    truncated, tokens = list(own.truncated), list(own.tokens)
    for place, row in enumerate(left):
        logits[row] = theirs.logits[place]
        truncated[row], tokens[row] = theirs.truncated[place], theirs.tokens[place]
    return Read(logits, truncated, tokens)
