"""Changes in the model card, line by line: a user may have added to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

CARD = "README.md"
"""The name of the model card in ``model/``."""

_EVALUATION = re.compile(
    r"^## Evaluation on \d+ rows\n.*?^\| metric \| value \|\n\|---\|---\|\n(?:\|.*\n)*",
    re.MULTILINE | re.DOTALL,
)
_ITEM = re.compile(r'^- (".*")$')


def card_with_metrics(text: str, metrics: Mapping[str, float], rows: int) -> str:
    """Return a model card with the metrics of another evaluation in the place of the old ones."""
    lines = [f"| {name} | {value:.4f} |\n" for name, value in metrics.items()]
    heading = f"## Evaluation on {rows} rows\n\n| metric | value |\n|---|---|\n"
    part = heading + "".join(lines) if metrics else ""
    return _EVALUATION.sub(lambda _: part, text, count=1)


def card_with_labels(text: str, names: Mapping[str, str]) -> str:
    """Return a model card with new label names, in its list of labels and in tables of labels.

    Args:
        text: the card.
        names: old name → new name.
    """
    lines, in_labels = [], False
    for line in text.split("\n"):
        if line.startswith("#"):
            in_labels = "label" in line.lower()
        lines.append(_renamed_line(line, names) if in_labels else line)
    return "\n".join(lines)


def _renamed_line(line: str, names: Mapping[str, str]) -> str:
    item = _ITEM.match(line)
    if item:
        try:
            name = json.loads(item[1])
        except ValueError:
            return line
        return f"- {json.dumps(names.get(name, name), ensure_ascii=False)}"
    cells = line.split("|")
    if len(cells) > 2 and not cells[0].strip() and cells[1].strip() in names:
        return "|".join([cells[0], f" {names[cells[1].strip()]} ", *cells[2:]])
    return line
