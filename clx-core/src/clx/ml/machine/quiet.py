"""Hiding the output of transformers while it loads and saves."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from transformers.utils import logging as transformers_logging

_NOISE = {
    "transformers.configuration_utils": ("is incompatible to the `id2label` map",),
    "transformers.modeling_utils": ("LOAD REPORT", "The tied weights mapping for this model"),
    "transformers.trainer": ("There were missing keys in the checkpoint model",),
    "transformers.trainer_utils": ("mtime may not be reliable",),
}
"""Logger → parts of messages to hide: about new heads and labels, tied weights, and how checkpoints are
sorted. clx itself compares the weights of a loaded model with its file."""


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide progress bars of loading and saving, and messages that a user cannot act on."""
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    for name in _NOISE:
        logging.getLogger(name).addFilter(_is_useful)
    try:
        yield
    finally:
        for name in _NOISE:
            logging.getLogger(name).removeFilter(_is_useful)
        if had_bars:
            transformers_logging.enable_progress_bar()


def _is_useful(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(part in message for part in _NOISE[record.name])
