"""A tiny static student as a run directory, with weights that know fruit from animals."""

import json
from pathlib import Path

import numpy as np

from clx.ml import training_run
from clx.ml.distillation.static_files import static_settings, write_static_student
from clx.ml.run_directory.config import STUDENT_OF
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import CONFIG, RESULTS, RunDir
from clx.ml.run_directory.staging import staged
from clx_runtime.static_files import quantized
from conftest import ANIMALS, FRUIT, WORDS

DIM, HIDDEN = 8, 16


def word_tokenizer():
    """Return the content of a tokenizer.json for the words of the tiny models."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import BertProcessing

    vocab = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(5)
    return tokenizer.to_str()


def student_weights(labels=2, int8=True, seed=0):
    """Return weights: the first two labels are animal and fruit, the others are random."""
    generator = np.random.default_rng(seed)

    def normal(*shape):
        return generator.normal(size=shape).astype(np.float32)

    embeddings = normal(len(WORDS), DIM) * np.float32(0.2)
    embeddings[[WORDS.index(word) for word in FRUIT], 0] += 3
    embeddings[[WORDS.index(word) for word in ANIMALS], 1] += 3
    hidden = normal(HIDDEN, DIM) * np.float32(0.1)
    hidden[0, 0] = hidden[1, 1] = 1
    output = normal(labels, HIDDEN) * np.float32(0.1)
    output[0, 1] = output[1, 0] = 2
    output[0, 0] = output[1, 1] = -2
    return {
        **(quantized(embeddings) if int8 else {"embeddings": embeddings}),
        "token_weights": np.linspace(0.5, 1.5, len(WORDS), dtype=np.float32),
        "norm.weight": np.ones(DIM, dtype=np.float32),
        "norm.bias": np.full(DIM, 0.01, dtype=np.float32),
        "hidden.weight": hidden,
        "hidden.bias": normal(HIDDEN) * np.float32(0.1),
        "output.weight": output,
        "output.bias": normal(labels) * np.float32(0.1),
    }


def make_student(
    teacher: Path, name="student", limit=64, int8=True, tokenizer=None, labels=None
) -> Path:
    """Write a static student of a trained run beside it, and return its directory."""
    run = training_run(load=teacher)
    config = RunDir(teacher).read_config()
    labels = run.label_names = config["label_names"] = labels or config["label_names"]
    several = run.name == "multi-label-classification"
    kind = "multi_label_classification" if several else "single_label_classification"
    place = RunDir(teacher.parent / name)
    identity = RunDir(teacher).identity()
    entry = {"run_name": teacher.name, "task": run.name, "identity": identity, "kind": "static"}
    results = json.loads((teacher / RESULTS).read_text())
    with staged(place) as new:
        settings = static_settings(run, labels, kind, limit)
        weights = student_weights(len(labels), int8)
        write_static_student(new.model, weights, tokenizer or word_tokenizer(), settings)
        write_json(new.path / CONFIG, {**config, "run_name": name, STUDENT_OF: entry})
        write_json(new.path / RESULTS, results)
    return place.path
