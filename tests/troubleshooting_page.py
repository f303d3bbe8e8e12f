"""Write docs/how-to/troubleshooting.md: every error of clx, what it means, and what to do.

The meaning is the docstring of the class, and the messages are those of troubleshooting.toml.
"""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path

from clx import errors

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"

HEAD = """\
# Troubleshooting

```text
error: There is no task 'clasification'; did you mean 'classification'?
```

Search this page for a few words of your message. An `…` stands for a name or a number of yours.

Python names the class of an error before its message. The command line writes `error:`;
`clx --debug COMMAND` shows the class and the traceback, and `clx doctor` reports what is broken.
Every error is a [`ClxError`](../reference/api/errors.md).

{index}
"""

GROUPS = {
    "Data": "DataFormatError DataWarning TruncationWarning",
    "Options and arguments": "ConfigError UnknownArgumentError UnknownAttributeError",
    "Base models": "ModelNotFoundError ModelError BaseModelWarning",
    "Training": "TrainingError OutOfMemoryError ResumeError NotPublishedError",
    "Runs and folders": "RunNotFoundError RunExistsError RunDirError RunBusyError NotTrainedError "
    "DiskFullError",
    "Predicting": "ExportError CascadeError CascadeWarning UnfinishedError",
    "The Hub": "HubError",
    "Tasks, plugins, and packages": "TaskNotFoundError PluginError DuplicateTaskError "
    "MissingDependencyError",
}
"""What a message is about, and the classes of such messages. Other classes come last."""

OTHER = "Anything else"

MESSAGES: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("troubleshooting.toml").read_text(encoding="utf-8")
)
"""Typical messages of each class, and what to do about each."""


def classes() -> list[type]:
    """Return the errors and warnings, each after its base class, without the base of all."""
    found = [getattr(errors, name) for name in errors.__all__]
    return [each for each in found if each is not errors.ClxError]


def meaning(kind: type) -> tuple[str, str]:
    """Return what an error means and what to do, from its docstring."""
    text = " ".join(str(inspect.getdoc(kind)).split()).replace("``", "`")
    what, _, remedy = text.partition(": ")
    remedy = remedy[:1].upper() + remedy[1:]
    return what.rstrip(".") + ".", remedy


def section(kind: type) -> str:
    """Return what the page says about one class."""
    what, remedy = meaning(kind)
    lines = [f"### {kind.__name__}", "", f"{what} {remedy}".strip(), ""]
    messages = MESSAGES.get(kind.__name__, {})
    if messages:
        lines += ["| message | what to do |", "|---|---|"]
        lines += [f"| `{message}` | {todo} |" for message, todo in messages.items()]
        lines += [""]
    return "\n".join(lines)


def groups() -> dict[str, list[type]]:
    """Return the classes by what their messages are about."""
    named = {kind.__name__: kind for kind in classes()}
    found = {
        group: [named.pop(name) for name in names.split() if name in named]
        for group, names in GROUPS.items()
    }
    return found | ({OTHER: list(named.values())} if named else {})


def index() -> str:
    """Return the list of groups, which links to each class and says what it means."""
    lines = []
    for group, kinds in groups().items():
        lines.append(f"- **{group}**")
        for kind in kinds:
            what, _ = meaning(kind)
            lines.append(f"    - [{kind.__name__}](#{kind.__name__.lower()}): {what}")
    return "\n".join(lines)


def page() -> str:
    """Return the whole page."""
    parts = [HEAD.replace("{index}", index())]
    for group, kinds in groups().items():
        parts += [f"## {group}\n", *map(section, kinds)]
    return "\n".join(parts)


def literals() -> list[str]:
    """Return the texts in the code of clx, with … for what is filled in."""
    found = []
    for file in sorted(ROOT.glob("clx-*/src/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                ]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def is_said(message: str, texts: list[str]) -> bool:
    """Return whether one of the texts has the words of a message, in their order."""
    parts = message.strip("… ").split("…")
    words = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
    return any(parts[0] in text and words.search(text) for text in texts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
