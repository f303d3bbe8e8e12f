"""The token that clients send. It comes from the environment or a file, never from the command line."""

from __future__ import annotations

import os
from pathlib import Path

from clx_runtime.errors import ConfigError

VARIABLE = "CLX_SERVE_TOKEN"


def token_of(file: str | Path | None) -> str | None:
    """Return the token in a file, or in the environment; None if there is neither.

    Raises:
        ConfigError: the file cannot be read, or a token is empty or not printable ASCII.
    """
    if file is None and VARIABLE not in os.environ:
        return None
    try:
        given = os.environ[VARIABLE] if file is None else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The token in {file} cannot be read: {error}") from error
    token, where = given.strip(), VARIABLE if file is None else file
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"The token in {where} must be printable ASCII without spaces")
    return token
