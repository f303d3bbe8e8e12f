"""The metadata of a model card, which the Hub reads: clx's entries and the user's."""

from __future__ import annotations

import json
import re
from typing import Any

_KEY = re.compile(r"""["']?([A-Za-z_][\w-]*)["']?\s*:|(#.*)""")
_INDEX = "model-index"
_OF_CLX = re.compile(r"\d+ rows of the eval data")

Metadata = dict[str, str]
"""Each key with its lines, as they were read."""


def divided(card: str) -> tuple[Metadata | None, str]:
    """Return the metadata of a card, None if it has none, and the text after it."""
    card = card.removeprefix("\ufeff")
    match = re.match(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", card, re.DOTALL | re.MULTILINE)
    if match is None:
        return None, card
    found: dict[str, list[str]] = {"": []}
    last = ""
    for line in match[1].splitlines():
        key = _KEY.match(line)
        last = key[1] or key[2] if key else last
        found.setdefault(last, []).append(line)
    return {key: "\n".join(lines) for key, lines in found.items() if lines}, card[match.end() :]


def joined(metadata: Metadata | None, text: str) -> str:
    """Return a card."""
    if not metadata:
        return text.lstrip("\n")
    return "\n".join(["---", *metadata.values(), "---", "", text.lstrip("\n")])


def updated(card: Metadata | None, old: Metadata, new: Metadata) -> Metadata:
    """Return the metadata of a card after a change of the run.

    A key of a user stays. So does a key of clx whose value does not change: a user may have changed
    or removed it.

    Args:
        card: what the card has.
        old: what clx wrote before the change.
        new: what clx writes after it.
    """
    result = dict(card or {})
    for key in dict.fromkeys((*old, *new)):
        before, after, there = old.get(key), new.get(key), result.get(key)
        if key == _INDEX and there is not None:
            after = _index(there, after)
            if after is None:
                result.pop(key)
            else:
                result[key] = after
        elif after is not None and after != before and (there is not None or before is None):
            result[key] = after
    return result


def with_missing(card: Metadata | None, other: Metadata) -> Metadata:
    """Return the metadata of a card with the keys and the tags of another one that it lacks."""
    result = dict(card or {})
    for key, lines in other.items():
        if key == "tags" and key in result:
            own, more = (_values(text, key) for text in (result[key], lines))
            missing = [tag for tag in more if tag not in own] if _are_lists(own, more) else []
            if missing:
                result[key] = f"tags: {json.dumps([*own, *missing], default=str)}"
        elif key != _INDEX:
            result.setdefault(key, lines)
    return result


def _index(card: str, new: str | None) -> str | None:
    """Return the results in a card, with those of clx replaced and those of a user kept."""
    own = [] if new is None else _values(new, _INDEX)
    models = _values(card, _INDEX)
    if not isinstance(models, list) or not isinstance(own, list):
        return card
    kept = [
        {**model, "results": others}
        for model in models
        if isinstance(model, dict) and (others := [r for r in _results(model) if not _is_ours(r)])
    ]
    if not kept:
        return new
    if own and kept[0].get("name") == models[0].get("name"):
        kept[0]["results"] = [*_results(own[0]), *kept[0]["results"]]
        own = []
    return f"{_INDEX}: {json.dumps([*own, *kept], ensure_ascii=False, default=str)}"


def _values(text: str, key: str) -> Any:
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.safe_load(text)[key]
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return None


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, list) for value in values)


def _results(model: dict[str, Any]) -> list[Any]:
    results = model.get("results")
    return results if isinstance(results, list) else []


def _is_ours(result: Any) -> bool:
    data = result.get("dataset") if isinstance(result, dict) else None
    if not isinstance(data, dict):
        return False
    return data.get("type") == "private" and bool(_OF_CLX.fullmatch(str(data.get("name"))))
