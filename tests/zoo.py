"""Tiny random models of many architectures, made offline, with tokenizers trained on the spot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import WORDS, fruit_frame

POSITIONS = 64

SENTENCES = [*fruit_frame(40)["text"], " ".join(WORDS), "one two three four five"]

NARROW = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
}
DECODER = {**NARROW, "num_key_value_heads": 2, "head_dim": 16}
SEQ2SEQ = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": POSITIONS,
}
T5 = {
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS}
FUNNEL = {"d_model": 32, "n_head": 2, "d_head": 16, "d_inner": 64, "block_sizes": [1, 1]}
FUNNEL |= {"architectures": ["FunnelModel"]}
GPT_NEO = {**NARROW, "num_layers": 2, "num_heads": 2, "window_size": 8}
GPT_NEO |= {"attention_types": [[["global", "local"], 1]]}
JAMBA = {**DECODER, "attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False}
JAMBA |= {"expert_layer_period": 4, "expert_layer_offset": 3}
XLM = {"emb_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": POSITIONS}


@dataclass(frozen=True)
class Architecture:
    """A model type with the sizes of a tiny model.

    Attributes:
        model_type: the name in transformers.
        tokens: the kind of tokenizer, a key of ``TOKENIZERS``.
        config: arguments of the configuration.
        side: the side that the tokenizer pads.
        name: what tells it from others of the type.
        inputs: the model inputs that the tokenizer returns.
        reads_empty: whether the class in transformers reads two special tokens with no word.
    """

    model_type: str
    tokens: str
    config: dict[str, Any] = field(default_factory=lambda: NARROW)
    side: str = "right"
    name: str = ""
    inputs: tuple[str, ...] = ("input_ids", "attention_mask")
    reads_empty: bool = True

    def __str__(self) -> str:
        """Return the type and the name."""
        return f"{self.model_type}{self.name and ', '}{self.name}"


ROBERTA = {**NARROW, "max_position_embeddings": POSITIONS + 2}
TYPED = ("input_ids", "token_type_ids", "attention_mask")

ARCHITECTURES = [
    Architecture("albert", "wordpiece", {**NARROW, "embedding_size": 16}),
    Architecture("bert", "wordpiece", inputs=TYPED),
    Architecture("bert", "wordpiece", side="left", name="padded left"),
    Architecture("big_bird", "wordpiece", {**NARROW, "block_size": 4, "num_random_blocks": 1}),
    Architecture("camembert", "roberta", ROBERTA),
    Architecture("convbert", "wordpiece", {**NARROW, "embedding_size": 32, "head_ratio": 1}),
    Architecture("deberta", "roberta", {**NARROW, "relative_attention": True}),
    Architecture(
        "deberta-v2", "wordpiece", {**NARROW, "relative_attention": True, "pos_att_type": ["c2p"]}
    ),
    Architecture(
        "distilbert",
        "wordpiece",
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 64},
    ),
    Architecture("electra", "wordpiece", {**NARROW, "embedding_size": 16}),
    Architecture("ernie", "wordpiece"),
    Architecture("esm", "wordpiece", {**NARROW, "position_embedding_type": "rotary"}),
    Architecture("fnet", "wordpiece", inputs=("input_ids", "token_type_ids")),
    Architecture("funnel", "wordpiece", FUNNEL, reads_empty=False),
    Architecture("ibert", "roberta", ROBERTA),
    Architecture("longformer", "roberta", {**ROBERTA, "attention_window": 8}),
    Architecture(
        "mobilebert",
        "wordpiece",
        {**NARROW, "embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    ),
    Architecture("modernbert", "wordpiece", NARROW),
    Architecture("mpnet", "roberta", ROBERTA),
    Architecture("nystromformer", "wordpiece", NARROW),
    Architecture("rembert", "wordpiece", {**NARROW, "input_embedding_size": 16}),
    Architecture("roberta", "roberta", ROBERTA),
    Architecture("roformer", "wordpiece"),
    Architecture("squeezebert", "wordpiece", {**NARROW, "embedding_size": 32}),
    Architecture("xlm", "wordpiece", XLM),
    Architecture("xlm-roberta", "roberta", ROBERTA),
    Architecture(
        "xlnet", "wordpiece", {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}, side="left"
    ),
    Architecture("flaubert", "wordpiece", XLM),
    Architecture("bloom", "gpt", {"hidden_size": 32, "n_layer": 2, "n_head": 2}, side="left"),
    Architecture("falcon", "gpt", {**NARROW, "alibi": False}),
    Architecture("gemma", "llama", DECODER, side="left"),
    Architecture("gpt2", "gpt", GPT),
    Architecture("gpt2", "gpt", GPT, side="left", name="padded left"),
    Architecture("gpt_neo", "gpt", GPT_NEO),
    Architecture("gpt_neox", "gpt"),
    Architecture("gptj", "gpt", {**GPT, "rotary_dim": 8}),
    Architecture("llama", "llama", DECODER),
    Architecture("llama", "llama", DECODER, side="left", name="padded left"),
    Architecture("mistral", "llama", DECODER, side="left"),
    Architecture("opt", "roberta", {**NARROW, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    Architecture("phi", "gpt", NARROW),
    Architecture("qwen2", "gpt", DECODER, side="left"),
    Architecture("jamba", "llama", JAMBA),
    Architecture("bart", "roberta", SEQ2SEQ),
    Architecture("mbart", "roberta", SEQ2SEQ),
    Architecture("t5", "t5", T5),
    Architecture("mt5", "t5", T5),
    Architecture("umt5", "t5", T5),
]


def wordpiece() -> tuple[Any, dict[str, str]]:
    """Return a WordPiece tokenizer with the frame of BERT, and its special tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=list(special.values()), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer, special


def bpe(special: dict[str, str], order: list[str], frame: str) -> tuple[Any, dict[str, str]]:
    """Return a byte-level BPE tokenizer without the bytes that the sentences lack.

    Args:
        special: the special tokens by their names.
        order: the first tokens of the vocabulary.
        frame: what a text becomes, such as ``<s> $A </s>``.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=order, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if frame:
        used = [(token, tokenizer.token_to_id(token)) for token in frame.split() if token != "$A"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=frame, special_tokens=list(dict.fromkeys(used))
        )
    return tokenizer, special


TOKENIZERS: dict[str, Callable[[], tuple[Any, dict[str, str]]]] = {
    "wordpiece": wordpiece,
    "roberta": lambda: bpe(
        {
            "bos_token": "<s>",
            "pad_token": "<pad>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
        },
        ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        "<s> $A </s>",
    ),
    "gpt": lambda: bpe(
        {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}, ["<|endoftext|>"], ""
    ),
    "llama": lambda: bpe(
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
        ["<unk>", "<s>", "</s>"],
        "<s> $A",
    ),
    "t5": lambda: bpe(
        {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
        ["<pad>", "</s>", "<unk>"],
        "$A </s>",
    ),
}


def make_model(architecture: Architecture, folder: Path) -> Path:
    """Write a random model of an architecture with its tokenizer into a folder, and return it."""
    import torch
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    made, special = TOKENIZERS[architecture.tokens]()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=POSITIONS,
        padding_side=architecture.side,
        model_input_names=list(architecture.inputs),
        **special,
    )
    ids = {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id")
        for name in ("pad", "bos", "eos")
        if getattr(tokenizer, f"{name}_token", None) is not None
    }
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        architecture.model_type,
        vocab_size=len(tokenizer),
        # Larger than usual, so that what differs between texts shows in their scores.
        initializer_range=0.3,
        **{**ids, **architecture.config},
    )
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
