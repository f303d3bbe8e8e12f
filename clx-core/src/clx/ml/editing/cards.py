"""The parts of a model card that a change of a run replaces: a user may have added others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clx.ml.editing.copying import replace_text
from clx.ml.run_directory.layout import RunDir
from clx.ml.training.model_card import measured_parts

CARD = "README.md"
"""The name of the model card in ``model/``."""

_MEASURED = re.compile(
    r"^## (?:Evaluation on \d+ rows|Metrics per label|Labels \(\d+\))\n.*?(?=^#|\Z)",
    re.MULTILINE | re.DOTALL,
)
_INDEX = re.compile(r"^model-index: .*\n", re.MULTILINE)


def rewrite_card(new: RunDir, config: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Replace the parts of the model card of a changed copy, if it has a card.

    Args:
        new: the copy.
        config: the new content of ``config.json``.
        results: the new content of ``results.json``.
    """
    card = new.model / CARD
    if card.is_file():
        replace_text(card, card_with_parts(card.read_text(encoding="utf-8"), config, results))


def card_with_parts(text: str, config: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return a model card whose metrics and labels are those of a changed run.

    Args:
        text: the card.
        config: the new content of ``config.json``.
        results: the new content of ``results.json``.
    """
    new = measured_parts(config, results)
    first = _MEASURED.search(text)
    place = first.start() if first else len(text)
    before, after = text[:place], _MEASURED.sub("", text[place:])
    # The metadata of the Hub has metrics too; those of another evaluation would be wrong.
    return _INDEX.sub("", before, count=1) + new + ("\n" if after else "") + after
