"""``clx verify``: check that the files of a run are unchanged."""

from __future__ import annotations

import typer

from clx.cli.failures import BROKEN, complain
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, RunArgument


def verify(run_name: RunArgument, as_json: JsonOption = False) -> None:
    """Compare a run's files with its manifest, by size and SHA-256.

    Does not load the model. The exit status is 1 if a file is missing or differs, if the directory
    contains something that is not safe to load, or if there is no manifest to compare with.
    """
    with Output(as_json) as out:
        from clx.errors import RunDirError
        from clx.ml.run.opening import locate
        from clx.ml.run_directory.layout import find_run
        from clx.ml.run_directory.safety import refuse_unsafe

        run = find_run(locate(run_name))
        files, problem = run.manifest(), ""
        try:
            if not files:
                raise RunDirError(
                    f"The run in {run.path} has no manifest to compare its files with"
                )
            run.check(hashes=True)
            refuse_unsafe(run, trusted=False, config=run.read_config())
        except RunDirError as error:
            problem = str(error)
        if as_json:
            out.json({"ok": not problem, "path": run.path, "files": len(files), "problem": problem})
        elif not problem:
            found = f"all {len(files)} files are unchanged"
            out.fields([("path", run.path), ("found", found)], "Run")
        else:
            complain(f"error: {problem}")
    if problem:
        raise typer.Exit(BROKEN)
