"""Finding weights that are not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def not_finite(model: PreTrainedModel) -> list[str]:
    """Return the names of the weights that contain NaN or infinity."""
    import torch

    bad = []
    for name, value in model.named_parameters():
        if value.is_floating_point() and value.numel() and not value.is_meta:
            # The extremes take no memory to compute, and aminmax propagates NaN.
            low, high = torch.aminmax(value.detach())
            if not (torch.isfinite(low) and torch.isfinite(high)):
                bad.append(name)
    return bad
