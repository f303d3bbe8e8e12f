"""Write the table of options into docs/reference/arguments.md, from the one place that has them."""

from __future__ import annotations

import re
from pathlib import Path

from clx.ml.task.options import BY_TASK, OPTIONS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "arguments.md"
TABLE = re.compile(
    r"(<!-- The table is made from .*? -->\n).*?(<!-- end of the table -->)", re.DOTALL
)


def table() -> str:
    """Return the options as a table of Markdown."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    lines.append("| `run_name` | task and time | One path component of at most 200 bytes. |")
    for option in OPTIONS:
        default = "by the task" if option.default is BY_TASK else f"`{option.default!r}`"
        meaning = option.doc.replace("|", "\\|")
        lines.append(f"| `{option.name}` | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """Return the page with today's table in it."""
    return TABLE.sub(lambda match: match[1] + table() + match[2], text, count=1)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
