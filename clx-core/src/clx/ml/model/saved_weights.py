"""Compare the weights of a loaded model with the file that it should have been loaded from.

A ``load_model`` that builds a model and ignores the folder that it is given returns random weights,
which give scores like any others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from clx.ml.run_directory.safe_weights import weight_files, weight_shapes
from clx.problems import examples

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WHOLE = 4096
"""Weights of at most this many numbers are compared completely, others by a sample of this size."""

CASTS = (torch.float16, torch.bfloat16, torch.float32)
"""The types to which a ``load_model`` may have rounded weights before it returned them."""


def weight_problems(model: PreTrainedModel, folder: Path) -> Iterator[str]:
    """Yield how the weights of a model differ from those in its folder, as sentences."""
    shapes = weight_shapes(folder)
    state, missing = _as_saved(model, shapes)
    if missing:
        yield f"it lacks the weights {examples(missing)}, which would be random numbers"
    unused = sorted(set(shapes) - set(state) - _not_read(model))
    if unused:
        yield f"its file has the weights {examples(unused)}, which load_model() does not use"
    reshaped = [
        name for name in shapes if name in state and tuple(state[name].shape) != tuple(shapes[name])
    ]
    if reshaped:
        yield f"the weights {examples(reshaped)} have other shapes than in its file"
    others = [] if reshaped or _is_quantized(model) else different_weights(state, folder)
    if others:
        yield (
            f"load_model() did not return the weights in its file: {examples(others)} have other "
            f"values. It has to load the folder that it is given, such as with "
            f"from_pretrained(model_name, **self.model_args)"
        )


def different_weights(state: Mapping[str, torch.Tensor], folder: Path) -> list[str]:
    """Return the names of weights whose values differ from those in a folder, in a sample of each.

    Weights that only one of them has, or that have another shape, are not compared.
    """
    different = []
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                own = state.get(name)
                saved = file.get_slice(name)
                if own is None or own.is_meta or tuple(own.shape) != tuple(saved.get_shape()):
                    continue
                # A slice has no way to read a single number.
                saved = saved if own.ndim else file.get_tensor(name).reshape(1)
                own = own.detach().reshape(own.shape or (1,))
                if not all(
                    _is_same(_part(saved, rows), _part(own, rows).cpu()) for rows in _rows(own)
                ):
                    different.append(name)
    return different


def _as_saved(
    model: PreTrainedModel, there: Mapping[str, Any]
) -> tuple[Mapping[str, torch.Tensor], list[str]]:
    """Return a model's weights by the names in its file, and the names that the file lacks."""
    whole = model.state_dict()
    tied = {*getattr(model, "all_tied_weights_keys", ())}
    state = {name: value for name, value in whole.items() if name not in tied}
    missing = sorted(set(state) - set(there))
    if missing:
        from transformers.core_model_loading import revert_weight_conversion

        # Some architectures have other weight names, or merged weights, in their files.
        state = revert_weight_conversion(model, state)
        missing = sorted(set(state) - set(there))
    return {**{name: whole[name] for name in tied if name in whole}, **state}, missing


def _not_read(model: PreTrainedModel) -> set[str]:
    """Return the names of buffers that are not weights, but that older versions saved."""
    return {name for name, _ in model.named_buffers()}


def _is_quantized(model: PreTrainedModel) -> bool:
    return getattr(model.config, "quantization_config", None) is not None


def _rows(tensor: torch.Tensor) -> list[slice | None]:
    """Return the rows to compare; None stands for the whole tensor."""
    if tensor.numel() <= WHOLE:
        return [None]
    last = tensor.shape[0] - 1
    each = WHOLE // 4 if tensor.ndim == 1 else 1
    return [slice(start, start + each) for start in sorted({0, last // 3, last // 2, last})]


def _part(tensor: Any, rows: slice | None) -> torch.Tensor:
    part: torch.Tensor = tensor[:] if rows is None else tensor[rows]
    return part.reshape(-1)[:WHOLE]


def _is_same(saved: torch.Tensor, own: torch.Tensor) -> bool:
    if not (saved.is_floating_point() and own.is_floating_point()):
        return torch.equal(saved, own.to(saved.dtype))
    return any(
        torch.equal(torch.nan_to_num(saved.to(cast).to(own.dtype)), torch.nan_to_num(own))
        for cast in (own.dtype, *CASTS)
    )
