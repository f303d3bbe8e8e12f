"""Run benchmarks, print tables of ratios, log the figures, compare with an earlier log.

python benchmarks/bench.py                          # prediction, training, start-up, memory, …
python benchmarks/bench.py prediction --rounds 9
python benchmarks/bench.py --small                  # minutes, not half an hour
python benchmarks/bench.py --log new.jsonl --compare old.jsonl
"""

from __future__ import annotations

import argparse
import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import figures
from measuring import Table, machine

BENCHMARKS = (
    "prediction",
    "training",
    "attention",
    "startup",
    "memory",
    "lazy",
    "intervals",
    "cost",
    "data_doors",
    "many_labels",
    "small_probe",
    "static_student",
)
ON_GPU = ("gpu", "cost")


def main() -> None:
    """Read the command line and run what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is run")
    parser.add_argument("--small", action="store_true", help="fewer texts, rows and steps")
    figures.add_options(parser)
    parser.add_argument("--compare", type=Path, metavar="FILE", help="figures of another revision")
    parser.add_argument("--gpu", action="store_true", help="those for a GPU")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - {*BENCHMARKS, *ON_GPU})
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    warnings.filterwarnings("ignore")
    _quiet()
    where = machine()
    print(", ".join(f"{key} {value}" for key, value in where.items()), flush=True)
    tables = []
    for name in arguments.names or (ON_GPU if arguments.gpu else BENCHMARKS):
        for table in importlib.import_module(name).run_benchmark(arguments.rounds, arguments.small):
            tables.append(table)
            print(f"\n{table.show()}", flush=True)
            figures.append(arguments, table.title, table.logged())
    if arguments.compare:
        print("\n" + compare(figures.newest(arguments.compare), tables))


def compare(before: Mapping[str, figures.Figures], tables: Sequence[Table]) -> str:
    """Return how the ratios differ from the logged ones, a line each."""
    lines = []
    for table in tables:
        logged = before[table.title].rows if table.title in before else []
        old = {row["name"]: row["times"] for row in logged}
        for row in table.rows:
            was = old.get(row.name)
            if was is not None and row.name != table.yardstick:
                change = row.ratio / was - 1
                lines.append(
                    f"  {table.title}: {row.name}  {was:.2f}x -> {row.ratio:.2f}x ({change:+.0%})"
                )
    return "\n".join(lines)


def _quiet() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
