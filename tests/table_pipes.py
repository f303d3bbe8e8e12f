r"""Pipes in the code of a table, for the site: an extension of Python-Markdown.

GitHub needs ``\|`` there, and Python-Markdown shows the backslash.
"""

from __future__ import annotations

import re
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

CODE = re.compile(r"`[^`]+`")


class TablePipes(Preprocessor):
    """Removes the backslash before a pipe in the code of a table."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines of a page, without such backslashes."""
        return [
            CODE.sub(lambda code: code[0].replace(r"\|", "|"), line) if line[:1] == "|" else line
            for line in lines
        ]


class TablePipesExtension(Extension):
    """Registers :class:`TablePipes` after the fences have been taken out."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register the step."""
        md.preprocessors.register(TablePipes(md), "table_pipes", 15)


def makeExtension(**options: Any) -> TablePipesExtension:
    """Return the extension; Python-Markdown looks for this name."""
    return TablePipesExtension(**options)
