"""The task ``mlm``: a base model learns the language of a domain from unlabeled texts."""

from __future__ import annotations

from typing import Any

from clx.ml import TrainingRun


class MaskedLanguageModelRun(TrainingRun):
    """Masked language modeling on a column of texts."""

    name = "mlm"
    pipeline_args = {"task": "fill-mask"}

    def validate_data_format(self, data: Any) -> None:
        """Raise if there are no texts."""

    def load_model(self, model_name: str | None = None) -> Any:
        """Return a masked language model."""
        from transformers import AutoModelForMaskedLM

        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)
