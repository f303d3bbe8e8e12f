"""The task ``mlm``: a base model learns the language of a domain from unlabeled texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml import TrainingRun
from clx.ml.data import ROW_OF_RESULT, column_problems, raise_data_problems, text_problems
from clx.problems import cell

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel

MOST_TOKENS = 512
"""The most tokens of a block where neither tokenizer nor user sets a limit."""

_EXPECTED = "a column 'text' of strings"


class MaskedLanguageModelRun(TrainingRun):
    """Masked language modeling: predict the tokens that are hidden in unlabeled texts.

    Data: a column ``text``. The trained run is a base model for others
    (``base_model_name="<the run's name>"``). Predictions, for texts with the tokenizer's mask token: for
    each mask, the most probable tokens, each with its ``score``.

    With ``model_args={"config": {...}}`` the model starts from random weights; the values replace those
    of the base model's configuration, such as ``{"num_hidden_layers": 4}``.

    Args:
        run_name: the name of the run, see :class:`clx.ml.TrainingRun`.
        mask_probability: the share of the words to mask, between 0 and 1.
        whole_words: whether all tokens of a word are masked together.
        pack: whether short texts of a batch share a block of tokens, so that little of it is padding.
            Texts in a block can attend to each other.
        block_size: the most tokens of a block; None takes the tokenizer's limit. Longer texts are
            read in several blocks.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "mlm"
    add_config_attrs = ["mask_probability", "whole_words", "pack", "block_size"]
    dataset_cols = ["input_ids"]
    pipeline_args = {"task": "fill-mask"}
    predict_args = {"top_k": 5}

    def __init__(
        self,
        run_name: str | None = None,
        *,
        mask_probability: float = 0.15,
        whole_words: bool = True,
        pack: bool = True,
        block_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(run_name, **options)
        self.mask_probability = mask_probability
        self.whole_words = whole_words
        self.pack = pack
        self.block_size = block_size

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return rows for trying out the task."""
        import pandas as pd

        colors, things = ["red", "green", "blue"], ["cars", "boats", "kites", "hats"]
        texts = [f"the {color} {thing} are in the yard" for color in colors for thing in things]
        return pd.DataFrame({"text": texts})

    @classmethod
    def sample_inputs(cls) -> list[str]:
        """Return texts to predict on."""
        return ["the [MASK] cars are in the yard", "the red [MASK] are in the [MASK]"]

    @property
    def trainer_class(self) -> Any:
        """The Trainer that masks anew in each epoch, and the same way in each evaluation."""
        from clx_tasks_pretraining.trainers import MaskingTrainer

        return MaskingTrainer

    def check_config(self) -> list[str]:
        """Return the problems of the options."""
        problems = []
        share = self.mask_probability
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            problems.append(f"mask_probability must be between 0 and 1, but is {cell(share)}")
        problems += [
            f"{name} must be true or false, but is {cell(getattr(self, name))}"
            for name in ("whole_words", "pack")
            if not isinstance(getattr(self, name), bool)
        ]
        size = self.block_size
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 8):
            problems.append(f"block_size must be an int of at least 8, but is {cell(size)}")
        return problems

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise if the column of texts is missing, or a row has no text."""
        raise_data_problems(column_problems(data, ["text"]), _EXPECTED)
        raise_data_problems(text_problems(data), _EXPECTED)

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return the masked language model in a folder, or one with random weights."""
        from transformers import AutoConfig, AutoModelForMaskedLM

        arguments = dict(self.model_args)
        values = arguments.pop("config", None)
        model: PreTrainedModel
        if values is None:
            model = AutoModelForMaskedLM.from_pretrained(model_name, **arguments)
            return model
        config = AutoConfig.from_pretrained(model_name)
        config.update({"vocab_size": len(self.tokenizer), **values})
        model = AutoModelForMaskedLM.from_config(config, **arguments)
        # The base model's tokens may have other ids in another vocabulary.
        model.config.pad_token_id = self.tokenizer.pad_token_id
        return model

    def load_data_collator(self) -> Any:
        """Return what packs the texts of a batch, and masks their words."""
        from clx_tasks_pretraining.collating import Masking, MaskingCollator

        self._require_mask()
        masking = Masking(float(self.mask_probability), self.whole_words, self._block(), self.pack)
        return MaskingCollator(self.tokenizer, masking)

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the blocks of tokens of each text; a long text has several."""
        self._require_mask()
        block = self._block()
        arguments = {**self.tokenize_args, "truncation": True, "max_length": block}
        if not self.tokenizer.is_fast or self.tokenize_lazily:
            return {"input_ids": self.tokenizer(examples["text"], **arguments)["input_ids"]}
        found = self.tokenizer(examples["text"], return_overflowing_tokens=True, **arguments)
        return {name: found[name] for name in ("input_ids", ROW_OF_RESULT)}

    def preprocess_logits_for_metrics(self, logits: Any, labels: Any) -> Any:
        """Keep the loss and the hit of each masked token, instead of a logit for every token."""
        from clx_tasks_pretraining.scores import token_scores

        return token_scores(logits, labels)

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return the perplexity and the accuracy of the masked tokens."""
        from clx_tasks_pretraining.scores import masked_metrics

        return masked_metrics(eval_pred.predictions, eval_pred.label_ids)

    def post_process_prediction(self, prediction: Any) -> list[list[dict[str, Any]]]:
        """Return the candidates for each mask of a text, the most probable one first."""
        masks = prediction if prediction and isinstance(prediction[0], list) else [prediction]
        return [
            [{"token": each["token_str"], "score": float(each["score"])} for each in mask]
            for mask in masks
        ]

    def prediction_types(self, *, all_scores: bool = False) -> dict[str, Any]:
        """Return the types of the columns of a table of predictions."""
        return {"prediction": [[{"token": str, "score": float}]]}

    def _block(self) -> int:
        """Return the most tokens of a block."""
        asked = self.block_size or self.tokenize_args.get("max_length")
        limit = self.tokenizer.model_max_length
        most = limit if isinstance(limit, int) and limit < 100_000 else MOST_TOKENS
        return min(int(asked), most) if asked else most

    def _require_mask(self) -> None:
        if self.tokenizer.mask_token_id is None:
            raise ConfigError(
                f"The tokenizer of {self.base_model_name} has no mask token, so {self.name!r} cannot "
                f"train its model: choose a base model that was trained with masks, such as BERT, "
                f"RoBERTa or ModernBERT"
            )
