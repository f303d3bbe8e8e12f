"""``clx push``: share a run on the Hugging Face Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import JsonOption, RunArgument


def push(
    run_name: RunArgument,
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository on the Hub.")],
    private: Annotated[
        bool | None,
        typer.Option("--private/--public", help="Who can see a new repository [default: private]"),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Commit to this branch [default: main]")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Message of the commit.")
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(metavar="ID", help="License of the model, such as apache-2.0."),
    ] = None,
    include_texts: Annotated[
        bool,
        typer.Option("--include-texts", help="Share the texts in results and report too."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Share a run on the Hugging Face Hub in one commit, without texts of the data or local paths.

    `clx predict hf://OWNER/NAME` and every other command that reads a run open it. Needs a token with
    write access: `hf auth login`, or HF_TOKEN. In a pipe: the page of the commit and its address, then
    one line per thing that was left out.
    """
    with Output(as_json) as out:
        from clx.ml import training_run

        run = training_run(load=run_name)
        result = run.push_to_hub(
            repo,
            private=private,
            revision=revision,
            message=message,
            license=license,
            include_texts=include_texts,
        )
        if as_json:
            out.json({"run_dir": run.run_dir, **result.to_dict()})
            return
        out.fields([("url", result.url), ("address", result.address)], "Shared")
        out.fields((("left out", each) for each in result.left_out), "Not shared")
