"""The schema of predictions: for the tasks of this repository, and for those of others."""

import pandas as pd
import pyarrow as pa
import pytest

from clx.batch import Predictor
from clx.errors import PluginError
from clx.ml import training_run
from clx.ml.prediction import output_types
from conftest import fruit_frame
from strangers import Full, Minimal

QUICK = {"max_steps": 1, "disable_tqdm": True}


@pytest.fixture(scope="module")
def run_dir(_trained_once):
    """A run directory that the tests do not change."""
    return _trained_once


@pytest.fixture(scope="module")
def tags(tiny_model, tmp_path_factory):
    """A multi-label run that has learned nothing."""
    frame = fruit_frame(24)
    frame["labels"] = [
        [label] * (number % 3 > 0) for number, label in enumerate(frame.pop("label"))
    ]
    run = training_run(
        "multilabel",
        "tags",
        run_dir_parent=tmp_path_factory.mktemp("tags"),
        base_model_name=tiny_model,
        training_args=QUICK,
    )
    run.train(frame)
    return run.run_dir


@pytest.fixture
def stranger(tiny_model, tmp_path):
    """Return a function that trains a run of a stranger's task."""

    def make(task=Full, **attributes):
        task = type(f"Own{task.__name__}", (task,), {"__module__": __name__, **attributes})
        globals()[task.__name__] = task
        run = task("run", run_dir_parent=tmp_path, base_model_name=tiny_model, training_args=QUICK)
        run.train(fruit_frame(8))
        return run

    return make


def table(*texts):
    return pa.table({"text": pa.array(texts, pa.string())})


def test_several_labels_have_one_schema_with_and_without_labels(tags):
    expected = {"labels": pa.list_(pa.string()), "scores": pa.list_(pa.float64())}
    for min_score, number in ((0.0, 2), (1.0, 0)):
        predictor = Predictor(tags, min_score=min_score, all_scores=True)
        found = predictor(table("apple", None))
        assert found.schema.remove(0) == predictor.schema()
        assert {name: predictor.schema().field(name).type for name in expected} == expected
        assert len(found.column("labels")[0].as_py()) == number
        assert found.column("labels")[1].as_py() is None
        assert predictor.schema().names[3:5] == ["score_animal", "score_fruit"]


def test_several_labels_in_a_dict_and_in_pandas(tags):
    predictor = Predictor(tags, min_score=0.0)
    rows = {"text": ["apple", None]}
    frame = predictor(pd.DataFrame(rows))
    arrays = predictor({"text": pd.Series(rows["text"]).to_numpy(object)})
    assert frame["labels"][0] == arrays["labels"][0] == ["animal", "fruit"]
    assert arrays["labels"].shape == (2,)
    assert frame["labels"][1] is arrays["labels"][1] is None


def test_a_task_that_declares_nothing_gets_the_types_of_sample_predictions(stranger):
    predictor = Predictor(stranger())
    assert predictor.schema() == pa.schema(
        [
            ("animal", pa.float64()),
            ("fruit", pa.float64()),
            ("truncated", pa.bool_()),
            ("error", pa.string()),
        ]
    )
    for texts in ((), (None,), ("apple", None)):
        assert predictor(table(*texts)).schema.remove(0) == predictor.schema()


def test_a_column_that_is_empty_for_the_samples_holds_json(stranger):
    def row(self, prediction, *, all_scores=False, min_score=None):
        found = [{"word": "apple"}] if max(prediction.values()) >= 0 else []
        return {"words": found if self.predicts else [], "none": None}

    run = stranger(prediction_row=row, predicts=False)
    predictor = Predictor(run)
    assert predictor.schema().field("words").type == pa.json_(pa.string())
    type(run).predicts = True
    found = predictor(table("apple"))
    assert found.column("words").type == pa.json_(pa.string())
    assert predictor(pd.DataFrame({"text": ["apple"]}))["words"][0] == [{"word": "apple"}]


def test_a_row_without_the_declared_type_is_an_error_of_that_row(stranger):
    seen = []

    def bad(self, prediction):
        seen.append(prediction)
        return len(seen) == 2

    run = stranger(
        prediction_row=lambda self, prediction, **_: {
            "stars": "none" if self.bad(prediction) else 3
        },
        prediction_types=lambda self, *, all_scores=False: {"stars": int},
        bad=bad,
    )
    found = Predictor(run)(table("apple", "cat", "dog"))
    assert found.column("stars").to_pylist() == [3, None, 3]
    assert "'none' in the column 'stars'" in found.column("error")[1].as_py()
    seen.clear()
    with pytest.raises(PluginError, match="Row 1: prediction_row returned 'none'"):
        Predictor(run, on_error="raise")(table("apple", "cat"))


@pytest.mark.parametrize("declared", [{"stars": 3}, {"stars": [int, str]}, ["stars"], {"x": list}])
def test_what_is_not_a_type_is_the_fault_of_the_task(declared):
    class Wrong(Minimal):
        def prediction_types(self, *, all_scores=False):
            return declared

    with pytest.raises(PluginError, match="prediction_types of the task 'minimal' must return"):
        output_types.declared_types(Wrong("run"), False)


def test_the_error_column_gives_way_to_the_column_of_a_task(stranger):
    run = stranger(
        prediction_row=lambda self, prediction, **_: {"error": 0.5},
        prediction_types=lambda self, **_: {"error": float},
    )
    assert Predictor(run)(table("apple", None)).to_pydict() == {
        "text": ["apple", None],
        "error": [0.5, None],
        "truncated": [False, None],
        "predicted_error": [None, "column 'text': the text is missing"],
    }


def test_a_file_without_a_single_valid_text_has_the_columns_of_the_predictions(run_dir, tmp_path):
    pd.DataFrame({"text": [None, None]}).to_parquet(tmp_path / "in.parquet")
    run = training_run(load=run_dir)
    with pytest.warns(match="2 rows of"):
        run.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", on_error="skip")
    schema = pa.parquet.read_schema(tmp_path / "out.parquet").remove_metadata()
    assert schema.remove(0) == Predictor(run).schema()


def test_a_task_of_two_columns_reads_both(tiny_model, tmp_path):
    class Pairs(Minimal):
        name = "pairs"
        text_columns = ("question", "passage")

        def validate_data_format(self, data):
            pass

        def tokenize(self, examples):
            rows = self.tokenizer(examples["question"], examples["passage"], truncation=True)
            return {**rows, "labels": [int(label == "fruit") for label in examples["label"]]}

    Pairs.__qualname__ = "Pairs"
    globals()["Pairs"] = Pairs
    frame = fruit_frame(8).rename(columns={"text": "question"}).assign(passage="the cat")
    run = Pairs("pairs", run_dir_parent=tmp_path, base_model_name=tiny_model, training_args=QUICK)
    run.train(frame)
    data = frame[["passage", "question"]].assign(passage=["a dog", None, *["a cow"] * 6])
    found = Predictor(run)(data)
    assert found["error"][1] == "column 'passage': the text is missing"
    expected = run.predict_frame(data.dropna())
    assert list(found["label"].drop(1)) == list(expected["label"])
    assert found["score"].drop(1).tolist() == pytest.approx(expected["score"].tolist(), abs=1e-5)
