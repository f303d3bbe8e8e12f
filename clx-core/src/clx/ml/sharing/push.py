"""Push a copy of a run to the Hub in one commit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, HubError
from clx.ml.machine.distributed import require_main_process
from clx.ml.results.pushed import PushResult
from clx.ml.run_directory.hub_address import (
    FOLDER,
    HubAddress,
    check_repository,
    check_revision,
    repository_path,
)
from clx.ml.run_directory.hub_requests import (
    TIMEOUT_S,
    first_answer,
    hub_errors,
    is_missing,
    require_online,
)
from clx.ml.run_directory.layout import CARD, MANIFEST, MODEL, RunDir
from clx.ml.sharing.card import card_of_origin, card_on_hub, shared_card
from clx.ml.sharing.shared_copy import SharedCopy, shared_copy, uploaded_files, workplace
from clx.problems import cell
from clx_runtime.files import read_json

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from clx.ml.task.task import Task

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_WHAT = "The run is not shared"


@dataclass(frozen=True)
class Push:
    """The arguments of :meth:`clx.ml.TrainingRun.push_to_hub`.

    Attributes:
        repo: the repository, ``owner/name``.
        private: see the method.
        revision: the branch, None for ``main``.
        message: the message of the commit, None for one that names run and clx.
        license: the license of the model, in the Hub's spelling.
        include_texts: whether to share texts of the data.
        token: the token for the Hub, None for the stored one.
    """

    repo: str
    private: bool | None = None
    revision: str | None = None
    message: str | None = None
    license: str | None = None
    include_texts: bool = False
    token: str | None = None

    @property
    def branch(self) -> str:
        """The branch that gets the commit."""
        return self.revision or "main"


def push_run(task: Task, source: RunDir, push: Push, opener: Callable[[RunDir], Any]) -> PushResult:
    """Share a trained run; see :meth:`clx.ml.TrainingRun.push_to_hub`.

    Args:
        task: the run.
        source: its directory.
        push: the arguments.
        opener: opens a run directory, with the checks of a user's opening.
    """
    require_main_process(f"share {source.path}")
    _check(push)
    api = _connected(push)
    with hub_errors(_WHAT, push.repo, push.token):
        existing = _existing(api, push)
        on_hub = card_on_hub(api, push.repo, push.branch) if existing else None
        on_hub = on_hub or card_of_origin(api, source)
    with workplace(source) as folder:
        copy = shared_copy(
            source,
            folder,
            push.include_texts,
            lambda *described: shared_card(
                task, source, described, push.repo, push.license, on_hub
            ),
        )
        # Whoever downloads the copy gets exactly this.
        opener(copy.directory)
        with hub_errors(_WHAT, push.repo, push.token):
            revision = _commit(api, push, copy)
        files = tuple(sorted(repository_path(name) for name in uploaded_files(copy)))
    return PushResult(
        f"{api.endpoint}/{push.repo}/tree/{revision}",
        push.repo,
        revision,
        files,
        tuple(copy.left_out),
        push.include_texts,
    )


def _check(push: Push) -> None:
    """Check the arguments before the Hub is asked.

    Raises:
        ConfigError: an argument has a wrong value.
    """
    check_repository(push.repo)
    if push.revision is not None:
        check_revision(push.revision)
        if HubAddress(push.repo, push.revision).commit is not None:
            raise ConfigError("revision must be a branch to commit to, not the hash of a commit")
    if push.private is not None and not isinstance(push.private, bool):
        raise ConfigError(f"private must be true, false or None, but is {cell(push.private)}")
    if not isinstance(push.include_texts, bool):
        raise ConfigError(f"include_texts must be true or false, but is {cell(push.include_texts)}")
    for name in ("message", "token"):
        value = getattr(push, name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ConfigError(f"{name} must be a text or None")
    text = push.license
    if text is not None and (not isinstance(text, str) or not _LICENSE.fullmatch(text)):
        raise ConfigError(
            f"license must be an identifier of the Hub such as 'apache-2.0' or 'other', but is "
            f"{cell(text)}"
        )


def _connected(push: Push) -> HfApi:
    """Return the client.

    Raises:
        HubError: the Hub is switched off, or there is no token.
    """
    require_online(_WHAT)
    from huggingface_hub import HfApi, get_token

    if push.token is None and get_token() is None:
        raise HubError(
            f"{_WHAT}: there is no token for the Hub. Create one with write access, then log in with "
            f"`hf auth login`, or set HF_TOKEN."
        )
    return HfApi(token=push.token)


def _existing(api: HfApi, push: Push) -> Any:
    """Return what the Hub says about the repository, None if there is none.

    Raises:
        ConfigError: the repository is public, and the caller asked for a private one.
    """
    try:
        info = first_answer(lambda: api.model_info(push.repo, timeout=TIMEOUT_S))
    except Exception as error:
        if is_missing(error):
            return None
        raise
    if push.private and not info.private:
        raise ConfigError(
            f"{_WHAT}: the repository {push.repo} exists and is public, so private=True is "
            f"impossible. Make it private on the Hub, choose another name, or leave private out."
        )
    return info


def _commit(api: HfApi, push: Push, copy: SharedCopy) -> str:
    """Create what is missing of repository and branch, and commit. Return the commit's hash."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    if _existing(api, push) is None:
        api.create_repo(push.repo, private=push.private is not False, exist_ok=True)
    if push.branch != "main":
        api.create_branch(push.repo, branch=push.branch, exist_ok=True)
    head = api.model_info(push.repo, revision=push.branch)
    present = {file.rfilename for file in head.siblings or ()}
    names = uploaded_files(copy)
    added = {repository_path(name): copy.directory.path / name for name in names}
    stale = (_shared_before(api, push, str(head.sha), present) & present) - set(added)
    operations: list[Any] = [
        *(CommitOperationAdd(path, str(file)) for path, file in sorted(added.items())),
        *(CommitOperationDelete(path) for path in sorted(stale)),
    ]
    commit = api.create_commit(
        push.repo,
        operations,
        commit_message=push.message or f"Share the clx run {copy.directory.path.name}",
        revision=push.branch,
        parent_commit=head.sha,
    )
    return str(commit.oid)


def _shared_before(api: HfApi, push: Push, commit: str, present: set[str]) -> set[str]:
    """Return the files of the run that the branch has now, which this push replaces."""
    manifest_path = f"{FOLDER}/{MANIFEST}"
    if manifest_path not in present:
        return set()
    path = Path(api.hf_hub_download(push.repo, manifest_path, revision=commit))
    files = read_json(path.resolve()).get("files")
    model = {
        repository_path(name)
        for name in (files if isinstance(files, dict) else ())
        if isinstance(name, str) and name.startswith(f"{MODEL}/")
    }
    own = {name for name in present if name.startswith(f"{FOLDER}/")}
    return (model - {CARD}) | own
