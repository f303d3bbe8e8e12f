"""What ``estimate_training`` returns: what a training will cost, stage by stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from clx.ml.machine.disk import readable
from clx.ml.results.cards import Card, card_html, rows_table
from clx.ml.results.estimates import Tokens, span


@dataclass(frozen=True)
class Stage:
    """A stage of a training.

    Attributes:
        name: ``prepare``, ``probe``, ``fine-tuning``, ``evaluations``, ``publish`` or
            ``cross-validation``.
        low: the least seconds that it takes.
        high: the most seconds.
        what: what happens in it.
    """

    name: str
    low: float
    high: float
    what: str = ""


@dataclass(frozen=True)
class TrainingEstimate:
    """What a training costs on this machine.

    Attributes:
        rows: the number of rows of each split.
        tokens: the lengths of the training texts.
        steps: the planned optimizer steps; 0 without fine-tuning.
        epochs: the passes over the rows that these steps are.
        batch_size: the rows per step.
        evaluations: the number of evaluations during the fine-tuning.
        stages: the stages, in their order.
        low: the least seconds of all stages together.
        high: the most seconds of all stages together.
        memory: the peak of this process's memory in bytes, None if it is unknown.
        disk: the most bytes on the disk at a time, with checkpoints.
        time_budget: the limit in seconds, None for no limit. It applies to all stages but a
            cross-validation.
    """

    rows: dict[str, int]
    tokens: Tokens
    steps: int
    epochs: float
    batch_size: int
    evaluations: int
    stages: tuple[Stage, ...] = field(repr=False)
    low: float
    high: float
    memory: int | None
    disk: int
    time_budget: float | None = None

    @property
    def middle(self) -> float:
        """The middle of the range, in seconds."""
        return (self.low + self.high) / 2

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return asdict(self)

    def facts(self) -> dict[str, str]:
        """Return everything but the stages, by name, in words."""
        tokens = self.tokens
        facts = {
            "rows": ", ".join(f"{name} {count:,}" for name, count in self.rows.items()),
            "tokens per text": f"{tokens.mean:.0f} on average, 95 % up to {tokens.p95:,}",
        }
        if tokens.limit is not None:
            facts["over the limit"] = (
                f"{tokens.over_limit:.1%} of the texts have more than {tokens.limit:,} tokens"
            )
        if self.steps:
            facts["steps"] = (
                f"{self.steps:,} of {self.batch_size} rows, or {self.epochs:.1f} epochs"
            )
        facts["time"] = span(self.low, self.high)
        if self.time_budget is not None:
            facts["time budget"] = f"{self.time_budget:,.0f} s"
        facts["memory"] = "unknown" if self.memory is None else f"about {readable(self.memory)}"
        facts["disk"] = f"about {readable(self.disk)}"
        return facts

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headings and the rows of a table of the stages, in words."""
        rows = [[each.name, span(each.low, each.high), each.what] for each in self.stages]
        return ["stage", "time", "what"], rows

    def __str__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self.facts().items()]
        lines += [f"{name}: {time} ({what})" for name, time, what in self.table()[1]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def make() -> Card:
            table = rows_table(*self.table(), caption="On this machine")
            return Card("Training", "Estimate", self.facts(), [table])

        return card_html(self, make)
