"""The interface of a run to the server: facts, one call for many texts, and a prediction's row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Facts:
    """The facts about a run that clients can read.

    Attributes:
        name: the name of the run.
        task: the name of its task.
        identity: changes when other content takes the run's place, such as after a new training.
        backend: the backend that predicts.
        device: the kind of device, such as ``cpu``.
        labels: the names of the labels, in the order of the logits; empty if the task has none.
        multi_label: whether a text has any number of labels.
        function: the function of the run's own scores: ``softmax``, ``sigmoid`` or ``none``.
        limits: label → the score from which it is chosen; empty if the best label is.
        limit: the most tokens of a text that the model reads, None for no limit.
        text_columns: the texts that the task reads together.
    """

    name: str
    task: str
    identity: str
    backend: str
    device: str
    labels: tuple[str, ...]
    multi_label: bool
    function: str
    limits: dict[str, float]
    limit: int | None
    text_columns: tuple[str, ...]


@dataclass(frozen=True)
class Needs:
    """What to compute for a text.

    Attributes:
        logits: the logit of each label.
        prediction: what the run predicts, for :meth:`Served.row`.
    """

    logits: bool = False
    prediction: bool = False


@dataclass(frozen=True)
class Computed:
    """The results for some texts, in order.

    Attributes:
        logits: shape (texts, labels); None if they were not needed.
        predictions: one per text; None if they were not needed.
        truncated: whether each text was truncated.
        tokens: how many tokens of each text the model read.
    """

    logits: np.ndarray[Any, Any] | None
    predictions: list[Any] | None
    truncated: list[bool]
    tokens: list[int]


class Served(Protocol):
    """A loaded run. The server calls it from one thread at a time."""

    @property
    def facts(self) -> Facts:
        """What clients are told about the run."""

    def compute(self, texts: Sequence[str], needs: Needs) -> Computed:
        """Return the results for some texts.

        A row of several texts is a :class:`clx_runtime.texts.TextRow`.

        Raises:
            ClxError: a text is not valid for the run.
        """

    def row(self, prediction: Any, *, all_scores: bool, min_score: float | None) -> dict[str, Any]:
        """Return a prediction as the columns of a table, as ``predict_frame`` does."""


class Source(Protocol):
    """Where a run comes from.

    Attributes:
        name: the name under which the run is served.
    """

    name: str

    def open(self) -> Served:
        """Load the run.

        Raises:
            ClxError: the run cannot be served.
        """

    def stamp(self) -> object:
        """Return a value that changes when the run on disk changes; None while there is no run."""
