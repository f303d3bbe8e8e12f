"""Read a checkpoint's weights under the names that they were saved with.

transformers saves some architectures with other weight names than the model has in memory. The Trainer
(5.23) reads a checkpoint without translating them and skips names that it does not know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from clx.errors import RunDirError
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.run_directory.safe_weights import weight_shapes


class CheckpointWeights:
    """A mixin for a task's Trainer."""

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        _read_renamed(self.model if model is None else model, resume_from_checkpoint)  # type: ignore[attr-defined]

    def _load_best_model(self) -> None:
        super()._load_best_model()  # type: ignore[misc]
        _read_renamed(self.model, self.state.best_model_checkpoint)  # type: ignore[attr-defined]


def restore_weights(trainer: Any, folder: Path) -> None:
    """Give the Trainer's model the weights of a checkpoint."""
    trainer._load_from_checkpoint(str(folder))


def _read_renamed(model: Any, folder: str) -> None:
    """Read the weights again if the folder lacks the names of some of the model's weights."""
    if not isinstance(model, PreTrainedModel):
        return
    try:
        there = weight_shapes(Path(folder))
    except RunDirError:
        # Weights of another kind, such as those of DeepSpeed.
        return
    tied = {*getattr(model, "all_tied_weights_keys", ())}
    if {*model.state_dict()} - tied <= {*there}:
        return
    with quiet_transformers():
        saved = type(model).from_pretrained(folder, local_files_only=True, use_safetensors=True)
    model.load_state_dict(saved.state_dict())
