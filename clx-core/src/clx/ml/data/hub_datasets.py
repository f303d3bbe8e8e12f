"""Data sets of the Hugging Face Hub by their id, from the cache of ``datasets`` or from the Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from clx.errors import DataFormatError
from clx.problems import cell

HUB_TIMEOUT_S = 5

DATASET_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
FILE_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,7}$")


def may_be_dataset_id(source: str) -> bool:
    """Return whether a source has the form of a Hub id, and is not an existing path."""
    return DATASET_ID.fullmatch(source) is not None and not Path(source).exists()


def load_hub_dataset(source: str, why: DataFormatError) -> Any:
    """Return a data set from the cache or the Hub, with its splits.

    A name that ends like a file name is looked up in the cache only. It is probably a mistyped file
    name, which must not be sent to the Hub.

    Args:
        source: the id, such as ``"user/name"``.
        why: the error from all other ways to open the source.

    Raises:
        DataFormatError: there is no such data set, or it cannot be read.
    """
    if not is_cached(source):
        absent = f"{why} {cell(source)} is not a data set in the Hub cache either"
        if FILE_SUFFIX.search(source):
            raise DataFormatError(f"{absent}.") from why
        if _is_offline():
            raise DataFormatError(f"{absent}, and HF_HUB_OFFLINE is set.") from why
        _ask_hub(source, absent)
    from datasets import load_dataset

    try:
        return load_dataset(source)
    except Exception as error:
        raise DataFormatError(
            f"The data set {source!r} cannot be read: {type(error).__name__}: {error}\nIf it has "
            f"several configurations, pass datasets.load_dataset({source!r}, NAME) instead."
        ) from error


def is_cached(source: str) -> bool:
    """Return whether ``datasets`` has prepared a data set of this id. Nothing heavy is imported."""
    from huggingface_hub.constants import HF_HOME

    default = os.path.join(HF_HOME, "datasets")  # noqa: PTH118
    cache = Path(os.environ.get("HF_DATASETS_CACHE") or default).expanduser()
    *owner, name = source.split("/")
    # As datasets.naming.camelcase_to_snakecase does.
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
    return any(path.is_dir() for path in (cache / "___".join([*owner, name])).glob("*/*/*"))


def _is_offline() -> bool:
    from huggingface_hub.constants import ENV_VARS_TRUE_VALUES, HF_HUB_OFFLINE

    own = os.environ.get("HF_DATASETS_OFFLINE")
    return HF_HUB_OFFLINE if own is None else own.upper() in ENV_VARS_TRUE_VALUES


def _ask_hub(source: str, absent: str) -> None:
    from huggingface_hub import HfApi

    try:
        # A short request first, because load_dataset retries for a long time on a hanging network.
        HfApi().dataset_info(source, timeout=HUB_TIMEOUT_S)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
        raise DataFormatError(f"{absent}, and the Hub did not return it ({reason}).") from error
