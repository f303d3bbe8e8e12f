"""A model card after a change of the run: the text of clx is replaced, and that of a user stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clx.ml.run_directory.layout import CARD, RunDir
from clx.ml.training.card_blocks import (
    ITEM,
    Block,
    Section,
    label_and_rest,
    section_of,
    sections_of,
)
from clx.ml.training.card_metadata import divided, joined, updated, with_missing
from clx.ml.training.model_card import model_card
from clx_runtime.files import read_text

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def card_after(
    task: Task,
    place: RunDir,
    config: Mapping[str, Any],
    results: Mapping[str, Any],
    repository: str | None = None,
    license: str | None = None,
) -> str | None:
    """Return the card of a run after a change, None if it has no card.

    Args:
        task: the run.
        place: the run before the change.
        config: the new content of ``config.json``.
        results: the new content of ``results.json``.
        repository: as for :func:`model_card`.
        license: as for :func:`model_card`.
    """
    path = place.model / CARD
    if not path.is_file():
        return None
    old = model_card(task, place.read_config(), place.read_results())
    new = model_card(task, config, results, repository, license)
    return changed_card(read_text(path), old, new)


def changed_card(card: str, old: str, new: str) -> str:
    """Return a card with what clx says about a changed run, and with all that a user wrote.

    Sentences and sections of clx that a user removed stay away.

    Args:
        card: the card.
        old: what clx writes about the run before the change.
        new: what clx writes about it after the change.
    """
    metadata, text = divided(card)
    (before, old_text), (after, new_text) = divided(old), divided(new)
    sections = _sections(sections_of(text), sections_of(old_text), sections_of(new_text))
    return _card(updated(metadata, before or {}, after or {}), sections)


def with_text_of(card: str, other: str) -> str:
    """Return a card with what a user wrote into another card of the same run."""
    (metadata, text), (more, other_text) = divided(card), divided(other)
    sections = sections_of(text)
    for section in sections_of(other_text):
        headings = [s.kind or s.heading for s in sections]
        heading = section.kind or section.heading
        at = headings.index(heading) if heading in headings else None
        own = [block for block in section.blocks if block.kind is None]
        if at is None:
            if section.kind is None:
                sections.append(section)
            elif own:
                sections.append(section_of(section, section.heading_of_user, own))
            continue
        there = sections[at].blocks
        missing = [block for block in own if block.text not in [each.text for each in there]]
        if missing:
            sections[at] = section_of(sections[at], sections[at].heading, [*there, *missing])
    return _card(with_missing(metadata, more or {}), sections)


def with_license_of(card: str, other: str) -> str:
    """Return a card with the license of another card, unless it names one."""
    (metadata, text), (more, _) = divided(card), divided(other)
    found = {key: lines for key, lines in (more or {}).items() if key.startswith("license")}
    if not found or "license" in (metadata or {}):
        return card
    return joined(with_missing(metadata, found), text)


def _card(metadata: Mapping[str, str], sections: list[Section]) -> str:
    parts = [str(section).strip("\n") for section in sections]
    return joined(dict(metadata), "\n".join(f"{part}\n" for part in parts if part))


def _sections(card: list[Section], old: list[Section], new: list[Section]) -> list[Section]:
    before = {section.kind: section for section in old if section.kind}
    after = {section.kind: section for section in new if section.kind}
    there = {section.kind for section in card}
    result: list[Section] = []
    for section in card:
        if section.kind is None:
            result.append(section)
        elif section.kind in after:
            result.append(_section(section, before.get(section.kind), after[section.kind]))
        else:
            own = [block for block in section.blocks if block.kind is None]
            if own:
                result.append(section_of(section, section.heading_of_user, own))
    order = [str(kind) for kind in after]
    for kind, section in after.items():
        if kind not in there and kind not in before:
            result.insert(_place(result, order, str(kind)), section)
    return result


def _place(sections: list[Section], order: list[str], kind: str) -> int:
    """Return where a new section goes: after the section that precedes it in a card of clx."""
    at = order.index(kind)
    for earlier in reversed(order[:at]):
        for number, section in enumerate(sections):
            if section.kind == earlier:
                return number + 1
    later = order[at:]
    return next((n for n, s in enumerate(sections) if s.kind in later), len(sections))


def _section(card: Section, old: Section | None, new: Section) -> Section:
    written = old.blocks if old else []
    known = {label_and_rest(block)[0] for block in written if block.kind == ITEM}
    blocks = [
        replace(block, kind=None)
        if block.kind == ITEM and label_and_rest(block)[0] not in known
        else block
        for block in card.blocks
    ]
    removed = {block.kind for block in written}
    removed -= {block.kind for block in blocks}
    fresh = _labeled(blocks, [block for block in new.blocks if block.kind not in removed])
    kinds = [block.kind for block in fresh]
    result: list[Block] = []
    done = 0
    for block in blocks:
        if block.kind is None:
            result.append(block)
        elif block.kind in kinds[done:]:
            end = len(kinds) - kinds[::-1].index(block.kind)
            result += fresh[done:end]
            done = end
    result += fresh[done:]
    # A user may have changed the title.
    renamed = card.kind == "title" and old is not None and card.heading != old.heading
    return section_of(card, card.heading if renamed else new.heading, result)


def _labeled(card: list[Block], new: list[Block]) -> list[Block]:
    """Return new blocks with what a user wrote behind labels, and behind labels that went."""
    items = [block for block in card if block.kind == ITEM]
    if not any(label_and_rest(item)[1] for item in items):
        return new
    labels = [label_and_rest(block)[0] for block in new if block.kind == ITEM]
    # Renamed labels keep their order.
    keys = labels if len(labels) == len(items) else [label_and_rest(item)[0] for item in items]
    rests = {key: label_and_rest(i)[1] for key, i in zip(keys, items, strict=True)}
    result = []
    for block in new:
        rest = rests.pop(label_and_rest(block)[0], "") if block.kind == ITEM else ""
        result.append(replace(block, text=block.text + rest))
    gone = [f"- {key}{rest}" for key, rest in rests.items() if rest]
    return [*result, *(Block(text, None, tight=True) for text in gone)]
