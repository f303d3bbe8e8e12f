"""The weights of checkpoints: only those that are trained, under the names that they were saved with.

transformers saves some architectures with other weight names than the model has in memory. The Trainer
(5.23) reads a checkpoint without translating them and skips names that it does not know.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from clx.errors import ResumeError, RunDirError
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.run_directory.safe_weights import weight_shapes

TRAINED = "trained.safetensors"
"""The weights of a checkpoint, if only some of the model's weights are trained."""


class CheckpointWeights:
    """A mixin for a task's Trainer.

    Attributes:
        trained_weights: the names of the weights that checkpoints hold, if the training changes only
            some of them; None for all.
    """

    trained_weights: Collection[str] | None = None

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.trained_weights is None:
            super()._save(output_dir, state_dict)  # type: ignore[misc]
            return
        folder = Path(output_dir or self.args.output_dir)  # type: ignore[attr-defined]
        folder.mkdir(parents=True, exist_ok=True)
        state = self.model.state_dict()  # type: ignore[attr-defined]
        weights = {name: state[name].detach().cpu().contiguous() for name in self.trained_weights}
        save_file(weights, folder / TRAINED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.trained_weights is not None:
            self._read_trained(resume_from_checkpoint)
            return
        super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        _read_renamed(self.model if model is None else model, resume_from_checkpoint)  # type: ignore[attr-defined]

    def _load_best_model(self) -> None:
        best = self.state.best_model_checkpoint  # type: ignore[attr-defined]
        if self.trained_weights is not None:
            self._read_trained(best)
            return
        super()._load_best_model()  # type: ignore[misc]
        _read_renamed(self.model, best)  # type: ignore[attr-defined]

    def _read_trained(self, folder: str) -> None:
        """Read the trained weights; the others are those of the base model."""
        weights = load_file(Path(folder) / TRAINED)
        if {*weights} != {*(self.trained_weights or ())}:
            raise ResumeError(f"{folder} holds the weights of another adapter: train again")
        self.model.load_state_dict(weights, strict=False)  # type: ignore[attr-defined]


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
