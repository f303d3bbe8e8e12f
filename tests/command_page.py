"""Write every command and its options into docs/reference/command-line.md, from the app itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clx.cli.app import COMMANDS, make_command

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"
MADE = re.compile(
    r"(<!-- The commands are made from .*? -->\n).*?(<!-- end of the commands -->)", re.DOTALL
)
DEFAULT = re.compile(r"\s*\[(?:default: )([^\]]+)\]")
GROUPS = {
    "Before a training": "check bases cv estimate",
    "Training": "train tune distill cascade",
    "Using a run": "predict evaluate compare report decisions labels export serve push",
    "Runs on disk": "runs show note mv rm verify",
    "Tasks and plugins": "tasks plugins new-task check-task doctor demo",
}
READ = {
    "bases": "../how-to/base-models.md",
    "cascade": "../how-to/cascade.md",
    "check": "../how-to/data.md",
    "check-task": "conformance.md",
    "compare": "../how-to/evaluation.md",
    "cv": "../how-to/splits.md",
    "decisions": "../how-to/decisions.md",
    "demo": "../start/first-model.md",
    "distill": "../how-to/distill.md",
    "estimate": "../how-to/estimate.md",
    "evaluate": "../how-to/evaluation.md",
    "export": "../how-to/runtime.md",
    "labels": "../how-to/labels.md",
    "mv": "../how-to/keep-runs-tidy.md",
    "new-task": "../how-to/write-a-task.md",
    "note": "../how-to/keep-runs-tidy.md",
    "plugins": "hooks.md",
    "predict": "../how-to/large-scale.md",
    "push": "../how-to/sharing.md",
    "report": "../how-to/evaluation.md",
    "rm": "../how-to/keep-runs-tidy.md",
    "serve": "../how-to/serve.md",
    "show": "run-directory.md",
    "train": "../how-to/data.md",
    "tune": "../how-to/tuning.md",
    "verify": "run-directory.md",
}
"""The page of each command that says more."""


def commands() -> dict[str, Any]:
    """Return each command of clx by its name, without those of plugins."""
    known = make_command(["train"]).commands
    assert len(known) == len(COMMANDS)
    return dict(known)


def in_groups(names: set[str]) -> dict[str, list[str]]:
    """Return the names under the headings of the page; a name that has none comes last."""
    grouped = {
        heading: [name for name in listed.split() if name in names]
        for heading, listed in GROUPS.items()
    }
    listed = {name for group in grouped.values() for name in group}
    others = sorted(names - listed)
    return {**grouped, "More": others} if others else grouped


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def rows(command: Any) -> list[tuple[str, str, str]]:
    """Return what is written, its default, and what it means, for each parameter of a command."""
    context = command.context_class(command, info_name=command.name)
    found = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            continue
        written, help_text = record
        default = DEFAULT.search(help_text)
        meaning = DEFAULT.sub("", help_text, count=1).replace("[required]", "")
        if not parameter.opts[0].startswith("-"):
            # The name of an argument has its type after it, which is always text.
            written = written.split(" <")[0]
        elif parameter.multiple:
            written = f"{written} …"
        found.append((written, default[1] if default else "", meaning))
    return found


def section(name: str, command: Any) -> list[str]:
    """Return the lines about one command."""
    context = command.context_class(command, info_name=f"clx {name}")
    usage = " ".join(command.get_usage(context).split()).removeprefix("Usage: ")
    lines = [f"### clx {name}", "", "```text", re.sub(r"[{}]", "", usage), "```", ""]
    lines += [str(command.help).split("\f")[0].strip()]
    if name in READ:
        title = (PAGE.parent / READ[name]).read_text(encoding="utf-8").splitlines()[0]
        lines += ["", f"Read more: [{title.removeprefix('# ')}]({READ[name]})."]
    lines += ["", "| argument | default | meaning |", "|---|---|---|"]
    for written, default, meaning in rows(command):
        shown = f"`{default}`" if default and " " not in default else cell(default)
        lines.append(f"| `{cell(written)}` | {shown} | {cell(meaning)} |")
    return [*lines, ""]


def summary(command: Any) -> str:
    """Return what a command does, in its first sentence."""
    return str(command.help).split("\n\n")[0].replace("\n", " ").strip()


def made() -> str:
    """Return the commands as Markdown: a table of all, then a section for each."""
    known = commands()
    lines = ["", "| command | does |", "|---|---|"]
    grouped = in_groups(set(known))
    for names in grouped.values():
        lines += [
            f"| [`clx {name}`](#clx-{name}) | {cell(summary(known[name]))} |" for name in names
        ]
    for heading, names in grouped.items():
        lines += ["", f"## {heading}", ""]
        for name in names:
            lines += section(name, known[name])
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """Return the page with today's commands in it."""
    return MADE.sub(lambda match: match[1] + made() + match[2], text, count=1)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
