"""Correct tasks that are not label classifiers, as their authors write them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    FeatureExtractionPipeline,
    Pipeline,
    Trainer,
)

from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, text_problems

WORDS = ["apple pie", "old boat", "red door", "big ship", "ripe pear", "new house"]


class OfTexts(TrainingRun):
    """A task whose columns are all texts."""

    columns: tuple[str, ...] = ("text",)

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise if a column is missing or has something else."""
        raise_data_problems(column_problems(data, self.columns), "texts")
        raise_data_problems([p for c in self.columns for p in text_problems(data, c)], "texts")


# ---- Masked language modeling ------------------------------------------------------------------------


class MaskedRun(OfTexts):
    """Words for a mask. The collator makes the labels, which are token ids."""

    name = "honest-masked"
    pipeline_args = {"task": "fill-mask"}
    predict_args = {"top_k": 2}
    dataset_cols = ["input_ids", "attention_mask"]

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return texts without a mask."""
        return pd.DataFrame({"text": [f"the {words} is here" for words in WORDS]})

    @classmethod
    def sample_inputs(cls) -> list[Any]:
        """Return texts with a mask."""
        return ["the apple [MASK] is here", "the [MASK] boat is here"]

    def load_model(self, model_name: str | None = None) -> Any:
        """Return a model that scores every token."""
        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)

    def load_data_collator(self) -> Any:
        """Mask tokens."""
        return DataCollatorForLanguageModeling(self.tokenizer, mlm_probability=0.5)


class PretrainingRun(MaskedRun):
    """The same, but it never predicts."""

    name = "honest-pretraining"
    pipeline_args = None


# ---- Preference pairs --------------------------------------------------------------------------------


class PreferenceTrainer(Trainer):
    """The chosen text must score higher than the rejected one."""

    def compute_loss(self, model, inputs, return_outputs=False, **_):
        """Return the mean loss of a batch."""
        sides = ("chosen", "rejected")
        scores = [
            model(
                input_ids=inputs[f"input_ids_{side}"],
                attention_mask=inputs[f"attention_mask_{side}"],
            ).logits[:, 0]
            for side in sides
        ]
        loss = -torch.nn.functional.logsigmoid(scores[0] - scores[1]).mean()
        return (loss, {"logits": torch.stack(scores, dim=1)}) if return_outputs else loss


class PreferenceCollator:
    """Pads both sides, and adds labels, which the data lacks."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, rows):
        """Return one batch."""
        batch = {}
        for side in ("chosen", "rejected"):
            names = ("input_ids", "attention_mask")
            given = [{name: row[f"{name}_{side}"] for name in names} for row in rows]
            padded = self.tokenizer.pad(given, return_tensors="pt")
            batch |= {f"{name}_{side}": padded[name] for name in names}
        return {**batch, "labels": torch.zeros(len(rows), dtype=torch.long)}


class PreferenceRun(OfTexts):
    """A score for a text, learned from pairs."""

    name = "honest-preference"
    columns = ("chosen", "rejected")
    dataset_cols = [
        "input_ids_chosen", "attention_mask_chosen", "input_ids_rejected", "attention_mask_rejected",
    ]  # fmt: skip
    pipeline_args = {"task": "text-classification"}
    predict_args = {"function_to_apply": "none"}
    trainer_class = PreferenceTrainer

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._label_map = {"chosen": 0, "rejected": 1}

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return pairs of texts, none of which is called ``text``."""
        return pd.DataFrame({"chosen": WORDS[:3] * 2, "rejected": WORDS[3:] * 2})

    @classmethod
    def sample_inputs(cls) -> list[Any]:
        """Return single texts."""
        return WORDS[:2]

    def load_model(self, model_name: str | None = None) -> Any:
        """Return a model with one score."""
        return AutoModelForSequenceClassification.from_pretrained(
            model_name, num_labels=1, **self.model_args
        )

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokens of both sides."""
        assert set(self._label_map) == {"chosen", "rejected"}
        arguments = {"truncation": True, **self.tokenize_args}
        found = {}
        for side in ("chosen", "rejected"):
            encoded = self.tokenizer(examples[side], **arguments)
            found |= {f"{name}_{side}": encoded[name] for name in ("input_ids", "attention_mask")}
        return found

    def load_data_collator(self) -> Any:
        """Pad both sides."""
        return PreferenceCollator(self.tokenizer)

    def post_process_prediction(self, prediction: Any) -> dict[str, float]:
        """Return the score."""
        entry = prediction[0] if isinstance(prediction, list) else prediction
        return {"score": entry["score"]}


# ---- Sentence embeddings, two towers -----------------------------------------------------------------


def embed(model, inputs, side):
    """Return the mean of the token vectors of each text."""
    mask = inputs[f"attention_mask_{side}"]
    vectors = model(input_ids=inputs[f"input_ids_{side}"], attention_mask=mask).last_hidden_state
    return (vectors * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


class TwoTowerTrainer(Trainer):
    """Each text must be closest to its own partner in the batch. There are no labels."""

    def compute_loss(self, model, inputs, return_outputs=False, **_):
        """Return the contrastive loss of a batch."""
        one, two = (
            torch.nn.functional.normalize(embed(model, inputs, side), dim=1) for side in "ab"
        )
        scores = one @ two.T / 0.2
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(len(scores)))
        return (loss, {"logits": scores.diagonal()[:, None]}) if return_outputs else loss

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        """Return the loss, which the Trainer computes for batches with labels only."""
        with torch.no_grad():
            loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
        return loss.detach(), outputs["logits"], None


class Embeddings(FeatureExtractionPipeline):
    """The mean vector of a text."""

    def postprocess(self, model_outputs, return_tensors=False):
        """Return the vector as a list."""
        return model_outputs[0][0].mean(0).tolist()


class TwoTowerRun(OfTexts):
    """A vector for a text, learned from pairs of texts that belong together."""

    name = "honest-two-tower"
    columns = ("question", "answer")
    dataset_cols = ["input_ids_a", "attention_mask_a", "input_ids_b", "attention_mask_b"]
    trainer_class = TwoTowerTrainer

    @property
    def pipeline_args(self):
        """Name the pipeline, without an import at the top."""
        return {"task": "feature-extraction", "pipeline_class": Embeddings}

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return pairs of texts."""
        return pd.DataFrame({"question": WORDS, "answer": [f"here is {w}" for w in WORDS]})

    @classmethod
    def sample_inputs(cls) -> list[Any]:
        """Return single texts."""
        return WORDS[:3]

    def load_model(self, model_name: str | None = None) -> Any:
        """Return the encoder."""
        return AutoModel.from_pretrained(model_name, **self.model_args)

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokens of both texts."""
        arguments = {"truncation": True, **self.tokenize_args}
        found = {}
        for side, column in zip("ab", self.columns, strict=True):
            encoded = self.tokenizer(examples[column], **arguments)
            found |= {f"{name}_{side}": encoded[name] for name in ("input_ids", "attention_mask")}
        return found

    def load_data_collator(self) -> Any:
        """Pad both sides."""

        def collate(rows):
            batch = {}
            for side in "ab":
                names = ("input_ids", "attention_mask")
                given = [{name: row[f"{name}_{side}"] for name in names} for row in rows]
                padded = self.tokenizer.pad(given, return_tensors="pt")
                batch |= {f"{name}_{side}": padded[name] for name in names}
            return batch

        return collate


# ---- Sequence to sequence ----------------------------------------------------------------------------


class GeneratePipeline(Pipeline):
    """The text that an encoder-decoder generates."""

    def _sanitize_parameters(self, **generate):
        return {}, generate, {}

    def preprocess(self, inputs):
        """Return the tokens of a text."""
        return self.tokenizer(inputs, return_tensors="pt")

    def _forward(self, model_inputs, **generate):
        inputs = {name: model_inputs[name] for name in ("input_ids", "attention_mask")}
        return {"ids": self.model.generate(**inputs, **generate)}

    def postprocess(self, outputs):
        """Return the generated text."""
        return {"text": self.tokenizer.decode(outputs["ids"][0], skip_special_tokens=True)}


class GenerateRun(OfTexts):
    """A text for a text. Labels are token ids, and the collator pads them."""

    name = "honest-seq2seq"
    columns = ("text", "target")
    pipeline_args = {"task": "text-generation", "pipeline_class": GeneratePipeline}
    predict_args = {"max_new_tokens": 4, "do_sample": False, "num_beams": 1}

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return texts with their targets."""
        return pd.DataFrame({"text": WORDS, "target": [words.split()[0] for words in WORDS]})

    def load_model(self, model_name: str | None = None) -> Any:
        """Return the encoder and decoder."""
        return AutoModelForSeq2SeqLM.from_pretrained(model_name, **self.model_args)

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokens of both texts."""
        targets = self.tokenizer(text_target=examples["target"], truncation=True)["input_ids"]
        return {**super().tokenize(examples), "labels": targets}

    def load_data_collator(self) -> Any:
        """Pad texts, and labels with -100."""
        return DataCollatorForSeq2Seq(self.tokenizer)


def tiny_bart(folder):
    """Write a random encoder-decoder with the words of the sample."""
    from transformers import BartConfig, BartForConditionalGeneration

    from clx.testing import make_tiny_model
    from zoo import SEQ2SEQ

    make_tiny_model(folder, [*WORDS, "here is the"])
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 2}
    config = BartConfig(vocab_size=len(tokenizer), forced_eos_token_id=3, **{**SEQ2SEQ, **ids})
    BartForConditionalGeneration(config).save_pretrained(folder)
    return folder
