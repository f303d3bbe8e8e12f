"""Somebody wrote a fill-mask task, predicted one text, and saw `zip() argument 2 is shorter`.

Here is a task for each text pipeline of transformers, with one text, two, and equal ones.
"""

import json

import pandas as pd
import pytest
import torch
import transformers
from transformers import Trainer, pipelines

from clx.ml import TrainingRun
from clx.ml.model.masks import keep_mask
from clx.testing.tolerance import same
from conftest import WORDS

MASKED = ["the [MASK] eats", "a big red [MASK] and one dog"]
TEXTS = ["the cat eats", "a big red apple and one dog"]
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
SIZES |= {"intermediate_size": 16, "max_position_embeddings": 64, "vocab_size": len(WORDS)}
GPT = {"n_embd": 16, "n_layer": 1, "n_head": 1, "n_positions": 64, "vocab_size": len(WORDS)}
GPT |= {"bos_token_id": 2, "eos_token_id": 3}
VITS = {"vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 1, "flow_size": 16}
VITS |= {"num_attention_heads": 1, "ffn_dim": 16, "spectrogram_bins": 9}
VITS |= {"upsample_initial_channel": 16, "upsample_rates": [2, 2], "prior_encoder_num_flows": 1}
VITS |= {
    "upsample_kernel_sizes": [4, 4],
    "resblock_kernel_sizes": [3],
    "duration_predictor_num_flows": 1,
}
VITS |= {"resblock_dilation_sizes": [[1]], "prior_encoder_num_wavenet_layers": 1}
VITS |= {"posterior_encoder_num_wavenet_layers": 1, "use_stochastic_duration_prediction": False}
VITS |= {"duration_predictor_num_flows": 1, "noise_scale": 0.0, "noise_scale_duration": 0.0}


class NothingLearned(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        loss = sum(parameter.float().mean() for parameter in model.parameters())
        return (loss, {"logits": loss[None]}) if return_outputs else loss


class AnyPipeline(TrainingRun):
    """A task whose model and pipeline the subclasses name."""

    trainer_class = NothingLearned
    dataset_cols = ["input_ids", "attention_mask"]
    model_class = config = ""
    sizes = SIZES
    texts = TEXTS
    tokenizer_class = "BertTokenizerFast"

    def validate_data_format(self, data):
        """Accept everything."""

    def load_model(self, model_name=None):
        return getattr(transformers, self.model_class).from_pretrained(model_name)

    @classmethod
    def base_model(cls, folder):
        torch.manual_seed(0)
        config = getattr(transformers, cls.config)(**cls.sizes)
        getattr(transformers, cls.model_class)(config).save_pretrained(folder)
        vocab = {word: number for number, word in enumerate(WORDS)}
        cls.tokenizer_of(vocab, folder).save_pretrained(folder)
        return folder

    @staticmethod
    def tokenizer_of(vocab, folder):
        return transformers.BertTokenizerFast(vocab=vocab, model_max_length=64)


class FillMask(AnyPipeline):
    name = "fill-mask-task"
    pipeline_args = {"task": "fill-mask"}
    # One proposal: the output of a text is then a list of one too.
    predict_args = {"top_k": 1}
    model_class, config, texts = "BertForMaskedLM", "BertConfig", MASKED


class TextClassification(AnyPipeline):
    name = "text-classification-task"
    pipeline_args = {"task": "text-classification"}
    model_class, config = "BertForSequenceClassification", "BertConfig"


class TokenClassification(AnyPipeline):
    name = "token-classification-task"
    pipeline_args = {"task": "token-classification"}
    model_class, config = "BertForTokenClassification", "BertConfig"

    def post_process_prediction(self, prediction):
        return [{**entry, "score": float(entry["score"])} for entry in prediction]


class FeatureExtraction(AnyPipeline):
    name = "feature-extraction-task"
    pipeline_args = {"task": "feature-extraction"}
    model_class, config = "BertModel", "BertConfig"


class Generation(AnyPipeline):
    name = "generation-task"
    pipeline_args = {"task": "text-generation"}
    predict_args = {"max_new_tokens": 3, "do_sample": False}
    model_class, config, sizes = "GPT2LMHeadModel", "GPT2Config", GPT

    def load_tokenizer(self, tokenizer_name=None):
        tokenizer = super().load_tokenizer(tokenizer_name)
        tokenizer.padding_side = "left"
        return tokenizer


class ZeroShot(AnyPipeline):
    name = "zero-shot-task"
    pipeline_args = {"task": "zero-shot-classification"}
    predict_args = {"candidate_labels": ["cat", "dog"]}
    model_class, config = "BertForSequenceClassification", "BertConfig"
    sizes = {**SIZES, "id2label": {0: "other", 1: "entailment"}}
    sizes |= {"label2id": {"other": 0, "entailment": 1}}


class Speech(AnyPipeline):
    name = "speech-task"
    pipeline_args = {"task": "text-to-audio"}
    model_class, config, sizes = "VitsModel", "VitsConfig", VITS

    @staticmethod
    def tokenizer_of(vocab, folder):
        path = folder / "vocab.json"
        path.write_text(json.dumps(vocab))
        return transformers.VitsTokenizer(
            str(path), pad_token="[PAD]", unk_token="[UNK]", phonemize=False, is_uroman=False
        )

    def post_process_prediction(self, prediction):
        return {"rate": prediction["sampling_rate"], "samples": prediction["audio"].size}


class AskTable(transformers.TableQuestionAnsweringPipeline):
    """Reads a table as JSON and a question; the stock pipeline takes no texts."""

    def __call__(self, inputs, **kwargs):
        tables = [{"table": json.loads(i["text"]), "query": i["text_pair"]} for i in inputs]
        return super().__call__(tables, **kwargs)


class PairsOnly(transformers.TapasTokenizer):
    def num_special_tokens_to_add(self, pair=False):
        return super().num_special_tokens_to_add(pair=True)


class Tables(AnyPipeline):
    name = "table-task"
    text_columns = ("table", "question")
    dataset_cols = ["input_ids", "attention_mask", "token_type_ids"]
    pipeline_args = {"task": "table-question-answering", "pipeline_class": AskTable}
    model_class, config = "TapasForQuestionAnswering", "TapasConfig"
    texts = [
        ('{"animal": ["cat", "dog"], "legs": ["four", "four"]}', "cat eats"),
        ('{"animal": ["cow"], "legs": ["four"]}', "the cow"),
    ]

    @staticmethod
    def tokenizer_of(vocab, folder):
        words = [*WORDS[:5], "[EMPTY]", *WORDS[5:]][: len(WORDS)]
        (folder / "vocab.txt").write_text("\n".join(words))
        return PairsOnly(str(folder / "vocab.txt"), model_max_length=64)

    def load_tokenizer(self, tokenizer_name=None):
        return PairsOnly.from_pretrained(tokenizer_name)

    def tokenize(self, examples):
        rows = [
            self.tokenizer(pd.DataFrame(json.loads(table)), question)
            for table, question in zip(examples["table"], examples["question"], strict=True)
        ]
        return {name: [row[name] for row in rows] for name in self.dataset_cols}


TASKS = [
    FillMask, TextClassification, TokenClassification, FeatureExtraction, Generation, ZeroShot,
    Speech, Tables,
]  # fmt: skip


def test_every_text_pipeline_of_transformers_is_here():
    supported = pipelines.PIPELINE_REGISTRY.supported_tasks
    of_text = {name for name, task in supported.items() if task.get("type") == "text"}
    assert {task.pipeline_args["task"] for task in TASKS} == of_text
    assert len(of_text) == len(TASKS) == 8


def trained(task, folder):
    (folder / "base").mkdir()
    run = task(
        "run",
        run_dir_parent=folder,
        base_model_name=task.base_model(folder / "base"),
        training_args={"max_steps": 1, "disable_tqdm": True, "per_device_train_batch_size": 2},
        label_texts=None,
    )
    run.train(frame_of(task, task.texts))
    return run


def frame_of(task, texts):
    rows = [text if isinstance(text, tuple) else (text,) for text in texts]
    return pd.DataFrame(rows, columns=list(task.text_columns))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_text_two_texts_and_equal_texts(task, tmp_path):
    run = trained(task, tmp_path)
    one, other = task.texts
    both = run.predict([one, other])
    assert len(both) == 2
    assert same(both[:1], run.predict([one]))
    assert same([both[1]] * 2, run.predict([other, other]))
    for texts in ([one], [one, other], [one, one]):
        predictions = run.predict(texts)
        assert len(predictions) == len(texts)
        frame = frame_of(task, texts)
        assert list(run.predict_frame(frame).index) == list(frame.index)
        source = tmp_path / "in.jsonl"
        frame.to_json(source, orient="records", lines=True)
        run.predict_file(source, tmp_path / "out.jsonl", overwrite=True)
        assert len((tmp_path / "out.jsonl").read_text().splitlines()) == len(texts)


SPECIAL = "the [MASK] [SEP] [PAD] eats"


def test_the_mask_is_a_token_and_other_special_tokens_are_text(tmp_path):
    run = trained(FillMask, tmp_path)
    mask, separator = run.tokenizer.convert_tokens_to_ids(["[MASK]", "[SEP]"])
    for tokenizer in (run.tokenizer, run.pipe.tokenizer):
        ids = tokenizer(SPECIAL)["input_ids"]
        # One separator, at the end.
        assert (ids.count(mask), ids.count(separator), ids.count(0)) == (1, 1, 0)
    assert run.predict([SPECIAL])[0][0]["token_str"] in WORDS
    plain = transformers.pipeline("fill-mask", model=str(run.run_dir / "model"), top_k=1)
    assert same(run.predict(MASKED), plain(MASKED))
    other = (tmp_path / "other").mkdir() or trained(TextClassification, tmp_path / "other")
    assert mask not in other.tokenizer(SPECIAL)["input_ids"]


def test_the_mask_of_a_tokenizer_in_python():
    tokenizer = transformers.PerceiverTokenizer()
    tokenizer.split_special_tokens = tokenizer.init_kwargs["split_special_tokens"] = True
    mask, separator = tokenizer.mask_token_id, tokenizer.sep_token_id
    assert mask not in tokenizer(SPECIAL)["input_ids"]
    keep_mask(tokenizer)
    ids = tokenizer(SPECIAL)["input_ids"]
    assert (ids.count(mask), ids.count(separator)) == (1, 1)
