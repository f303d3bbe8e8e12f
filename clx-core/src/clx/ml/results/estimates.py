"""What ``estimate`` returns: what a prediction will cost, before it begins."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from clx.ml.machine.disk import readable
from clx.ml.results.cards import Card, card_html, rows_table


@dataclass(frozen=True)
class Tokens:
    """The lengths of texts, from a sample.

    Attributes:
        sampled: the number of sampled rows.
        mean: the mean number of tokens of a text, before truncation.
        p95: the number of tokens that 95 % of the texts do not exceed.
        limit: the most tokens of a text that the model reads, None if it reads all.
        over_limit: the share of texts that are longer than the limit.
        repeated: the share of rows whose text occurs before in the same window; these are not
            computed again.
    """

    sampled: int
    mean: float
    p95: int
    limit: int | None
    over_limit: float
    repeated: float


@dataclass(frozen=True)
class BackendEstimate:
    """What a prediction costs with one backend.

    Attributes:
        backend: the name of the backend.
        low: the least seconds that the prediction takes; None if nothing could be measured.
        high: the most seconds.
        start: the seconds until the first prediction, in a new process. They are not part of the
            range.
        rows_per_second: the rate in the middle of the range.
        memory: the peak of the process's memory in bytes, None if it is unknown.
        device_memory: the peak of memory on a GPU in bytes, None without one.
        shard: the seconds, from low to high, of the longest shard; None without shards.
        problem: why nothing could be measured.
    """

    backend: str
    low: float | None = None
    high: float | None = None
    start: float | None = None
    rows_per_second: float | None = None
    memory: int | None = None
    device_memory: int | None = None
    shard: tuple[float, float] | None = None
    problem: str | None = None

    @property
    def middle(self) -> float | None:
        """The middle of the range, in seconds."""
        return None if self.low is None or self.high is None else (self.low + self.high) / 2

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Shards:
    """How the rows are divided.

    Attributes:
        count: the number of shards.
        parts: the number of parts of all shards.
        rows: the rows of the longest shard.
        idle: the number of shards without a part.
    """

    count: int
    parts: int
    rows: int
    idle: int


@dataclass(frozen=True)
class Estimate:
    """What the prediction of a source costs on this machine.

    Attributes:
        source: what would be predicted.
        rows: the number of rows.
        counted: how the number is known: ``parquet footers``, ``counted``, or ``estimated from bytes``.
        rows_error: the relative error of an estimated number of rows.
        tokens: the lengths of the texts.
        backends: one estimate for each backend that the run has.
        output: the bytes of the output, None if there would be no file.
        shards: how the rows are divided, None if one process predicts them all.
    """

    source: str
    rows: int
    counted: str
    rows_error: float
    tokens: Tokens
    backends: tuple[BackendEstimate, ...] = field(default=(), repr=False)
    output: int | None = None
    shards: Shards | None = None

    def backend(self, name: str) -> BackendEstimate:
        """Return the estimate for a backend, such as ``torch``.

        Raises:
            KeyError: the run has no such backend.
        """
        return {each.backend: each for each in self.backends}[name]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return asdict(self)

    def facts(self) -> dict[str, Any]:
        """Return what is known of the source and of the output, by name, in words."""
        tokens, about = self.tokens, f"± {self.rows_error:.0%}, " if self.rows_error else ""
        facts = {
            "rows": f"{self.rows:,} ({about}{self.counted})",
            "tokens per text": f"{tokens.mean:.0f} on average, 95 % up to {tokens.p95:,} "
            f"({tokens.sampled:,} rows sampled)",
            "over the limit": None
            if tokens.limit is None
            else f"{tokens.over_limit:.1%} of the texts have more than {tokens.limit:,} tokens",
            "repeated": f"{tokens.repeated:.1%} of the texts, which are computed once"
            if tokens.repeated
            else None,
            "output": None if self.output is None else f"about {readable(self.output)}",
        }
        if self.shards is not None:
            facts["shards"] = (
                f"{self.shards.count:,} with {self.shards.parts:,} parts, at most "
                f"{self.shards.rows:,} rows each"
                + (f"; {self.shards.idle:,} have no part" if self.shards.idle else "")
            )
        return {name: value for name, value in facts.items() if value is not None}

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headings and the rows of a table of the backends, in words."""
        columns = ["backend", "time", "start", "rows/s", "memory"]
        columns += ["longest shard"] * (self.shards is not None)
        rows = []
        for each in self.backends:
            if each.low is None or each.high is None:
                rows.append(
                    [each.backend, f"not measured: {each.problem}", *[""] * len(columns[2:])]
                )
                continue
            memory = "unknown" if each.memory is None else readable(each.memory)
            if each.device_memory is not None:
                memory += f", GPU {readable(each.device_memory)}"
            row = [
                each.backend,
                span(each.low, each.high),
                duration(each.start or 0.0),
                f"{each.rows_per_second:,.0f}",
                memory,
            ]
            rows.append(row if each.shard is None else [*row, span(*each.shard)])
        return columns, rows

    def __str__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self.facts().items()]
        columns, rows = self.table()
        for row in rows:
            cells = [f"{n} {v}" for n, v in zip(columns[1:], row[1:], strict=True) if v]
            lines.append(f"{row[0]}: {', '.join(cells)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def make() -> Card:
            table = rows_table(*self.table(), caption="On this machine")
            return Card(self.source, "Estimate", self.facts(), [table])

        return card_html(self, make)


def span(low: float, high: float) -> str:
    """Return a range of seconds in words, such as ``2.1 to 2.6 min``."""
    return f"{duration(low)} to {duration(high)}"


def duration(seconds: float) -> str:
    """Return a number of seconds in words, such as ``3.4 h``."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
