"""An exported model in place of the model of a pipeline: the pipeline runs, and a session computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.utils import ModelOutput

from clx.errors import ExportError
from clx.problems import names

if TYPE_CHECKING:
    from clx_runtime.exported_model import ExportedModel


class SessionModel(torch.nn.Module):
    """Has what pipelines read of a model, and no weights of its own.

    Args:
        exported: the exported model, whose settings name its outputs.
        config: the config of the trained model.

    Attributes:
        config: the config.
        device: where its inputs and outputs are, the CPU. The session may compute elsewhere.
        dtype: the type of its outputs.
        input_modalities: what it reads, for the repr of a pipeline.
    """

    input_modalities = ("text",)

    def __init__(self, exported: ExportedModel, config: Any) -> None:
        super().__init__()
        self.exported = exported
        self.config = config
        self.device = torch.device("cpu")
        self.dtype = torch.float32

    def can_generate(self) -> bool:
        """Return False: a session computes one step."""
        return False

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        **others: Any,
    ) -> ModelOutput:
        """Return the outputs of a batch by name, as tensors.

        Raises:
            ExportError: the pipeline does not pass an input of the exported model.
        """
        given = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            **others,
        }
        missing = [name for name in self.exported.settings.inputs if given.get(name) is None]
        if missing:
            raise ExportError(
                f"The pipeline of this task does not pass {names(missing)} to its model, which the "
                f"exported model needs. Pass everything that the tokenizer returns"
            )
        feeds = {name: given[name].cpu().numpy() for name in self.exported.settings.inputs}
        found = ModelOutput()
        for name, values in self.exported.outputs(feeds).items():
            found[name] = torch.from_numpy(values)
        return found


def session_model(exported: ExportedModel, config: Any) -> Any:
    """Return an exported model for a pipeline, under the name of the trained model's class.

    Pipelines log an error for a class that they do not know.
    """
    architecture = (config.architectures or [SessionModel.__name__])[0]
    kind = type(architecture, (SessionModel,), {})
    return kind(exported, config).eval()
