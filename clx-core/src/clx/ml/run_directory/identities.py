"""The identities of a run before changes that kept its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.ml.run_directory.layout import RunDir

EARLIER = "earlier_identities"
"""The key in ``results.json`` for earlier identities of a run with the same model."""


def identities(place: RunDir) -> list[str]:
    """Return the identity of a run, and those that it had with the same model."""
    known = place.read_results().get(EARLIER)
    return [place.identity(), *(map(str, known) if isinstance(known, list) else ())]


def with_identities(results: Mapping[str, Any], place: RunDir) -> dict[str, Any]:
    """Return results for a changed copy of a run, so that its students are still known as its own.

    Args:
        results: the new results.
        place: the run before the change.
    """
    return {**results, EARLIER: identities(place)}
