"""What must not be replaced: asked before a training loads anything."""

from __future__ import annotations

from clx.errors import ResumeError, RunExistsError
from clx.ml.run_directory.layout import OUR_NAMES, RunDir


def refuse_existing(target: RunDir, overwrite: bool, resume: bool) -> None:
    """Refuse to train over something that must not, or need not, be replaced."""
    if not target.path.exists():
        return
    foreign = {path.name for path in target.path.iterdir()} if target.path.is_dir() else {""}
    if not foreign & OUR_NAMES and foreign:
        raise RunExistsError(
            f"{target.path} exists and is no run of clx; it is never replaced. Take another "
            f"run_name or run_dir_parent."
        )
    if not target.is_complete():
        return
    if resume and not overwrite and not target.checkpoints.is_dir():
        raise ResumeError(
            f"The training in {target.path} is finished: there is nothing to resume. Pass "
            f"overwrite=True to train anew."
        )
    if not overwrite and not resume:
        raise RunExistsError(
            f"There is a trained run in {target.path}. Pass overwrite=True to replace it (it stays "
            f"until the new one is complete), or take another run_name."
        )
