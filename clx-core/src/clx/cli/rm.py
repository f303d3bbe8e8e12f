"""``clx rm``: remove runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.failures import complain
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, run_names
from clx.errors import ClxError, ConfigError, RunBusyError, RunDirError

if TYPE_CHECKING:
    from clx.ml.run_directory.layout import RunDir


def rm(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Names or directories of runs.", autocompletion=run_names
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without a question.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove runs, after asking for confirmation.

    The trials of a tuning and the checkpoints of a training go with the run. Asks on a terminal, and
    needs --yes without one. Refuses a run in training and a folder that is no run; then nothing is
    removed. Your own files in a run directory stay.
    """
    with Output(as_json) as out:
        from clx.ml import remove_run

        runs = _found(names)
        if not yes and not _agreed(runs):
            complain("nothing was removed")
            return
        removed = []
        for run in runs:
            is_link = run.path.is_symlink()
            target = run.path.resolve()
            kept = remove_run(run.path)
            removed.append({"run": run.path.name, "path": run.path, "kept": kept})
            if is_link:
                complain(f"removed the link {run.path}; the run stays in {target}")
            elif kept:
                complain(f"{run.path} stays, with {len(kept)} of your own: {_listed(kept)}")
        if as_json:
            out.json({"removed": removed})
        else:
            out.table(("removed", "path"), ((each["run"], each["path"]) for each in removed))


def _found(names: list[str]) -> list[RunDir]:
    """Return the runs to remove, each once.

    Raises:
        ClxError: names stand for no run, or for a run in training; the message lists all of them.
    """
    from clx.ml.run_directory.finding import find_any_run
    from clx.ml.run_directory.lock import is_being_written

    found: dict[Any, RunDir] = {}
    problems: list[ClxError] = []
    for name in names:
        try:
            run = find_any_run(name)
            if is_being_written(run):
                raise RunBusyError(f"{run.path} is in training: wait until it ends")
            found.setdefault(run.path, run)
        except ClxError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise RunDirError("\n".join(str(problem) for problem in problems))
    return list(found.values())


def _agreed(runs: list[RunDir]) -> bool:
    """Ask whether to remove the runs.

    Raises:
        ConfigError: there is no terminal to ask on.
    """
    from clx.cli.saved import sizes
    from clx.ml.machine.disk import readable

    if not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask on: add --yes to remove without a question")
    for run in runs:
        size = sum(sizes(run.path).values()) if run.path.is_dir() else 0
        complain(f"{run.path.name}  {readable(size)}  {run.path}")
    question = "Remove this run?" if len(runs) == 1 else f"Remove these {len(runs)} runs?"
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _listed(kept: list[Any]) -> str:
    from clx.problems import examples

    return examples([path.name for path in kept])
