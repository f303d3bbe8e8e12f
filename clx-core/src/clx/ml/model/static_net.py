"""A static student as a torch module, so that its last layer can be fitted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clx_runtime.static_files import (
    EMBEDDINGS,
    SCALES,
    TOKEN_WEIGHTS,
    StudentFiles,
    read_student,
    write_student,
)

if TYPE_CHECKING:
    from clx_runtime.settings import Settings


@dataclass(frozen=True)
class Scores:
    """The output of the module.

    Attributes:
        logits: shape (texts, labels).
    """

    logits: Tensor


class StaticNet(nn.Module):
    """A static student that reads padded tokens as a model of transformers does.

    Args:
        files: the student.

    Attributes:
        config: the entries of a model's config that clx reads.
    """

    def __init__(self, files: StudentFiles) -> None:
        super().__init__()
        self._files = files
        weights = {name: torch.from_numpy(array.copy()) for name, array in files.weights.items()}
        vectors = weights[EMBEDDINGS].float()
        for name in (SCALES, TOKEN_WEIGHTS):
            if name in weights:
                vectors = vectors * weights[name][:, None]
        self.vectors = nn.Embedding(len(vectors), vectors.shape[1], _weight=vectors)
        self.norm = nn.LayerNorm(vectors.shape[1], eps=files.layer_norm_eps)
        self.hidden = nn.Linear(vectors.shape[1], len(weights["hidden.bias"]))
        self.output = nn.Linear(self.hidden.out_features, len(weights["output.bias"]))
        for name in ("norm", "hidden", "output"):
            layer = self.get_submodule(name)
            for part in ("weight", "bias"):
                setattr(layer, part, nn.Parameter(weights[f"{name}.{part}"]))
        labels = files.settings.labels
        self.config: Any = SimpleNamespace(
            problem_type=files.settings.problem_type,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            model_type="static",
        )

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.output.weight.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> Scores:
        """Return the logits of padded tokens, shape (texts, tokens)."""
        mask = attention_mask.unsqueeze(-1).float()
        mean = (self.vectors(input_ids) * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return Scores(self.output(torch.relu(self.hidden(self.norm(mean)))))

    def write(self, folder: Path, decision: Mapping[str, Any]) -> None:
        """Write the student with the last layer and the labels that it has now.

        Args:
            folder: the new ``model/``.
            decision: the settings that say how the run decides.
        """
        weights = {
            **self._files.weights,
            "output.weight": self.output.weight.detach().cpu().numpy(),
            "output.bias": self.output.bias.detach().cpu().numpy(),
        }
        labels = [self.config.id2label[number] for number in range(self.output.out_features)]
        settings: Settings = replace(self._files.settings, labels=labels, **decision)
        write_student(folder, settings, self._files.tokenizer, weights, self._files.layer_norm_eps)


def static_net(folder: Path) -> StaticNet:
    """Return the static student in a run's ``model/`` as a module, in evaluation mode.

    Raises:
        RunDirError: a file is damaged.
    """
    return StaticNet(read_student(folder)).eval()
