"""Docstrings as Markdown, for the API pages of the site: an extension of griffe."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([^`]+)`")


def plain(text: str) -> str:
    """Return a docstring with what Markdown has instead of the markup of reStructuredText."""
    text = ROLE.sub(r"`\1`", text)
    text = re.sub(r"^[ \t]*::\n", "", text, flags=re.MULTILINE)
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)


class DocstringRoles(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value)
