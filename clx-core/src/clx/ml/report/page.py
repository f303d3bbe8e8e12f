"""The page: its parts in order, its style and script, and a policy that blocks anything else."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources

from clx.ml.report.cascade import cascade_part
from clx.ml.report.confusion import confusion_part, cooccurrence_part
from clx.ml.report.data import ReportData
from clx.ml.report.decisions import decisions_part
from clx.ml.report.evidence import (
    data_part,
    mistakes_part,
    plugin_parts,
    settings_part,
    suspicious_part,
)
from clx.ml.report.markup import escape, inline
from clx.ml.report.parts import Part
from clx.ml.report.quality import (
    calibration_part,
    comparison_part,
    labels_part,
    lead,
    learning_part,
    metrics_part,
)


def render_report(data: ReportData) -> str:
    """Return the report as one HTML file that needs no network and no other file.

    The same data always gives the same page, byte for byte. All text in ``data`` is escaped.

    Args:
        data: the content.

    Raises:
        MissingDependencyError: the page has charts and matplotlib is not installed.
    """
    parts = _parts(data)
    style, script = _asset("page.css"), _asset("page.js")
    links = "".join(f'<li><a href="#{part.name}">{escape(part.title)}</a></li>' for part in parts)
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{inline(value)}</dd></div>"
        for name, value in data.facts.items()
    )
    subtitle = f'<p class="subtitle">{escape(data.subtitle)}</p>' if data.subtitle else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(data.title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<button type="button" id="theme" hidden></button>
<h1 dir="auto">{escape(data.title)}</h1>
{subtitle}{f'<dl class="facts">{facts}</dl>' if facts else ""}
</header>
<nav aria-label="Contents"><ul>{links}</ul></nav>
<main id="main">
{lead(data)}
{chr(10).join(part.html() for part in parts) or "<p>There is nothing to report.</p>"}
</main>
<script>{script}</script>
</body>
</html>
"""


def _parts(data: ReportData) -> list[Part]:
    parts = [
        metrics_part(data),
        comparison_part(data.comparison),
        mistakes_part(data.mistakes),
        labels_part(data.per_label),
        confusion_part(data.confusion),
        cooccurrence_part(data.cooccurrence),
        calibration_part(data),
        decisions_part(data.decision_curve),
        cascade_part(data.cascade),
        learning_part(data),
        suspicious_part(data.suspicious),
        data_part(data.data),
        *plugin_parts(data.sections),
        settings_part(data),
    ]
    return [part for part in parts if part is not None]


def _policy(style: str, script: str) -> str:
    """Return a policy that allows only the page's own style and script, by their hashes."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@functools.cache
def _asset(name: str) -> str:
    # A browser replaces \r\n by \n before it computes the hash.
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return "\n" + text.replace("\r\n", "\n")
