"""Whether the weights of a model are numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def not_finite(model: PreTrainedModel) -> list[str]:
    """Return the names of weights in which there is NaN or an infinity."""
    import torch

    bad = []
    for name, value in model.named_parameters():
        if value.is_floating_point() and value.numel() and not value.is_meta:
            # The extremes, since they take no memory; NaN is both.
            low, high = torch.aminmax(value.detach())
            if not (torch.isfinite(low) and torch.isfinite(high)):
                bad.append(name)
    return bad
