"""Share a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.run.continuing import ContinuingRun
from clx.ml.run.saved import run_of_config
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe

if TYPE_CHECKING:
    from clx.ml.results.pushed import PushResult


class SharingRun(ContinuingRun):
    """A trained run that can be shared with others."""

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool | None = None,
        revision: str | None = None,
        message: str | None = None,
        license: str | None = None,
        include_texts: bool = False,
        token: str | None = None,
    ) -> PushResult:
        """Share the trained run on the Hugging Face Hub, in one commit.

        ``training_run(load="hf://owner/name")`` opens it, with its thresholds and labels, and
        ``transformers.pipeline(..., model="owner/name")`` its model alone. Local paths, tokens, and
        texts of the data are left out; the result lists what was.

        Args:
            repo: the repository, ``owner/name``. An existing one gets a new commit.
            private: whether a new repository is private, which is the default. True refuses an
                existing public one.
            revision: the branch to commit to, made if it does not exist; None is ``main``.
            message: the message of the commit.
            license: the license of the model, as the Hub spells it, such as ``"apache-2.0"``.
                None keeps the one in the model card, here or on the Hub, if it has any.
            include_texts: share the texts in results and report too: mistakes, suspicious labels, and
                the examples of the data check.
            token: a token with write access; None uses that of ``hf auth login`` or ``HF_TOKEN``.

        Raises:
            NotTrainedError: there is no trained model.
            ConfigError: an argument has a wrong value, or a file of the run has a local path in it.
            HubError: the Hub cannot be reached within seconds, or refuses.
            RunDirError: the run is damaged.
        """
        from clx.ml.sharing.push import Push, push_run

        directory = self._trained_directory()
        push = Push(repo, private, revision, message, license, include_texts, token)

        def opens(copy: RunDir) -> None:
            config = copy.read_config()
            copy.check()
            refuse_unsafe(copy, self.trust_remote_code, config)
            run_of_config(type(self), copy, config, None)

        return push_run(self, directory, push, opens)
