"""Requests to the Hub: an answer within seconds, and failures as errors that say what to do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from clx.errors import ClxError, HubError, RunNotFoundError

T = TypeVar("T")

TIMEOUT_S = 3
"""The limit for each phase of the first request, such as connecting."""

FIRST_ANSWER_S = 4
"""The limit for the whole first request. A look-up of a host name has no limit of its own."""


def require_online(what: str) -> None:
    """Raise a :class:`HubError` if the Hub is switched off."""
    if is_offline():
        raise HubError(
            f"{what}: HF_HUB_OFFLINE is set, so the Hub is not asked. Unset it and try again."
        )


def is_offline() -> bool:
    """Return whether an environment variable has switched the Hub off."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def first_answer(request: Callable[[], T]) -> T:
    """Return the result of a request, or raise its error, within seconds.

    Raises:
        TimeoutError: there is no answer.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            results.append(request())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=ask, name="clx-hub", daemon=True)
    thread.start()
    thread.join(FIRST_ANSWER_S)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"the Hub did not answer within {FIRST_ANSWER_S} seconds")
    return results[0]


@contextlib.contextmanager
def hub_errors(what: str, repo: str, token: str | None = None) -> Iterator[None]:
    """Turn the errors of requests into errors that name the cause and the remedy.

    Args:
        what: the start of the message, such as ``"The run is not shared"``.
        repo: the repository.
        token: the token of the requests; None for the stored one, if there is one.

    Raises:
        RunNotFoundError: there is no such repository or revision, as far as the caller may see.
        HubError: the Hub cannot be reached, or refuses.
    """
    try:
        yield
    except ClxError:
        raise
    except Exception as error:
        kind = RunNotFoundError if is_missing(error) else HubError
        raise kind(f"{what}: {_reason(error, repo, token)}") from error


def is_missing(error: BaseException) -> bool:
    """Return whether the Hub said that there is no such repository, revision or file."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError | LocalEntryNotFoundError):
        return False
    missing = (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError)
    # The Hub answers 401 to a caller without a valid token, whether there is a repository or not.
    return isinstance(error, missing) and _status(error) != 401


def _reason(error: Exception, repo: str, token: str | None) -> str:
    from huggingface_hub import get_token
    from huggingface_hub.errors import RevisionNotFoundError

    status = _status(error)
    if status == 401 and token is None and get_token() is None:
        return (
            f"there is no repository {repo} that everybody may read, and no token to read a private "
            f"one. Log in with `hf auth login`, or set HF_TOKEN."
        )
    if status == 401:
        return (
            "the Hub does not accept the token. Log in again with `hf auth login`, or correct "
            "HF_TOKEN."
        )
    if status == 403:
        return (
            f"the token does not permit this in {repo}. Use a token with write access to it to "
            f"share, or with read access to open, or ask its owner."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no such revision: correct the branch, tag or commit."
    if status == 404:
        return f"there is no repository {repo}, or the token may not see it: correct the name."
    if status in (409, 412):
        return f"{repo} was changed meanwhile. Try again."
    if status is not None:
        return f"the Hub answered with the status {status} ({_first_line(error)}). Try again later."
    said = f"{type(error).__name__}: {_first_line(error)}"
    if any(_is_of_network(each) for each in _causes(error)):
        return f"the Hub cannot be reached ({said}). Go online and try again."
    return f"{said}. Nothing was changed on this machine. Try again."


def _is_of_network(error: BaseException) -> bool:
    network = isinstance(error, OSError | TimeoutError)
    return network or type(error).__module__.partition(".")[0].startswith(("httpx", "httpcore"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int | None:
    for each in _causes(error):
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _first_line(error: BaseException) -> str:
    lines: list[Any] = str(error).strip().splitlines()
    return str(lines[0])[:200] if lines else "no message"
