"""``run.distill``: a student of a trained run, with what it learned from and how it compares."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from clx.errors import (
    ClxWarning,
    ConfigError,
    DataFormatError,
    DataWarning,
    NotPublishedError,
    RunExistsError,
)
from clx.ml import TrainingRun, training_run
from clx.ml.decisions import OneLabel
from clx.ml.distillation import gathering
from clx.ml.distillation.setting_aside import text_hashes
from clx.ml.distillation.teacher import Teacher
from clx.settings import cache_dir
from conftest import FRUIT, fruit_frame
from distillation_texts import COLORS, texts_of


@pytest.fixture(scope="module")
def taught(_trained_once, tmp_path_factory):
    """A teacher and its static student of 500 texts."""
    folder = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_DATA_DIR", str(folder / "data"))
        place = Path(shutil.copytree(_trained_once, folder / "teacher"))
        run = training_run(load=place)
        return run, run.distill(texts_of(500), name="student", dim=16)


@pytest.fixture
def teacher(trained):
    return training_run(load=trained)


def test_a_student_is_a_run_that_decides_as_its_teacher(taught):
    run, result = taught
    student = training_run(load=result.run_dir, verify=True)
    assert result.agreement.equal > 0.9
    assert result.agreement.low < result.agreement.equal <= result.agreement.high
    assert result.agreement.texts == result.texts["aside"] == 50
    fresh = ["the big banana is a lemon", "the small horse is a goat", "one cow", ""]
    assert student.predict_labels(fresh)[:3] == ["fruit", "animal", "animal"]
    assert list(student.predict(fresh)[0]) == ["animal", "fruit"]
    entry = student.config["student_of"]
    assert (entry["run_name"], entry["task"], entry["kind"]) == ("teacher", run.name, "static")
    assert entry["identity"] == run._clx_loaded.identity
    assert student.config["label_names"] == run.label_names
    assert student.evaluate(fruit_frame(12)).metrics["accuracy"] > 0.7
    assert student.results["distilled"]["agreement"] == result.agreement.to_dict()
    with pytest.warns(DataWarning, match="run 'student' was trained"):
        seen = student.evaluate(pd.DataFrame({"text": texts_of(100), "label": ["fruit"] * 100}))
    # One in ten is set aside.
    assert 70 < seen.learned_rows < 100


def test_the_report_and_the_card_say_how_it_compares(taught):
    _, result = taught
    page = (result.run_dir / "report.html").read_text()
    assert "agrees with its teacher" in page
    assert "set aside to measure the agreement" in page
    assert "Student of" in result._repr_html_()
    card = (result.run_dir / "model" / "README.md").read_text()
    assert "student of `teacher`" in card


def test_what_is_set_aside_is_not_learned_from(taught):
    _, result = taught
    learned = np.load(result.run_dir / "extra" / "learned.npy")
    below = training_run(load=result.run_dir).config["student_of"]["below"]
    hashes = text_hashes(texts_of(500))
    aside = hashes[hashes < below]
    assert len(aside) == result.texts["aside"]
    texts = result.texts
    assert len(learned) == texts["learned"] + texts["variants"] + texts["watched"]
    assert texts["learned"] == result.rows["train"]
    assert not np.isin(learned, aside).any()
    assert np.isin(learned, hashes).sum() == texts["learned"] + texts["watched"]


def test_the_same_seed_gives_the_same_student(taught, teacher):
    _, result = taught
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    again = teacher.distill(texts_of(500), name="again", dim=16)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert before == after
    weights = [each.run_dir / "model" / "model.safetensors" for each in (result, again)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_eval_data_fits_the_decisions_and_is_not_learned_from(teacher):
    rows = fruit_frame(40)
    result = teacher.distill(
        [*texts_of(300), *rows["text"]], name="student", eval_data=rows, dim=16
    )
    assert result.metrics["accuracy"] > 0.8
    assert result.decided_on == "eval_data"
    assert training_run(load=result.run_dir).config["temperature"] != 1
    learned = np.load(result.run_dir / "extra" / "learned.npy")
    assert not np.isin(text_hashes(rows["text"]), learned).any()


def test_a_student_of_fewer_layers_is_a_transformers_model(teacher):
    layers = teacher.model.config.num_hidden_layers
    result = teacher.distill(texts_of(200), name="student", student="layers", layers=1)
    student = training_run(load=result.run_dir)
    # The last layer holds the pooling, and stays.
    assert student.model.config.num_hidden_layers == 2
    before, after = (run.model.bert.encoder.layer[-1].state_dict() for run in (teacher, student))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert result.agreement.equal > 0.8
    assert student.config["student_of"]["layers"] == 1
    assert student.pipe("the red apple is a lemon")
    assert teacher.model.config.num_hidden_layers == layers > 1
    # A student may teach, and its student remembers both.
    next_one = student.distill(texts_of(200), name="next", dim=16)
    entry = training_run(load=next_one.run_dir).config["student_of"]
    assert entry["student_of"]["run_name"] == "trained"


@pytest.mark.filterwarnings("ignore:.*take the shared threshold")
def test_several_labels_get_thresholds_of_their_own(tiny_model, tmp_path):
    rows = pd.DataFrame(
        [
            {"text": f"{color} {fruit} {animal}", "labels": labels}
            for color, (fruit, animal, labels) in itertools.product(
                COLORS,
                [
                    ("apple", "cat", ["fruit", "animal"]),
                    ("banana", "", ["fruit"]),
                    ("", "dog", ["animal"]),
                    ("the", "and", []),
                ],
            )
        ]
    )
    run = training_run("multilabel", "teacher", run_dir_parent=tmp_path, base_model_name=tiny_model)
    run.train(rows, rows, fine_tune=False)
    texts = [f"{color} {text}" for color in COLORS for text in texts_of(40)]
    result = run.distill(texts, name="student", dim=16)
    student = training_run(load=result.run_dir)
    assert set(student.thresholds) == {"fruit", "animal"}
    assert student.thresholds != run.thresholds
    assert student.config["learned"]["thresholds"] is None
    assert student.config["student_of"]["task"] == "multi-label-classification"
    assert isinstance(student.predict_labels(["red apple cat"])[0], list)
    # What a user has set stays.
    run.set_decisions(thresholds=0.4)
    run.distill(texts, name="student", dim=16, overwrite=True)
    assert training_run(load=student.run_dir).thresholds == 0.4


class Sorter(TrainingRun):
    """A stranger's task: label scores and a rule, and labels in another order than the model's."""

    name = "sorter"
    pipeline_args = {"task": "text-classification"}
    predict_args = {"top_k": None}

    def validate_data_format(self, data):
        assert {"text", "label"} <= set(data.columns)

    def load_model(self, model_name=None):
        from transformers import AutoModelForSequenceClassification

        names = {0: "fruit", 1: "animal"}
        return AutoModelForSequenceClassification.from_pretrained(
            model_name, id2label=names, label2id={name: id for id, name in names.items()}
        )

    def tokenize(self, examples):
        labels = [["fruit", "animal"].index(label) for label in examples["label"]]
        return {**super().tokenize(examples), "labels": labels}

    def decision_rule(self):
        return OneLabel(("animal", "fruit"))


class Ruleless(Sorter):
    """A task whose predictions follow no rule."""

    name = "ruleless"

    def decision_rule(self):
        return None


ARGS = {"num_train_epochs": 10, "learning_rate": 5e-3, "disable_tqdm": True}


def test_a_strangers_task_has_students(tiny_model, tmp_path):
    options = {"run_dir_parent": tmp_path, "base_model_name": tiny_model, "training_args": ARGS}
    run = Sorter("teacher", **options)
    run.train(fruit_frame())
    result = run.distill(texts_of(300), name="student", dim=16, eval_data=fruit_frame(12))
    assert result.agreement.equal > 0.8
    other = Ruleless("ruleless", **options)
    shutil.copytree(run.run_dir, other.run_dir)
    config = json.loads((other.run_dir / "config.json").read_text())
    config.update(task="ruleless", run_name="ruleless")
    (other.run_dir / "config.json").write_text(json.dumps(config))
    (other.run_dir / "manifest.json").unlink()
    with pytest.raises(ConfigError, match=r"has no decision_rule\(\)"):
        Ruleless.distill(run_of(other), texts_of(300))


def run_of(run):
    manifest = {"files": {}}
    (run.run_dir / "manifest.json").write_text(json.dumps(manifest))
    return run


def test_texts_come_through_every_door(teacher, tmp_path, monkeypatch):
    read = []

    def look(source, *_):
        read.append([text for chunk in source.chunks for text in chunk])
        raise FileNotFoundError

    monkeypatch.setattr("clx.ml.distillation.distill.gathered", look)
    texts = texts_of(30)
    frame = pd.DataFrame({"text": texts, "other": range(30)})
    frame[:10].to_csv(tmp_path / "a.csv", index=False)
    frame[10:].to_csv(tmp_path / "b.csv", index=False)
    frame.to_json(tmp_path / "all.jsonl", orient="records", lines=True)
    renamed = frame.rename(columns={"text": "said"})
    doors = [
        texts,
        pd.Series(texts),
        frame,
        str(tmp_path / "*.csv"),
        tmp_path / "all.jsonl",
        (text for text in texts),
    ]
    for door in doors:
        with pytest.raises(FileNotFoundError):
            teacher.distill(door, name="student")
    with pytest.raises(FileNotFoundError):
        teacher.distill(renamed, name="student", text_column="said")
    assert read == [texts] * 7


def test_an_endless_source_is_read_as_far_as_needed(teacher):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield f"the red apple is {number}"

    with pytest.warns(DataWarning, match="the first 250 different texts of texts"):
        result = teacher.distill(endless(), name="student", dim=16, max_texts=250)
    assert result.texts["different"] == 250
    assert len(taken) <= 2048


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"texts": None}, ConfigError, "does not keep those that it was trained on"),
        ({"texts": ["one", "two"]}, DataFormatError, "has 2 different texts"),
        ({"student": "statik"}, ConfigError, "student must be 'static' or 'layers'"),
        ({"layers": 2}, ConfigError, "layers is only for student='layers'"),
        ({"dim": 0}, ConfigError, "dim must be a whole number"),
        ({"augment": -1}, ConfigError, "augment must be a whole number from 0 to 1000"),
        ({"name": "a/b"}, ConfigError, "path separator"),
        ({"name": "trained", "overwrite": True}, ConfigError, "would replace its teacher"),
        ({"student": "layers", "layers": 9}, ConfigError, "fewer than the . layers"),
        ({"backend": "onnx"}, Exception, "export"),
    ],
)
def test_what_cannot_be_distilled_is_refused(teacher, arguments, error, message):
    with pytest.raises(error, match=message):
        teacher.distill(**{"texts": texts_of(200), "name": "student", **arguments})
    assert not (teacher.run_dir.parent / "student").exists()


def test_a_static_student_teaches_nobody(taught):
    _, result = taught
    with pytest.raises(ConfigError, match="static student of the run 'teacher'"):
        training_run(load=result.run_dir).distill(texts_of(300))


def test_an_existing_run_is_replaced_only_if_asked(taught, teacher):
    _, result = taught
    place = Path(shutil.copytree(result.run_dir, teacher.run_dir.parent / "student"))
    (place / "notes.txt").write_text("mine")
    with pytest.raises(RunExistsError):
        teacher.distill(texts_of(300), name="student")
    teacher.distill(texts_of(300), name="student", overwrite=True, dim=16)
    assert (place / "notes.txt").read_text() == "mine"
    assert training_run(load=place).config["student_of"]["run_name"] == "trained"


def test_a_student_that_cannot_be_read_back_does_not_replace_a_good_one(
    taught, teacher, monkeypatch
):
    _, result = taught
    place = Path(shutil.copytree(result.run_dir, teacher.run_dir.parent / "student"))
    before = (place / "config.json").read_bytes()
    monkeypatch.setattr(
        "clx.ml.distillation.static_student.StaticStudent.read_logits",
        lambda self, texts: np.full((len(texts), 2), [[9.0, -9.0]]),
    )
    with pytest.raises(NotPublishedError, match="a score differs by"):
        teacher.distill(texts_of(300), name="student", overwrite=True, dim=16)
    assert (place / "config.json").read_bytes() == before


def test_training_texts_and_texts_of_another_domain_are_named(tiny_model, tmp_path):
    frame = pd.DataFrame({"text": texts_of(240)})
    frame["label"] = ["fruit" if any(w in t for w in FRUIT) else "animal" for t in frame["text"]]
    run = training_run(
        "classification", "teacher", run_dir_parent=tmp_path, base_model_name=tiny_model
    )
    run.train(frame, fine_tune=False)
    with pytest.warns(DataWarning, match="'teacher' was trained on about 100%"):
        run.distill(frame, name="student", dim=16)
    noise = random.Random(0)
    strange = [
        " ".join(noise.choices("four five a an with the is".split(), k=9)) for _ in range(300)
    ]
    # Among such texts the teacher decides by chance.
    coin = {text: noise.random() for text in strange}

    def scores(self, texts):
        first = np.array([coin[text] for text in texts], dtype=np.float32)
        return np.stack([first, 1 - first], axis=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Teacher, "scores", scores)
        with pytest.warns(ClxWarning, match="often disagrees with 'teacher': .* of 30"):
            run.distill(strange, name="strange", dim=16, augment=0)


KILLED = """
import os, signal, sys
from clx.ml import training_run
from clx.ml.distillation import texts
from clx.ml.distillation.teacher import Teacher
texts.CHUNK = 50
compute, calls = Teacher._computed, []
def killed_at_the_third(self, some):
    calls.append(some)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(self, some)
Teacher._computed = killed_at_the_third
data = open(sys.argv[2]).read().splitlines()
training_run(load=sys.argv[1]).distill(data, name="student", dim=16, augment=0)
"""


def test_a_killed_distillation_goes_on(teacher, tmp_path, monkeypatch):
    (tmp_path / "texts.txt").write_text("\n".join(texts_of(400)))
    arguments = [sys.executable, "-c", KILLED, str(teacher.run_dir), str(tmp_path / "texts.txt")]
    folder = cache_dir() / "teachers"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(arguments, stderr=subprocess.DEVNULL, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(folder.glob("*.safetensors"))) == 2
    answered = []
    compute = Teacher._computed
    monkeypatch.setattr(
        Teacher, "_computed", lambda self, some: answered.append(len(some)) or compute(self, some)
    )
    monkeypatch.setattr("clx.ml.distillation.texts.CHUNK", 50)
    result = teacher.distill(texts_of(400), name="student", dim=16, augment=0)
    assert len(answered) == 8 - 2
    assert result.agreement.texts == 40
    assert training_run(load=result.run_dir).predict_labels(["the cat"]) == ["animal"]


def test_repeated_texts_are_answered_once(teacher, monkeypatch):
    monkeypatch.setattr(gathering, "MIN_TEXTS", 10)
    result = teacher.distill(texts_of(60) * 3, name="student", dim=16)
    assert (result.texts["read"], result.texts["different"]) == (180, 60)
