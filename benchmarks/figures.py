"""The log of figures, ``figures.jsonl``: ``--log`` appends to it, and ``make tables`` reads it.

Each line holds the figures of one table: when, where, and with what they were measured, and the rows.
The newest line of a table counts. ``layouts.toml`` says which tables the pages show, and how.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring import machine

LOG = Path(__file__).with_name("figures.jsonl")
VERSIONS = ("python", "torch", "transformers")

Row = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """What a benchmark measured at one time.

    Attributes:
        table: the name of the table.
        date: the day, such as 2026-11-28.
        machine: what the pages call the machine; None if nobody wrote it down.
        command: what measured the figures; None if no single command repeats them.
        versions: package → version; ``clx`` has the revision.
        rows: of the table; ``name`` says which row it is, and the other keys have the figures.
    """

    table: str
    date: str
    machine: str | None
    command: str | None
    versions: dict[str, str]
    rows: list[Row]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``append`` reads."""
    parser.add_argument("--log", type=Path, metavar="FILE", help="append the figures to FILE")
    parser.add_argument("--machine", metavar="NAME", help="the machine's name in the log")


def append(given: argparse.Namespace, table: str, rows: Sequence[Row]) -> None:
    """Append the rows of a table to the log that ``--log`` names, or do nothing without it."""
    if given.log is None:
        return
    where = machine()
    versions = {"clx": where["revision"], **{name: where[name] for name in VERSIONS}}
    place = given.machine or _place(where)
    short = [{key: _short(value) for key, value in row.items()} for row in rows]
    made = Figures(table, where["time"][:10], place, command(given), versions, short)
    with given.log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(made), ensure_ascii=False) + "\n")


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _place(where: dict[str, Any]) -> str:
    if where["device"] != "cpu":
        return str(where["device"])
    return f"{where['cores']} cores of {where['processor']}".replace("(R)", "")


def command(given: argparse.Namespace) -> str:
    """Return the command line without ``--log``, and with names in place of this machine's paths."""
    names = {
        str(path): name.upper() for name, path in vars(given).items() if isinstance(path, Path)
    }
    kept = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--log", "--machine"):
            next(words)
        else:
            kept.append(names.get(str(Path(word)), word))
    program = Path(sys.argv[0]).resolve().relative_to(LOG.parents[1])
    return f"python {program.as_posix()} {shlex.join(kept)}".strip()


def newest(path: Path = LOG) -> dict[str, Figures]:
    """Return the newest figures of each table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {made.table: made for made in (Figures(**json.loads(line)) for line in lines)}
