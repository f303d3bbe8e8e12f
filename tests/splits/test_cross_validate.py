"""Cross-validation: each row is scored once, by a model that was not fitted to it."""

import importlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError, DataWarning
from clx.ml import training_run
from clx.ml.evaluation.evaluate import Predicted
from clx.ml.model.head import fit_probe
from clx.ml.splits import cross_validate as module
from clx.ml.splits.combine import joined, mean_value
from clx.ml.splits.folds import FoldRequest, make_folds
from conftest import ANIMALS, FRUIT
from strangers import Minimal, Numbers

ARGS = {"num_train_epochs": 2, "learning_rate": 5e-3, "disable_tqdm": True}


@pytest.fixture
def rows():
    """72 rows of different texts, of which each third has both kinds of words."""
    words = [*FRUIT, *ANIMALS]
    texts = [f"the {one} and a {other}" for one in words[:6] for other in words]
    labels = ["fruit" if other in FRUIT else "animal" for _ in range(6) for other in words]
    return pd.DataFrame(
        {"text": texts, "label": labels, "author": [n % 9 for n in range(72)], "day": range(72)},
        index=[f"row {number}" for number in range(72)],
    )


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder of its own for temporary files; it is empty after each test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def make(tiny_model, task="classification", **options):
    # Judging label names by validation takes most of the time of such small data.
    options = {"training_args": ARGS, "label_texts": None, **options}
    return training_run(task, "run", base_model_name=tiny_model, **options)


def test_every_row_is_scored_once_and_nothing_is_written(tiny_model, rows, own_data_dir):
    run = make(tiny_model)
    result = run.cross_validate(rows, folds=3, fine_tune=False)
    assert list(result.examples.index) == list(rows.index)
    assert result.examples["text"].tolist() == rows["text"].tolist()
    assert result.examples["given"].tolist() == rows["label"].tolist()
    assert result.rows == 72
    assert result.per_label["support"].tolist() == [36, 36]
    assert result.metrics["accuracy"] == result.examples["correct"].mean()
    assert 0 <= result.metrics["accuracy_low"] <= result.metrics["accuracy"]
    assert list(own_data_dir.iterdir()) == []
    assert run.label_names is None
    assert not run.is_trained
    assert result.about["Cross-validation"] == "3 folds, the last layer fitted"


def test_the_spread_is_the_sample_standard_deviation_over_the_folds(tiny_model, rows):
    run = make(tiny_model)
    labels = np.random.default_rng(0).permutation(rows["label"])
    data = rows.assign(label=labels)
    result = run.cross_validate(data, folds=4, fine_tune=False)
    run.label_names = ["animal", "fruit"]
    folds = make_folds(run, data, FoldRequest(data, 4))
    correct = result.examples["correct"].to_numpy()
    each = [correct[fold.held_out].mean() for fold in folds]
    assert result.metrics["accuracy_std"] == pytest.approx(np.std(each, ddof=1))
    assert result.metrics["accuracy_std"] > 0
    with_spread = {key for key in result.metrics if f"{key}_std" in result.metrics}
    assert {"loss", "accuracy", "f1_macro", "log_loss", "ece"} <= with_spread
    page = result.save(Path(os.environ["LOCAL_DATA_DIR"]) / "saved") / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "Standard deviation" in text
    assert "accuracy_std" not in text
    assert "4 folds, the last layer fitted" in text


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("classification", {"target_accuracy": 0.9, "long_text": "window", "pooling": "cls",
                            "tokenize_args": {"max_length": 6}}),
        ("multi-label-classification", {"class_weights": "balanced", "pooling": "mean",
                                        "label_texts": {"fruit": "apple", "red": ["red", "a red"]}}),
    ],
    ids=["windows", "several labels"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*shared threshold")
@pytest.mark.filterwarnings("ignore:No score reaches")
def test_shared_features_give_the_scores_of_trainings(tiny_model, rows, task, options, monkeypatch):
    if task != "classification":
        rows["labels"] = [[label, "red"][: 1 + n % 2] for n, label in enumerate(rows["label"])]
        rows = rows.drop(columns="label")
    # Otherwise, shared features choose one C from all rows, and each training its own.
    monkeypatch.setattr(fit_probe, "C_VALUES", (10.0,))
    run = make(tiny_model, task, **options)
    shared = run.cross_validate(rows, folds=2, fine_tune=False)
    monkeypatch.setattr(module, "shared_features", lambda start, split: None)
    trained = run.cross_validate(rows, folds=2, fine_tune=False)
    assert shared.metrics == pytest.approx(trained.metrics, abs=2e-4, nan_ok=True)
    for column in ("score", "given_score"):
        assert shared.examples[column].to_numpy() == pytest.approx(
            trained.examples[column].to_numpy(), abs=2e-4
        )
    assert shared.truncated == trained.truncated
    assert set(shared.tables) == set(trained.tables)


def test_the_base_model_reads_the_rows_once(tiny_model, rows, monkeypatch):
    from clx.ml.splits import probes

    read = []
    collect = probes.collect_features

    def counted(model, layer, dataset, collator):
        read.append(len(dataset))
        return collect(model, layer, dataset, collator)

    monkeypatch.setattr(probes, "collect_features", counted)
    make(tiny_model).cross_validate(rows, folds=6, fine_tune=False)
    assert read == [72]


def test_fine_tuned_folds(tiny_model, rows, own_data_dir):
    run = make(tiny_model)
    result = run.cross_validate(rows, folds=2)
    assert list(result.examples.index) == list(rows.index)
    assert result.metrics["accuracy"] > 0.8
    assert result.about["Cross-validation"] == "2 folds, fine-tuned"
    assert list(own_data_dir.iterdir()) == []


def test_a_trained_run_stays_as_it_is(trained, rows):
    run = training_run(load=trained)
    before = run.predict("the apple is red")
    files = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    run.cross_validate(rows, folds=2, fine_tune=False)
    assert run.predict("the apple is red") == before
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == files


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*shared threshold")
def test_thresholds_of_each_fold(tiny_model, rows):
    rows["labels"] = [[label, "red"][: 1 + n % 2] for n, label in enumerate(rows["label"])]
    run = make(tiny_model, "multi-label-classification")
    result = run.cross_validate(rows.drop(columns="label"), folds=3, fine_tune=False)
    assert run.thresholds is None
    assert len(result.examples) == 72
    # Metrics are means over the folds, which decide by thresholds of their own.
    assert result.metrics["subset_accuracy"] == pytest.approx(result.examples["correct"].mean())
    assert (result.per_label["threshold"] != 0.5).any()
    assert result.metrics["f1_micro_std"] >= 0
    fixed = make(tiny_model, "multi-label-classification", thresholds=0.5)
    result = fixed.cross_validate(rows.drop(columns="label"), folds=3, fine_tune=False)
    assert result.metrics["f1_micro_low"] <= result.metrics["f1_micro"]


def test_groups_are_scored_by_models_that_do_not_know_them(tiny_model, rows):
    folds = make_folds(make(tiny_model), rows, FoldRequest(rows, 3, group_column="author"))
    for fold in folds:
        known = rows["author"].iloc[np.concatenate([fold.train, fold.eval])]
        assert not set(known) & set(rows["author"].iloc[fold.held_out])
        assert not set(rows["author"].iloc[fold.train]) & set(rows["author"].iloc[fold.eval])
    result = make(tiny_model).cross_validate(rows, folds=3, fine_tune=False, group_column="author")
    assert result.rows == 72


def test_newer_rows_are_scored_by_models_of_older_ones(tiny_model, rows):
    rows = rows.iloc[np.random.default_rng(0).permutation(72)]
    request = FoldRequest(rows, 5, time_column="day")
    for fold in make_folds(make(tiny_model), rows, request):
        days = [rows["day"].iloc[part] for part in (fold.train, fold.eval, fold.held_out)]
        assert days[0].max() < days[1].min()
        assert days[1].max() < days[2].min()
    result = make(tiny_model).cross_validate(rows, 5, fine_tune=False, time_column="day")
    # The oldest of six blocks is never scored.
    assert result.rows == 60
    assert sorted(rows.loc[result.examples.index, "day"]) == list(range(12, 72))
    assert list(result.examples.index) == [i for i in rows.index if rows["day"][i] >= 12]


def test_labels_that_a_fold_cannot_learn_are_reported(tiny_model, rows):
    rows.iloc[5, rows.columns.get_loc("label")] = "plant"
    with pytest.warns(DataWarning, match=r"no training rows in a fold.*'plant' \(fold \d\)"):
        result = make(tiny_model).cross_validate(rows, folds=3, fine_tune=False)
    assert result.examples["given"].iloc[5] == "plant"
    assert not result.examples["correct"].iloc[5]
    assert list(result.confusion.index) == ["animal", "fruit", "plant"]
    with pytest.raises(DataFormatError, match="plant"):
        make(tiny_model, strict_data=True).cross_validate(rows, folds=3, fine_tune=False)


@pytest.mark.parametrize("folds", [1, 0, -2, 2.0, True, None, "5"])
def test_wrong_folds(tiny_model, rows, folds):
    with pytest.raises(ConfigError, match="folds must be a whole number of at least 2"):
        make(tiny_model).cross_validate(rows, folds=folds)


def test_wrong_data_and_columns(tiny_model, rows):
    run = make(tiny_model)
    with pytest.raises(DataFormatError, match="data has 4 rows, fewer than the 5 folds"):
        run.cross_validate(rows.iloc[4:8])
    with pytest.raises(DataFormatError, match="data has 9 groups in column 'author'"):
        run.cross_validate(rows, folds=10, group_column="author")
    with pytest.raises(DataFormatError, match="no column 'when'"):
        run.cross_validate(rows, time_column="when")
    with pytest.raises(ConfigError, match="cannot be used together"):
        run.cross_validate(rows, group_column="author", time_column="day")
    with pytest.raises(DataFormatError, match="no column 'label'"):
        run.cross_validate(rows[["text"]])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_stops_a_fold_leaves_nothing(tiny_model, rows, error, monkeypatch, own_data_dir):
    made = []

    def stopped(start, frame, fold, fine_tune, folder: Path) -> Predicted:
        (folder / "checkpoint").write_text("")
        made.append(folder)
        raise error

    monkeypatch.setattr(module, "predict_after_training", stopped)
    run = make(tiny_model)
    said = {KeyboardInterrupt: "interrupted in fold 1 of 5; nothing was written"}.get(error)
    with pytest.raises(error, match=said):
        run.cross_validate(rows)
    assert made
    assert not made[0].exists()
    assert list(own_data_dir.iterdir()) == []
    assert run.label_names is None


def test_tasks_of_strangers(tiny_model, rows):
    options = {"base_model_name": tiny_model, "training_args": {"max_steps": 2, **ARGS}}
    numbers = Numbers("numbers", **options)
    result = numbers.cross_validate(rows, folds=2)
    assert np.isfinite([result.metrics["loss"], result.metrics["loss_std"]]).all()
    assert result.examples is None
    assert np.isfinite(numbers.cross_validate(rows, folds=2, fine_tune=False).metrics["loss"])
    with pytest.raises(ConfigError, match="needs head_init='probe'"):
        Minimal("minimal", **options).cross_validate(rows, folds=2, fine_tune=False)


def test_predictions_of_windows_and_tokens(tiny_model, monkeypatch):
    source = Path(__file__).parents[2] / "examples" / "clx-tasks-ner" / "src"
    monkeypatch.syspath_prepend(str(source))
    kind = importlib.import_module("clx_tasks_ner").NerRun
    data = pd.concat([kind.sample_data()] * 3, ignore_index=True)
    data.loc[0, "text"] = " ".join(["nobody came and"] * 40)
    run = kind("run", base_model_name=tiny_model, training_args={"max_steps": 1, **ARGS})
    result = run.cross_validate(data, folds=2)
    assert result.rows == len(data)
    assert "f1_std" in result.metrics


def test_predictions_of_different_lengths_are_joined():
    one, two = np.ones((2, 3, 2)), np.zeros((1, 5, 2))
    together = joined([one, two])
    assert together.shape == (3, 5, 2)
    assert (together[:2, 3:] == -100).all()
    assert joined([(one, None), (one, None)])[0].shape == (4, 3, 2)
    assert joined([{"a": one}, {"a": two}])["a"].shape == (3, 5, 2)
    assert joined([np.arange(2), np.arange(3)]).tolist() == [0, 1, 0, 1, 2]


def test_the_mean_of_decisions():
    assert mean_value(["a", "a"]) == "a"
    assert mean_value([0.2, 0.4]) == pytest.approx(0.3)
    assert mean_value([{"a": 0.0, "b": 1}, {"a": 1.0, "b": 1}]) == {"a": 0.5, "b": 1}
    assert mean_value([[0.0], [1.0]]) == [0.5]
    for different in (["a", "b"], [None, 0.5], [True, False], [{"a": 1}, {"b": 1}], [[1], [1, 2]]):
        with pytest.raises(ValueError, match="no mean"):
            mean_value(different)
