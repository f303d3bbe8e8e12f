"""A part of the page: a heading, an explanation and a body."""

from __future__ import annotations

from dataclasses import dataclass

from clx.ml.report.markup import escape


@dataclass(frozen=True)
class Part:
    """One part of the page. The title is plain text; ``how`` and ``body`` are HTML.

    Attributes:
        name: its id in the page.
        title: its heading.
        how: how to read the part, in plain words.
        body: its HTML.
    """

    name: str
    title: str
    how: str
    body: str

    def html(self) -> str:
        """Return the part as HTML."""
        how = f'<p class="how">{self.how}</p>' if self.how else ""
        return (
            f'<section id="{self.name}" aria-labelledby="{self.name}-title">'
            f'<h2 id="{self.name}-title">{escape(self.title)}</h2>{how}{self.body}</section>'
        )


def subheading(text: str) -> str:
    """Return a heading within a part."""
    return f"<h3>{escape(text)}</h3>"


def scroller(content: str, label: str) -> str:
    """Return a chart that keeps its size, and scrolls sideways if it does not fit."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"{content}</div>"
    )


def figure(content: str, caption: str) -> str:
    """Return a chart with its caption."""
    return f"<figure><figcaption>{caption}</figcaption>{content}</figure>"
