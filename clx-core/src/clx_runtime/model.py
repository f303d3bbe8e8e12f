"""A run that predicts without torch: what ``load`` returns."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from clx_runtime.arguments import check_batch_size, check_min_score
from clx_runtime.callers import user_level
from clx_runtime.cascade import CASCADE, refuse_min_score
from clx_runtime.decisions import DecisionRule
from clx_runtime.engine import Engine, own_function
from clx_runtime.errors import TruncationWarning
from clx_runtime.forks import renew_after_fork
from clx_runtime.read import LoadedModel
from clx_runtime.scored import Scored
from clx_runtime.texts import as_text_rows, as_texts, check_texts, columns_to_read
from clx_runtime.windows import READ_WHOLE, refuse_long

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Identity:
    """The identity of a loaded model.

    Attributes:
        name: the name of the run.
        task: the name of its task.
        digest: changes when other content takes the run's place, such as after a new training.
        backend: the backend that predicts.
    """

    name: str
    task: str
    digest: str
    backend: str


class Model:
    """An exported run, loaded. Several threads may use it at once.

    Args:
        identity: what it is.
        exported: the loaded model.
        rule: how it decides.

    Attributes:
        identity: what it is.
        rule: how it decides.
        text_columns: the columns of texts that it reads.
        limit: the most tokens of a text that it reads, None for no limit.
        function: the function of its scores: ``softmax``, ``sigmoid`` or ``none``.
        device: the kind of device that it computes on, such as ``cpu``.
    """

    def __init__(self, identity: Identity, exported: LoadedModel, rule: DecisionRule) -> None:
        self.identity = identity
        self.rule = rule
        self.text_columns = tuple(exported.settings.text_columns)
        self.limit = exported.settings.limit
        self.function = own_function(exported.settings)
        self.device = exported.device
        self._exported = exported
        # The session computes with all its threads; a second call at once would only slow both.
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, which another thread of the parent process may hold."""
        self._lock = threading.Lock()

    @property
    def labels(self) -> list[str]:
        """The names of the labels, in order."""
        return list(self.rule.labels)

    def __repr__(self) -> str:
        name, backend = self.identity.name, self.identity.backend
        return f"<clx_runtime.Model {name!r} ({self.identity.task}, {backend})>"

    def predict(self, texts: Any, batch_size: int | None = None) -> list[dict[str, float]]:
        """Return ``{label: score}`` for each text, in order.

        Args:
            texts: a list, tuple, Series, array or generator of str, or one str. For a task with
                several text columns, each item is a tuple or dict with one text per column.
            batch_size: texts per batch; None chooses it by the lengths of the texts.

        Raises:
            DataFormatError: items are not texts; the message lists their positions.
        """
        labels = self.rule.labels
        return [
            dict(zip(labels, row, strict=True))
            for scored in self.scored(texts, batch_size)
            for row in scored.scores.tolist()
        ]

    def predict_labels(
        self, texts: Any, batch_size: int | None = None, min_score: float | None = None
    ) -> list[Any]:
        """Return the decision for each text: a name, a list of names, or None to abstain.

        Args:
            texts: as for :meth:`predict`.
            batch_size: as for :meth:`predict`.
            min_score: the score that a label needs; it overrides what the run has learned.

        Raises:
            DataFormatError: items are not texts; the message lists their positions.
        """
        limit = check_min_score(min_score)
        refuse_min_score(self.identity.backend, limit)
        return [
            decision
            for scored in self.scored(texts, batch_size)
            for decision in self.rule.decide_all(scored.scores, limit)
        ]

    def predict_batch(
        self,
        table: Any,
        text_column: str = "text",
        columns: Sequence[str] | None = None,
        prefix: str = "",
        all_scores: bool = False,
        min_score: float | None = None,
        on_error: str = "skip",
        batch_size: int | None = None,
    ) -> Any:
        """Return a table with the columns of the predictions added, as ``clx.batch.Predictor`` does.

        Args:
            table: a dict of NumPy arrays or lists, a ``pyarrow.Table`` or ``RecordBatch``, or a
                DataFrame of pandas or polars. The result is of the same kind.
            text_column: the column of texts; ``"text"`` stands for those that the run reads.
            columns: the columns of the table to keep, None for all.
            prefix: the prefix of the names of the added columns. Without one, a prediction whose name is
                taken is called ``predicted_<name>``.
            all_scores: add the score of every label.
            min_score: as for :meth:`predict_labels`.
            on_error: ``"skip"``, for which a row without a valid text has no prediction and the column
                ``error`` says why, or ``"raise"``.
            batch_size: as for :meth:`predict`.

        Raises:
            ConfigError: an argument is not valid.
            DataFormatError: the table is something else, lacks a column, or, with
                ``on_error="raise"``, a row has no valid text.
        """
        from clx_runtime.batch_prediction import BatchOptions, predicted_table

        refuse_min_score(self.identity.backend, check_min_score(min_score))
        options = BatchOptions(
            columns_to_read(self.text_columns, text_column),
            None if columns is None else tuple(columns),
            prefix,
            all_scores,
            check_min_score(min_score),
            on_error,
            self.identity.backend == CASCADE,
        )
        return predicted_table(
            table, options, self.rule, lambda texts: self.scored(texts, batch_size)
        )

    def scored(
        self, texts: Any, batch_size: int | None = None, function: str | None = None
    ) -> Iterator[Scored]:
        """Yield the scores of the texts, some texts at a time, in order.

        Args:
            texts: as for :meth:`predict`; an endless generator is read as needed.
            batch_size: as for :meth:`predict`.
            function: ``softmax``, ``sigmoid`` or ``none`` (logits); None leaves it to the model.

        Raises:
            DataFormatError: an item is not a text, or a text is too long and the run has
                ``strict_length``.
        """
        candidates = as_texts(as_text_rows(texts, self.text_columns))
        if hasattr(candidates, "__len__"):
            candidates = check_texts(candidates)
        engine, rows, cut = Engine(self._exported, check_batch_size(batch_size)), 0, 0
        for window in _windows(candidates, engine.window):
            found = self._scored(engine, window, function)
            where = [rows + n for n, is_cut in enumerate(found.truncated) if is_cut]
            rows, cut = rows + len(window), cut + len(where)
            if self._exported.settings.strict_length:
                refuse_long(where, self.limit, rows, "the input")
            yield found
        if cut:
            warnings.warn(
                f"{cut} of {rows} texts in the input are longer than {self.limit} tokens and are "
                f"cut there (tokenize_args={{'max_length': …}} sets the limit). {READ_WHOLE}",
                TruncationWarning,
                stacklevel=user_level(),
            )

    def _scored(self, engine: Engine, window: list[str], function: str | None) -> Scored:
        """Return the scores of some texts; equal texts are computed once."""
        place = {text: n for n, text in enumerate(dict.fromkeys(window))}
        with self._lock:
            scores = engine.scores(list(place), function)
            cut, tokens, who = engine.cut(), engine.tokens(), engine.answered_by()
        order = self._order()
        rows = [place[text] for text in window]
        return Scored(
            scores[rows][:, order],
            [cut[row] for row in rows],
            [tokens[row] for row in rows],
            None if who is None else [who[row] for row in rows],
        )

    def _order(self) -> list[int]:
        """Return the position of each label of the rule among those of the model."""
        position = {name: n for n, name in enumerate(self._exported.settings.labels)}
        return [position[name] for name in self.rule.labels if name in position]


def _windows(texts: Iterable[Any], size: int) -> Iterator[list[str]]:
    source, position = iter(texts), 0
    while window := list(islice(source, size)):
        yield check_texts(window, position)
        position += len(window)
