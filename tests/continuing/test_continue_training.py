"""A run is trained further: its weights and labels stay, new labels come after them, and it is unchanged."""

import hashlib
import json

import pandas as pd
import pytest
from transformers import AutoModelForSequenceClassification

from clx.errors import ConfigError, DataFormatError, DataWarning, RunDirError, RunExistsError
from clx.ml import task_registry, training_run
from clx.ml.continuing import compare
from clx.ml.continuing.rows import Replay, _sample
from conftest import ANIMALS, FRUIT
from strangers import Minimal, Numbers

NUMBERS = "one two three four five".split()
WORDS = {"fruit": FRUIT, "animal": ANIMALS, "number": NUMBERS}
QUICK = {"fine_tune": False}
ARGS = {"max_steps": 2, "disable_tqdm": True}

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
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def made(parent, tiny_model):
    """Make a run in the folder of this module, without label texts, which take time."""

    def make(task, name, **options):
        options = {"training_args": ARGS, "label_texts": None, **options}
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


def head_of(run_dir):
    model = AutoModelForSequenceClassification.from_pretrained(run_dir / "model")
    return model.classifier.weight.detach(), model


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
    assert config["continued_from"]["run_name"] == "old"
    assert config["continued_from"]["fingerprint"] == training_run(load=old)._clx_loaded.identity
    assert config["base_model_name"] == first["base_model_name"]
    assert str(parent) not in json.dumps(config["continued_from"])
    assert "continues the training of `old`" in (grown[0].run_dir / "model/README.md").read_text()


def test_old_and_new_are_compared_on_rows_that_the_old_run_can_answer(grown):
    result = grown[0]
    assert result.comparison.names == ("old", "old-2")
    assert result.comparison.rows == 36
    assert result.evaluation.rows == 36 + 15
    # An old row that gets a new label counts as an error: all metrics are of three labels.
    table = result.comparison.metrics
    assert table.loc["accuracy", "difference"] == pytest.approx(
        table.loc["accuracy", "other"] - table.loc["accuracy", "own"]
    )
    assert (
        table.loc["accuracy", "low"]
        <= table.loc["accuracy", "difference"]
        <= table.loc["accuracy", "high"]
    )
    stored = training_run(load=result.run_dir).results["continued"]
    assert stored["comparison"]["rows"] == 36
    assert stored["from"] == "old"
    assert "Comparison with old" in (result.run_dir / "report.html").read_text()


def test_decisions_are_fitted_anew_or_carried(old, grown):
    earlier = training_run(load=old)
    assert training_run(load=grown[0].run_dir).min_score not in (None, earlier.min_score)
    result = earlier.continue_training(rows_of("fruit", "animal"), name="carried", **QUICK)
    assert result.carried == ["min_score"]
    carried = training_run(load=result.run_dir)
    assert carried.min_score == earlier.min_score
    # The decision was learned, so the next training with eval data fits it again.
    assert carried.config["learned"]["min_score"] is None


def test_several_labels_per_row(made):
    run = made("multilabel", "several")
    both = rows_of("fruit", "animal", several=True)
    run.train(both, rows_of("fruit", "animal", start="a", several=True), **QUICK)
    result = run.continue_training(
        rows_of("number", several=True),
        rows_of(*WORDS, start="a", several=True),
        replay=both,
        **QUICK,
    )
    new = training_run(load=result.run_dir)
    assert new.label_names == ["animal", "fruit", "number"]
    assert set(new.thresholds) == set(new.label_names)
    assert result.comparison.rows == 36
    assert new.predict_labels(["the two is a big"]) == [["number"]]
    without = run.continue_training(
        rows_of("number", "fruit", several=True), name="no-eval", **QUICK
    )
    assert without.carried == ["thresholds"]
    assert training_run(load=without.run_dir).thresholds == run.thresholds


def test_rows_of_few_labels_do_not_replace_the_head(old):
    run = training_run(load=old)
    with pytest.warns(DataWarning, match=r"no row of 1 of the 2 labels of the run \('animal'\)"):
        result = run.continue_training(rows_of("fruit"), name="only-fruit", **QUICK)
    assert head_of(result.run_dir)[0].equal(head_of(old)[0])
    assert training_run(load=result.run_dir).results["head"]["continued"]["head"] == "earlier"


def test_a_new_probe_replaces_a_head_that_is_worse_on_unseen_rows(old):
    swapped = rows_of("fruit", "animal").replace({"fruit": "animal", "animal": "fruit"})
    run = training_run(load=old)
    result = run.continue_training(swapped, name="swapped", **QUICK)
    continued = training_run(load=result.run_dir).results["head"]["continued"]
    assert continued["head"] == "probe"
    assert continued["probe_loss"] < continued["earlier_loss"]
    assert training_run(load=result.run_dir).predict_labels(["the apple is a big"]) == ["animal"]


def test_fine_tuning_starts_from_the_trained_weights(old):
    run = training_run(load=old)
    arguments = {"max_steps": 1, "learning_rate": 1e-9, "disable_tqdm": True}
    result = run.continue_training(
        rows_of("fruit"), name="tuned", replay=rows_of("animal"), training_args=arguments
    )
    texts = ["the cat is a big", "an apple", "one"]
    new = training_run(load=result.run_dir)
    assert new.results["head"]["continued"]["head"] == "earlier"
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
        "pooling is 'auto' in the saved run",
        "tokenize_args is {} in the saved run",
        "long_text is 'truncate'",
        "label_names must begin with the labels of the run, ['fruit', 'animal']",
        "there is no option 'min_scores'; did you mean 'min_score'?",
        "Only training_args",
    ):
        assert words in str(error.value)


def test_label_names_may_name_a_label_without_rows(old):
    result = training_run(load=old).continue_training(
        rows_of("number"), name="later", label_names=["fruit", "animal", "later", "number"], **QUICK
    )
    assert training_run(load=result.run_dir).label_names == ["fruit", "animal", "later", "number"]


def test_an_existing_name_and_an_unfinished_call(old, parent):
    run = training_run(load=old)
    with pytest.raises(RunExistsError):
        run.continue_training(rows_of("fruit"), name="old")
    with pytest.raises(ConfigError, match="resume=True needs name="):
        run.continue_training(rows_of("fruit"), resume=True)
    with pytest.raises(ConfigError, match="replay_rows needs replay="):
        run.continue_training(rows_of("fruit"), replay_rows=3)
    with pytest.raises(DataFormatError, match="replay"):
        run.continue_training(rows_of("fruit"), replay=pd.DataFrame({"text": ["a"]}))
    assert not list(parent.glob("old-3*"))


def test_overwrite_replaces_the_run_itself(made):
    run = made("classification", "itself")
    run.train(rows_of("fruit", "animal"), **QUICK)
    first = training_run(load=run.run_dir)
    result = first.continue_training(rows_of(*WORDS), name="itself", overwrite=True, **QUICK)
    assert result.run_dir == run.run_dir
    again = training_run(load=run.run_dir)
    assert again.label_names == ["animal", "fruit", "number"]
    with pytest.raises(RunDirError, match="was replaced since it was opened"):
        first.continue_training(rows_of("fruit"), **QUICK)
    # Training from the base model again forgets the ancestor.
    again.train(rows_of(*WORDS), overwrite=True, **QUICK)
    assert "continued_from" not in training_run(load=run.run_dir).config


def test_a_run_that_is_replaced_meanwhile_is_not_mixed(made, monkeypatch):
    made("classification", "meanwhile").train(rows_of("fruit", "animal"), **QUICK)
    run = made("classification", "meanwhile")
    _ = run.model

    def replaced(*args, **kwargs):
        made("classification", "meanwhile").train(rows_of(*WORDS), overwrite=True, **QUICK)
        return

    monkeypatch.setattr("clx.ml.continuing.train.compare_continued", replaced)
    monkeypatch.setattr(compare, "compare_continued", replaced)
    rows = rows_of("fruit", "animal")
    with pytest.raises(RunDirError, match="was replaced while it was continued"):
        run.continue_training(rows, rows, name="mixed", **QUICK)
    assert not (run.run_dir_parent / "mixed" / "manifest.json").exists()


def test_an_interrupted_call_is_resumed(old, parent):
    from transformers import TrainerCallback

    class Fails(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 3:
                raise RuntimeError("power cut")

    arguments = {"max_steps": 4, "save_strategy": "steps", "save_steps": 1, "disable_tqdm": True}
    call = {"name": "resumed", "training_args": arguments}
    run = training_run(load=old)
    with pytest.raises(RuntimeError, match="power cut"):
        run.continue_training(rows_of("number"), callbacks=[Fails()], **call)
    result = run.continue_training(rows_of("number"), resume=True, **call)
    assert result.steps == 4
    assert training_run(load=result.run_dir).label_names == ["fruit", "animal", "number"]


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


def test_tasks_of_other_authors(made, monkeypatch):
    for task in (Shades, Numbers):
        task_registry.register(task)
    shades = made("shades", "shades")
    shades.train(rows_of("fruit", "animal"), **QUICK)
    result = shades.continue_training(rows_of("fruit"), rows_of("fruit", start="a"), **QUICK)
    assert training_run(load=result.run_dir).shades == ["animal", "fruit"]
    assert result.new_labels == []
    frame = rows_of("fruit", "animal")
    frame["label"] = [float(number % 3) for number in range(len(frame))]
    numbers = made(Numbers.name, "numbers")
    numbers.train(frame, training_args={}) if False else numbers.train(frame)
    result = numbers.continue_training(frame, frame, replay=frame, replay_rows=4)
    assert result.replayed == 4


def test_a_sample_of_old_rows_keeps_the_shares_of_labels():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    for wanted in (10, 20, 50):
        chosen = [labels[row] for row in _sample(labels, 100, wanted, seed=0)]
        assert [chosen.count(name) for name in "abc"] == [wanted * n // 100 for n in (60, 30, 10)]
    assert Replay(data=1, rows=1.0).wanted(7) == 7
    assert Replay(data=1, rows=1).wanted(7) == 1
    for rows in (0, -1, 2.5, True, "all", float("nan")):
        with pytest.raises(ConfigError, match="replay_rows must be"):
            Replay(data=1, rows=rows).check()
