"""Run benchmarks, print tables of ratios, write JSON, compare with an earlier JSON.

python benchmarks/bench.py                          # prediction, training, start-up, memory, …
python benchmarks/bench.py prediction --rounds 9
python benchmarks/bench.py --small                  # minutes, not half an hour
python benchmarks/bench.py --json new.json --compare old.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import warnings
from pathlib import Path

from measuring import compare, machine, to_json

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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
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
    figures = to_json(tables, where)
    if arguments.json:
        arguments.json.write_text(figures + "\n")
    if arguments.compare:
        print("\n" + compare(json.loads(arguments.compare.read_text()), json.loads(figures)))


def _quiet() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
