"""Assembles the commands of ``clx`` and the options that come before a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from clx import __version__
from clx.cli.assignments import options_help
from clx.cli.bases import bases
from clx.cli.cascade import cascade
from clx.cli.check import check
from clx.cli.check_task import check_task
from clx.cli.compare import compare
from clx.cli.cross_validate import cv
from clx.cli.decisions import decisions
from clx.cli.demo import demo
from clx.cli.distill import distill
from clx.cli.doctor import doctor
from clx.cli.estimate import estimate
from clx.cli.evaluate import evaluate
from clx.cli.export import export
from clx.cli.failures import MISTAKES
from clx.cli.labels import labels
from clx.cli.mv import mv
from clx.cli.new_task import new_task
from clx.cli.note import note
from clx.cli.plugin_commands import command_name, commands_of_plugins
from clx.cli.plugins import plugins
from clx.cli.predict import predict
from clx.cli.push import push
from clx.cli.report import report
from clx.cli.rm import rm
from clx.cli.runs import runs
from clx.cli.serve import serve
from clx.cli.show import show
from clx.cli.tasks import tasks
from clx.cli.train import train
from clx.cli.tune import tune
from clx.cli.verify import verify

PROGRAM = "clx"
SHORT_HELP = 400
"""The most characters of a command's first sentence in the list of commands."""

COMMANDS = (
    demo,
    check,
    train,
    tune,
    bases,
    cv,
    evaluate,
    predict,
    estimate,
    compare,
    decisions,
    labels,
    distill,
    push,
    report,
    export,
    cascade,
    serve,
    tasks,
    plugins,
    runs,
    show,
    note,
    mv,
    rm,
    verify,
    new_task,
    check_task,
    doctor,
)


@dataclass
class Session:
    """The values of the options that come before the command."""

    debug: bool = False


class _LightHelp:
    """Gives ``--help`` the default False instead of None.

    To convert that None to a bool, typer (0.29) imports pydantic, which takes half of the start-up time.
    """

    def get_help_option(self, context: Any) -> Any:
        option = super().get_help_option(context)  # type: ignore[misc]
        if option is not None:
            option.default = False
        return option


class _Command(_LightHelp, TyperCommand):
    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the whole first sentence, which the list of commands wraps instead of cutting it."""
        whole: str = super().get_short_help_str(SHORT_HELP)
        return whole

    def invoke(self, context: Any) -> Any:
        try:
            return super().invoke(context)
        except MISTAKES as error:
            from clx.cli.hints import hint_for

            meant = hint_for(context, error)
            if meant is not None:
                error.add_note(meant)
            raise


class _Group(_LightHelp, TyperGroup):
    pass


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def before_command(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Fine-tune, evaluate and run Hugging Face text models."""
    if isinstance(context.obj, Session):
        context.obj.debug = debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def make_command(arguments: Sequence[str]) -> Any:
    """Return the command line as a click command; its ``main`` method runs it."""
    # Rich markup and pretty exceptions would import rich. The options for shell completion, which
    # come before a command or without one, have a None default that would import pydantic.
    options_first = not arguments or arguments[0].startswith("-")
    app = typer.Typer(
        cls=_Group,
        epilog="Plugins can add commands; `clx plugins` lists the plugins.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=options_first,
    )
    app.callback(invoke_without_command=True)(before_command)
    word = next((word for word in arguments if not word.startswith("-")), None)
    for command in COMMANDS:
        # The table of options is imported for the one command that shows it.
        takes_options = (
            word in ("check", "train", "tune", "bases", "cv") and command.__name__ == word
        )
        epilog = options_help() if takes_options else None
        app.command(cls=_Command, epilog=epilog)(command)
    own = {str(command_name(command)) for command in COMMANDS}
    if word is not None and word not in own:
        for name, command in commands_of_plugins(own).items():
            app.command(name, cls=_Command)(command)
    return get_command(app)
