"""Before a training, check that ``load_model`` will open what it is about to train."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import ModelError, RunDirError
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.saved_model import load_saved_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.training.job import Job


def require_reopenable(job: Job, model: PreTrainedModel) -> None:
    """Save and load a model that ``load_model`` made from ``model_args["config"]``.

    Such a method may make the same model again, with random weights, instead of loading the folder
    that it is given. Otherwise, this would be found after the training.

    Raises:
        ModelError: the loaded model is not the saved one.
    """
    if "config" not in job.task.model_args or job.earlier is not None:
        return
    with tempfile.TemporaryDirectory(prefix="clx-untrained-") as name, quiet_transformers():
        folder = Path(name)
        model.save_pretrained(folder)
        try:
            load_saved_model(job.task, folder, job.tokenizer)
        except RunDirError as error:
            said = str(error).replace(str(folder), "the run")
            raise ModelError(
                f"The model of the task {job.task.name!r} could not be opened again after its "
                f"training: {said}"
            ) from error
