"""The model card of a shared run, with what its owner wrote into it here or on the Hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.run_directory.downloaded import origin_on_hub
from clx.ml.run_directory.hub_address import FOLDER, hub_address
from clx.ml.run_directory.hub_requests import is_missing
from clx.ml.run_directory.layout import CARD, MANIFEST, RunDir
from clx.ml.training.card_changes import card_after, with_license_of, with_text_of
from clx.ml.training.model_card import model_card
from clx_runtime.files import read_json_or_empty, read_text

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class HubCard:
    """The card in a repository.

    Attributes:
        text: its text.
        edited: whether it is not what clx pushed.
    """

    text: str
    edited: bool


DIGEST = "card"
"""The key of a shared manifest for the SHA-256 of the card without what was written on the Hub.

As long as the card in the repository differs from it, somebody wrote into it there.
"""


def shared_card(
    task: Task,
    source: RunDir,
    described: tuple[Mapping[str, Any], Mapping[str, Any]],
    repository: str,
    license: str | None,
    on_hub: HubCard | None,
) -> tuple[str, str]:
    """Return the card to share, and its digest without what was written on the Hub.

    Args:
        task: the run.
        source: its directory.
        described: the config and the results of the copy to share.
        repository: ``owner/name``.
        license: the license, None for the one in the card here, or else on the Hub.
        on_hub: the card in the repository, None if there is none.
    """
    config, results = described
    own = card_after(task, source, config, results, repository, license)
    card = model_card(task, config, results, repository, license) if own is None else own
    if on_hub is None:
        return card, digest(card)
    # A push with license= may be the only place that names it.
    card = with_license_of(card, on_hub.text)
    # A downloaded run has no card: what its owner wrote is only on the Hub.
    keeps = on_hub.edited or own is None
    return with_text_of(card, on_hub.text) if keeps else card, digest(card)


def card_on_hub(api: HfApi, repository: str, branch: str) -> HubCard | None:
    """Return the card in a repository, None if there is none.

    A new branch begins with what ``main`` has.
    """
    for revision in dict.fromkeys((branch, "main")):
        try:
            path = api.hf_hub_download(repository, CARD, revision=revision)
        except Exception as error:
            if not is_missing(error):
                raise
            continue
        text = read_text(Path(path).resolve())
        pushed = _manifest(api, repository, revision).get(DIGEST)
        return HubCard(text, edited=pushed != digest(text))
    return None


def card_of_origin(api: HfApi, source: RunDir) -> HubCard | None:
    """Return the card of the repository that a run was downloaded from, None without a card.

    A download has no card, so what its owner wrote is only there.
    """
    origin = origin_on_hub(source)
    if origin is None:
        return None
    address = hub_address(origin)
    try:
        path = api.hf_hub_download(address.repo, CARD, revision=address.revision)
    except Exception as error:
        if not is_missing(error):
            raise
        return None
    return HubCard(read_text(Path(path).resolve()), edited=True)


def digest(card: str) -> str:
    """Return what the shared manifest says about a card."""
    return hashlib.sha256(card.encode()).hexdigest()


def _manifest(api: HfApi, repository: str, revision: str) -> dict[str, Any]:
    try:
        path = api.hf_hub_download(repository, f"{FOLDER}/{MANIFEST}", revision=revision)
    except Exception as error:
        if not is_missing(error):
            raise
        return {}
    return read_json_or_empty(Path(path).resolve())
