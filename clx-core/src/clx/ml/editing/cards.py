"""The model card of a run that is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.run_directory.copying import replace_text
from clx.ml.run_directory.layout import CARD, RunDir
from clx.ml.training.card_changes import card_after

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def rewrite_card(
    task: Task, place: RunDir, new: RunDir, config: Mapping[str, Any], results: Mapping[str, Any]
) -> None:
    """Replace what clx wrote into the model card of a changed copy, if the run has a card.

    Args:
        task: the run.
        place: the run before the change.
        new: the copy.
        config: the new content of ``config.json``.
        results: the new content of ``results.json``.
    """
    card = card_after(task, place, config, results)
    if card is not None:
        replace_text(new.model / CARD, card)
