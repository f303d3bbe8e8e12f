"""Students that are made by hand, so that a test need not distil one."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
from clx.ml.distillation.learned import write_learned
from clx.ml.distillation.setting_aside import text_hashes
from clx.ml.distillation.static_files import static_settings, write_static_student
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.staging import staged
from conftest import ANIMALS, FRUIT, WORDS

DIM = 4


def word_texts(count, seed=0):
    """Different texts of fruit and animals, most of them of one kind."""
    rng, texts = random.Random(seed), {}
    while len(texts) < count:
        own, other = rng.sample([FRUIT, ANIMALS], 2)
        words = [rng.choice(own if rng.random() < 0.85 else other) for _ in range(rng.randint(3, 9))]
        texts[" ".join(["the", *words])] = None
    return list(texts)


def static_student(teacher, name="student", learned=(), **changes):
    """Write a static student that counts the words of fruit and animals, and return its directory.

    Args:
        teacher: the run.
        name: the name of the student.
        learned: the texts that it says it has learned from.
        **changes: entries of its config to replace.
    """
    place = RunDir(teacher.run_dir.parent / name)
    labels = list(teacher.decision_rule().labels)
    kinds = [teacher.model.config.id2label[n] for n in range(len(labels))]
    embeddings = np.zeros((len(WORDS), DIM), dtype=np.float32)
    for word in FRUIT + ANIMALS:
        embeddings[WORDS.index(word), :2] = (1, -1) if word in FRUIT else (-1, 1)
    # A third direction keeps LayerNorm from making every text equally sure.
    embeddings[:, 2:] = (1.0, -1.0)
    output = np.zeros((len(labels), DIM), dtype=np.float32)
    for row, label in enumerate(kinds):
        output[row, 0 if label == "fruit" else 1] = 4.0
    weights = {
        "embeddings": embeddings,
        "norm.weight": np.ones(DIM, dtype=np.float32),
        "norm.bias": np.zeros(DIM, dtype=np.float32),
        "hidden.weight": np.eye(DIM, dtype=np.float32),
        "hidden.bias": np.zeros(DIM, dtype=np.float32),
        "output.weight": output,
        "output.bias": np.zeros(len(labels), dtype=np.float32),
    }
    settings = static_settings(teacher, kinds, teacher.model.config.problem_type)
    tokenizer = (teacher.run_dir / "model" / "tokenizer.json").read_text()
    with staged(place) as new:
        write_static_student(new.model, weights, tokenizer, settings)
        write_learned(new.extra, text_hashes(learned))
        write_json(new.path / "config.json", student_config(teacher, name, "static") | changes)
        write_json(new.path / "results.json", {})
    return place.path


def copied_student(teacher, name="layers", learned=(), **changes):
    """Copy a run as a student of itself: it decides like its teacher."""
    place = RunDir(teacher.run_dir.parent / name)
    with staged(place) as new:
        shutil.copytree(teacher.run_dir / "model", new.model)
        write_learned(new.extra, text_hashes(learned))
        write_json(new.path / "config.json", student_config(teacher, name, "layers") | changes)
        write_json(new.path / "results.json", {})
    return place.path


def student_config(teacher, name, kind):
    """Return the config of a student."""
    config = json.loads((Path(teacher.run_dir) / "config.json").read_text())
    entry = {
        "run_name": teacher.run_name,
        "task": teacher.name,
        "identity": RunDir(teacher.run_dir).identity(),
        "kind": kind,
    }
    return {**config, "run_name": name, "student_of": entry}
