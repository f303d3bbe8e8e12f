"""The forms of requests that clients send."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_TEXT = "I lost my card"
_INPUT = "A text, or a list of texts. For a run that reads several texts together: a list of these."


class _Lenient(BaseModel):
    """A form of other servers, whose clients may send more."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Parameters(_Lenient):
    """The parameters of the Inference API."""

    top_k: int | None = Field(None, ge=1, description="Return the best labels only.")
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = Field(
        None, description="The function of the scores; by default the run's own."
    )


class HubForm(_Lenient):
    """A request of the Inference API, as `huggingface_hub.InferenceClient` sends it."""

    inputs: Any = Field(description=_INPUT, examples=[_TEXT])
    parameters: Parameters | None = None


class PredictForm(_Lenient):
    """A request of Text Embeddings Inference."""

    inputs: Any = Field(
        description="A text, a pair [text, text], or a batch [[text], [text, text], ...].",
        examples=[_TEXT],
    )
    truncate: bool | None = Field(None, description="By default, what the server was started with.")
    truncation_direction: Literal["Right", "right"] = "Right"
    raw_scores: bool = Field(False, description="Return the logits.")


class ClassifyForm(_Lenient):
    """A request of vLLM, or of Infinity if it has `raw_scores`."""

    input: Any = Field(description=_INPUT, examples=[_TEXT])
    model: str | None = None
    use_activation: bool | None = None
    activation: bool | None = None
    raw_scores: bool | None = None


class LabelsForm(BaseModel):
    """A request for decisions."""

    model_config = ConfigDict(strict=True, extra="forbid")

    texts: Any = Field(description=_INPUT, examples=[_TEXT])
    min_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="The score that a label needs; by default what the run learned.",
    )
    all_scores: bool = Field(False, description="Also return the score of every label.")
