"""The files of an adapter, which PEFT adds to the base model: ``PeftModel.from_pretrained``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.model.lora.adapter import Adapter
from clx.ml.model.lora.targets import is_within
from clx.ml.run_directory.safe_adapter import WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from clx.ml.model.lora.base import NamedBase

PREFIX = "base_model.model."
"""The prefix that PEFT puts before the names of weights."""


@dataclass(frozen=True)
class AdapterFiles:
    """The data that a trained adapter's files are written from after the merge.

    Attributes:
        config: PEFT's configuration of the adapter.
        weights: the adapter's own weights.
        whole: the names of the modules that the files contain whole, as they are in the model.
    """

    config: Any
    weights: Mapping[str, Tensor]
    whole: list[str]

    def write(self, model: PreTrainedModel, base: NamedBase, folder: Path) -> None:
        """Write the files.

        Args:
            model: the published model, whose head may have changed since the training.
            base: how the files name the base model.
            folder: the new folder.
        """
        from safetensors.torch import save_file

        folder.mkdir()
        state = {
            name: weight.detach().cpu().clone().contiguous()
            for name, weight in model.state_dict().items()
            if any(is_within(name, module) for module in self.whole)
        }
        named = {f"{PREFIX}{name}": weight for name, weight in {**self.weights, **state}.items()}
        save_file(named, folder / WEIGHTS, metadata={"format": "pt"})
        self.config.target_modules = sorted(self.config.target_modules)
        self.config.modules_to_save = list(self.whole)
        self.config.base_model_name_or_path = base.name
        self.config.revision = base.revision
        self.config.inference_mode = True
        self.config.save_pretrained(folder)


def files_of(adapter: Adapter) -> AdapterFiles:
    """Return the source of the adapter's files; call it before the adapter is merged."""
    return AdapterFiles(adapter.config, adapter.weights(), adapter.whole)
