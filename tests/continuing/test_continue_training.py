"""A run is trained further: weights and labels stay, new labels follow, the old run is unchanged."""

import hashlib
import json
import shutil

import pandas as pd
import pytest
from transformers import AutoModelForSequenceClassification, TrainerCallback

from clx.errors import ConfigError, DataFormatError, DataWarning, RunDirError, RunExistsError
from clx.ml import task_registry, training_run
from clx.ml.continuing import train as continuing
from clx.ml.continuing.rows import Replay, sample_rows
from conftest import ANIMALS, FRUIT
from strangers import Minimal

NUMBERS = "one two three four five".split()
WORDS = {"fruit": FRUIT, "animal": ANIMALS, "number": NUMBERS}
QUICK = {"fine_tune": False}
ARGS = {"max_steps": 3, "disable_tqdm": True}

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")


def rows_of(*labels, start="the", several=False):
    rows = [
        (f"{start} {word} is a {other}", label)
        for label in labels
        for word in WORDS[label]
        for other in ("big", "red", "small")
    ]
    frame = pd.DataFrame(rows, columns=["text", "label"])
    return frame.assign(label=[[label] for label in frame["label"]]) if several else frame


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def head_of(run_dir):
    model = AutoModelForSequenceClassification.from_pretrained(run_dir / "model")
    return model.classifier.weight.detach(), model


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def made(parent, tiny_model):
    """Make a run in the folder of this module, without label texts, which take time."""

    def make(task, name, **options):
        options = {"training_args": ARGS, "label_texts": None, "pooling": "mean", **options}
        return training_run(
            task, name, run_dir_parent=parent, base_model_name=tiny_model, **options
        )

    return make


@pytest.fixture(scope="module")
def old(made):
    """A trained run of two labels, which the caller gave in an order of their own."""
    run = made("classification", "old", label_names=["fruit", "animal"], target_accuracy=0.6)
    run.train(rows_of("fruit", "animal"), rows_of("fruit", "animal", start="a"), **QUICK)
    return run.run_dir


@pytest.fixture(scope="module")
def grown(old):
    """The run continued with a third label, and the contents of the old run before and after."""
    before = contents(old)
    result = training_run(load=old).continue_training(
        rows_of("number"),
        rows_of(*WORDS, start="a"),
        replay=rows_of("fruit", "animal"),
        replay_rows=0.5,
        **QUICK,
    )
    return result, before, contents(old)


def test_labels_keep_their_order_and_rows_and_new_ones_follow(old, grown):
    result, before, after = grown
    run = training_run(load=result.run_dir)
    assert run.label_names == ["fruit", "animal", "number"]
    assert result.new_labels == ["number"]
    assert result.run_dir.name == "old-2"
    assert result.replayed == 18
    assert result.rows["train"] == 15 + 18
    assert before == after
    # The temperature divides all rows alike.
    old_rows, _ = head_of(old)
    new_rows, model = head_of(result.run_dir)
    ratio = new_rows[:2] / old_rows
    assert ratio.std() < 1e-3 * ratio.mean()
    assert model.config.id2label == {0: "fruit", 1: "animal", 2: "number"}
    assert run.results["head"]["continued"]["head"] == "earlier, new labels by probe"
    assert run.predict_labels(["the two is a big"]) == ["number"]


def test_the_config_names_the_ancestor_by_its_content(old, grown, parent):
    config = json.loads((grown[0].run_dir / "config.json").read_text())
    first = json.loads((old / "config.json").read_text())
    manifest = json.loads((old / "manifest.json").read_text())["files"]
    fingerprint = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    assert config["continued_from"] == {"run_name": "old", "fingerprint": fingerprint}
    assert config["base_model_name"] == first["base_model_name"]
    card = (grown[0].run_dir / "model" / "README.md").read_text()
    assert "continues the training of `old`" in card
    assert str(parent) not in json.dumps(config) + card


def test_old_and_new_are_compared_on_rows_that_the_old_run_can_answer(grown):
    result = grown[0]
    assert result.comparison.names == ("old", "old-2")
    assert result.comparison.rows == 36
    assert result.evaluation.rows == 36 + 15
    row = result.comparison.metrics.loc["accuracy"]
    assert row["low"] <= row["difference"] <= row["high"]
    stored = training_run(load=result.run_dir).results["continued"]
    assert stored["comparison"]["rows"] == 36
    assert stored["from"] == "old"
    assert "Comparison with old" in (result.run_dir / "report.html").read_text()


@pytest.mark.filterwarnings("ignore:No score reaches:clx.errors.ClxWarning")
def test_eval_rows_that_the_old_run_was_trained_on_are_named(old):
    run = training_run(load=old)
    with pytest.warns(DataWarning, match=r"run 'old' was trained\s+on the text in 36 of 36 rows"):
        result = run.continue_training(
            rows_of("number"), rows_of("fruit", "animal"), name="seen", **QUICK
        )
    assert result.comparison.learned_rows == (36, None)
    assert result.evaluation.learned_rows == 36


def test_rows_of_few_labels_without_eval_data_replace_neither_head_nor_decisions(old, grown):
    run = training_run(load=old)
    assert training_run(load=grown[0].run_dir).min_score not in (None, run.min_score)
    with pytest.warns(DataWarning, match=r"no row of 1 of the 2 labels of the run \('animal'\)"):
        result = run.continue_training(rows_of("fruit"), name="only-fruit", **QUICK)
    new = training_run(load=result.run_dir)
    assert head_of(result.run_dir)[0].equal(head_of(old)[0])
    assert new.results["head"]["continued"]["head"] == "earlier"
    assert result.carried == ["min_score"]
    assert new.min_score == run.min_score
    # It was learned, so the next training with eval data fits it again.
    assert new.config["learned"]["min_score"] is None


def test_several_labels_per_row(made):
    run = made("multilabel", "several")
    both = rows_of("fruit", "animal", several=True)
    run.train(both, rows_of("fruit", "animal", start="a", several=True), **QUICK)
    more = rows_of("number", several=True)
    evaluated = rows_of(*WORDS, start="a", several=True)
    result = run.continue_training(more, evaluated, replay=both, **QUICK)
    new = training_run(load=result.run_dir)
    assert new.label_names == ["animal", "fruit", "number"]
    assert set(new.thresholds) == set(new.label_names)
    assert result.comparison.rows == 36
    scores = new.predict(["the two is a big", "the apple is a big"])
    assert scores[0]["number"] > scores[1]["number"]


def test_a_new_probe_replaces_a_head_that_is_worse_on_unseen_rows(old):
    swapped = rows_of("fruit", "animal").replace({"fruit": "animal", "animal": "fruit"})
    run = training_run(load=old)
    result = run.continue_training(swapped, name="swapped", **QUICK)
    continued = training_run(load=result.run_dir).results["head"]["continued"]
    assert continued["head"] == "probe"
    assert continued["probe_loss"] < continued["earlier_loss"]


def test_fine_tuning_starts_from_the_trained_weights_and_is_resumed(old):
    class Fails(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise RuntimeError("power cut")

    arguments = {**ARGS, "learning_rate": 1e-9, "save_strategy": "steps", "save_steps": 1}
    call = {"name": "tuned", "training_args": arguments, "replay": rows_of("animal")}
    run = training_run(load=old)
    with pytest.raises(Exception, match="power cut"):
        run.continue_training(rows_of("fruit"), callbacks=[Fails()], **call)
    result = run.continue_training(rows_of("fruit"), resume=True, **call)
    assert result.steps == 3
    new = training_run(load=result.run_dir)
    texts = ["the cat is a big", "an apple", "one"]
    for one, two in zip(run.predict(texts), new.predict(texts), strict=True):
        assert one == pytest.approx(two, abs=1e-4)
    assert new.training_args == arguments


def test_options_that_contradict_are_listed(old):
    run = training_run(load=old)
    with pytest.raises(ConfigError) as error:
        run.continue_training(
            rows_of("fruit"),
            pooling="cls",
            tokenize_args={"max_length": 8},
            long_text="window",
            label_names=["animal", "fruit"],
            min_scores=0.5,
        )
    for words in (
        "pooling is 'mean' in the saved run",
        "tokenize_args is {} in the saved run",
        "long_text is 'truncate'",
        "label_names must begin with the labels of the run, ['fruit', 'animal']",
        "there is no option 'min_scores'; did you mean 'min_score'?",
        "Only run_dir_parent, training_args, report_to",
    ):
        assert words in str(error.value)


def test_wrong_calls(old, parent):
    run = training_run(load=old)
    with pytest.raises(RunExistsError):
        run.continue_training(rows_of("fruit"), name="old")
    with pytest.raises(ConfigError, match="resume=True needs name="):
        run.continue_training(rows_of("fruit"), resume=True)
    with pytest.raises(ConfigError, match="replay_rows needs replay="):
        run.continue_training(rows_of("fruit"), replay_rows=3)
    with pytest.raises(DataFormatError, match="replay"):
        run.continue_training(rows_of("fruit"), replay=pd.DataFrame({"text": ["a"]}))
    with pytest.raises(DataFormatError, match="train_data"):
        run.continue_training(pd.DataFrame({"text": ["a", None], "label": ["new", "new"]}))
    assert not list(parent.glob("old-3*"))


def test_overwrite_replaces_the_run_itself(old, tmp_path):
    place = shutil.copytree(old, tmp_path / "itself")
    first, other = training_run(load=place), training_run(load=place)
    names = ["fruit", "animal", "later", "number"]
    result = first.continue_training(
        rows_of("number"), name="itself", overwrite=True, label_names=names, **QUICK
    )
    assert result.run_dir == place
    again = training_run(load=place)
    assert again.label_names == names
    with pytest.raises(RunDirError, match="was replaced since it was opened"):
        other.continue_training(rows_of("fruit"), **QUICK)
    # Training from the base model again forgets the ancestor.
    again.train(rows_of(*WORDS), overwrite=True, **QUICK)
    assert "continued_from" not in training_run(load=place).config


def test_a_run_that_is_replaced_meanwhile_is_not_mixed(old, tmp_path, monkeypatch):
    place = shutil.copytree(old, tmp_path / "meanwhile")

    def replaced(frame, names, *others):
        manifest = json.loads((place / "manifest.json").read_text())
        manifest["files"]["config.json"]["sha256"] = "0" * 64
        (place / "manifest.json").write_text(json.dumps(manifest))
        return earlier(frame, names, *others)

    earlier = continuing.Earlier
    monkeypatch.setattr(continuing, "Earlier", replaced)
    with pytest.raises(RunDirError, match="was replaced"):
        training_run(load=place).continue_training(rows_of("fruit"), name="mixed", **QUICK)
    assert not (tmp_path / "mixed").exists()


class Shades(Minimal):
    """A task whose labels are not called label_names, and are taken from the data."""

    name = "shades"
    add_config_attrs = ("shades",)
    head_init = "probe"
    calibrate = True

    def infer_config(self, data):
        if self.shades is None:
            self.shades = sorted(set(data["label"]))

    def load_model(self, model_name=None):
        return AutoModelForSequenceClassification.from_pretrained(
            model_name, num_labels=len(self.shades), **self.model_args
        )

    def tokenize(self, examples):
        labels = [self.shades.index(label) for label in examples["label"]]
        return {**self.tokenizer(examples["text"], truncation=True), "labels": labels}


def test_a_task_with_labels_of_another_name(made):
    task_registry.register(Shades)
    shades = made("shades", "shades")
    shades.train(rows_of("fruit", "animal"), **QUICK)
    result = shades.continue_training(rows_of("fruit"), rows_of("fruit", start="a"), **QUICK)
    assert training_run(load=result.run_dir).shades == ["animal", "fruit"]
    assert result.new_labels == []


def test_asample_rows_of_old_rows_keeps_the_shares_of_labels():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    for wanted in (10, 20, 50):
        chosen = [labels[row] for row in sample_rows(labels, 100, wanted, seed=0)]
        assert [chosen.count(name) for name in "abc"] == [wanted * n // 100 for n in (60, 30, 10)]
    assert Replay(data=1, rows=1.0).wanted(7) == 7
    assert Replay(data=1, rows=1).wanted(7) == 1
    for rows in (0, -1, 2.5, True, "all", float("nan")):
        with pytest.raises(ConfigError, match="replay_rows must be"):
            Replay(data=1, rows=rows).check()
