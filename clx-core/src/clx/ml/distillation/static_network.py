"""A static student in torch, as it is trained; :mod:`clx_runtime.static_model` predicts with NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clx_runtime.static_files import EMBEDDINGS, LAYER_NORM_EPS

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Bags:
    """The concatenated tokens of texts.

    Attributes:
        flat: the ids of all tokens, shape (tokens of all texts,).
        starts: where each text starts in ``flat``, and the end, shape (texts + 1,).
    """

    flat: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens of some texts, and where each of these starts."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        offsets = lengths.cumsum(0) - lengths
        inside = torch.arange(int(lengths.sum())) - offsets.repeat_interleave(lengths)
        return self.flat[self.starts[rows].repeat_interleave(lengths) + inside], offsets


class StaticNetwork(nn.Module):
    """The mean of the tokens' vectors, LayerNorm, one hidden layer, and one score per label.

    Args:
        embeddings: the first vectors, shape (tokens, dim).
        hidden: the size of the hidden layer.
        labels: the number of labels.
        dropout: the share of a text's mean that is dropped in training.
    """

    def __init__(self, embeddings: Tensor, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        dim = embeddings.shape[1]
        self.embeddings = nn.EmbeddingBag.from_pretrained(embeddings, freeze=False, mode="mean")
        self.norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.hidden = nn.Linear(dim, hidden)
        self.output = nn.Linear(hidden, labels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, offsets: Tensor) -> Tensor:
        """Return the logits, shape (texts, labels)."""
        means = self.norm(self.embeddings(tokens, offsets))
        hidden = torch.relu(self.hidden(self.dropout(means)))
        logits: Tensor = self.output(self.dropout(hidden))
        return logits

    def tensors(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the weights by the names of a student's file."""
        state = {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}
        state[EMBEDDINGS] = state.pop(f"{EMBEDDINGS}.weight")
        return state

    def divide(self, temperature: float) -> None:
        """Divide the logits by a number."""
        with torch.no_grad():
            self.output.weight.div_(temperature)
            self.output.bias.div_(temperature)


def logits_of(network: StaticNetwork, bags: Bags, rows: Tensor, size: int = 4096) -> Tensor:
    """Return the logits of some texts, without a gradient."""
    network.eval()
    with torch.inference_mode():
        parts = [network(*bags.take(some)) for some in torch.split(rows, size)]
    return torch.cat(parts).clone() if parts else torch.empty(0, network.output.out_features)
