"""A check of the student's answers while it predicts: the teacher repeats a share of them.

The hash of a text decides whether it is checked. A warning says when fewer decisions are equal than
asked for. It may come after any number of texts, so the test holds at every moment. A bet
against the student is fair or worse as long as the agreement is what was asked for, and its stake then
grows by a factor of 20 with a probability of at most 5 % (Ville's inequality; Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", 2023).
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Sequence

from clx_runtime.callers import user_level
from clx_runtime.cascade import Cascade
from clx_runtime.errors import CascadeWarning
from clx_runtime.forks import renew_after_fork

WARN_AT = 20.0
"""The growth of the stake that is a warning: 1 in 20 is 5 %."""

_BETS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""The shares of the stake that are bet in parallel: small ones detect small differences."""

_KNOWN_TEXTS = 1000
"""The weight of the share of texts that the student answered when the margin was chosen."""


def is_checked(text: str, share: float) -> bool:
    """Return whether the teacher repeats the student's answer to a text.

    Args:
        text: the text.
        share: the share of the texts to check.
    """
    data = text.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(data, digest_size=8, person=b"clx monitor").digest()
    return int.from_bytes(digest, "big") < share * 2**64


class Monitor:
    """Counts the answers of a cascade, and warns once. Several threads may use it.

    Args:
        cascade: the cascade.

    Attributes:
        checked: the answers of the student that the teacher repeated.
        wrong: how many of these the teacher decided differently.
    """

    def __init__(self, cascade: Cascade) -> None:
        self._cascade = cascade
        self._stakes = [1.0] * len(_BETS)
        self._texts = float(_KNOWN_TEXTS)
        self._answered = _KNOWN_TEXTS * cascade.share
        self._warned = False
        self.checked = self.wrong = 0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, which another thread of the parent process may hold."""
        self._lock = threading.Lock()

    def chosen(self, texts: Sequence[str]) -> list[int]:
        """Return the positions of the texts to check.

        Args:
            texts: the texts that the student answered.
        """
        share = self._cascade.monitor
        return [n for n, text in enumerate(texts) if is_checked(text, share)] if share else []

    def add(self, texts: int, answered: int, equal: Sequence[bool]) -> None:
        """Count some texts, and warn if too few decisions are equal.

        Args:
            texts: the number of texts.
            answered: how many the student answered.
            equal: for each of these that was checked, whether the teacher's decision was the same.
        """
        with self._lock:
            self._texts, self._answered = self._texts + texts, self._answered + answered
            # Only the student's answers can differ: the teacher's own are all equal.
            allowed = (1 - self._cascade.min_agreement) * self._texts / max(self._answered, 1.0)
            for is_equal in equal:
                self._bet(min(allowed, 0.99), is_equal)
            stake = sum(self._stakes) / len(self._stakes)
            warn = stake >= WARN_AT and not self._warned
            self._warned = self._warned or warn
        if warn:
            warnings.warn(self._message(), CascadeWarning, stacklevel=user_level())

    def _bet(self, allowed: float, is_equal: bool) -> None:
        self.checked, self.wrong = self.checked + 1, self.wrong + (not is_equal)
        for place, bet in enumerate(_BETS):
            won = -bet if is_equal else bet * (1 - allowed) / allowed
            # The upper limit keeps the number finite, and is far beyond the warning.
            self._stakes[place] = min(self._stakes[place] * (1 + won), 1e100)

    def _message(self) -> str:
        return (
            f"The student disagrees with its teacher on {self.wrong} of {self.checked} "
            f"checked answers: on these texts, fewer than {self._cascade.min_agreement:.4g} of all "
            f"decisions are equal, although the margin was chosen for that. Predict them with another "
            f"backend, or distill a student on such texts and call with_fast again"
        )
