"""Tasks with two text columns: inputs of predict, which reach the model as in training."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.errors import ConfigError, DataFormatError, DataWarning, PluginError
from clx.ml import TrainingRun, task_registry, training_run
from clx_runtime.texts import TextRow, split_pair
from conftest import make_tiny_model

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.append(str(EXAMPLES / "clx-tasks-similarity" / "src"))
SimilarityRun = importlib.import_module("clx_tasks_similarity").SimilarityRun


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a trained run of the similarity example, which reads each pair in both orders."""
    folder = tmp_path_factory.mktemp("pairs")
    arguments = {"max_steps": 3, "disable_tqdm": True}
    run = SimilarityRun(
        "pairs",
        run_dir_parent=folder,
        base_model_name=make_tiny_model(folder / "tiny"),
        training_args=arguments,
        symmetric=True,
    )
    data = SimilarityRun.sample_data()
    with pytest.warns(
        DataWarning, match=r"\('an apple', 'a\s+red apple'\) \(row 0, train_data row 0"
    ):
        result = run.train(data, data)
    assert result.rows == {"train": len(data), "eval": len(data)}
    task_registry.register(SimilarityRun)
    yield run
    task_registry.unregister("similarity")


PAIRS = [("an apple", "a red apple"), ("old boat", "new door"), ("an apple", "a red apple")]


def test_ways_of_giving_pairs(run):
    expected = run.predict(PAIRS)
    assert len(expected) == 3
    assert expected[0] == expected[2] != expected[1]
    dicts = [{"second": b, "first": a} for a, b in PAIRS]
    for given in (dicts, tuple(PAIRS), iter(PAIRS), [list(pair) for pair in PAIRS]):
        assert run.predict(given) == expected
    assert list(run.predict_iter(PAIRS, batch_size=1))[1]["similarity"] == pytest.approx(
        expected[1]["similarity"], abs=1e-5
    )
    frame = pd.DataFrame(PAIRS, columns=["first", "second"], index=list("abc"))
    assert run.predict_frame(frame)["similarity"].tolist() == pytest.approx(
        [prediction["similarity"] for prediction in expected], abs=1e-6
    )


def test_pairs_reach_the_pipeline_as_text_and_pair(run):
    loaded = training_run(load=run.run_dir)
    ours = loaded.predict(PAIRS[:2])
    pipe = [{"text": a, "text_pair": b} for a, b in PAIRS[:2]]
    theirs = loaded.pipe(pipe, function_to_apply="sigmoid")
    assert [p["similarity"] for p in ours] == pytest.approx([t["score"] for t in theirs], abs=1e-5)
    swapped = loaded.predict([pair[::-1] for pair in PAIRS[:2]])
    assert [p["similarity"] for p in swapped] != [p["similarity"] for p in ours]


def test_files_of_pairs(run, tmp_path):
    frame = pd.DataFrame(PAIRS, columns=["first", "second"]).assign(number=[1, 2, 3])
    frame.to_json(tmp_path / "in.jsonl", orient="records", lines=True)
    run.predict_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    found = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert list(found.columns) == ["first", "second", "number", "similarity", "rank", "truncated"]


def test_pairs_on_the_command_line(run, tmp_path, capsys, monkeypatch):
    clx = Cli(capsys, monkeypatch)
    pd.DataFrame(PAIRS, columns=["first", "second"]).to_csv(tmp_path / "in.csv", index=False)
    assert clx("predict", run.run_dir, tmp_path / "in.csv").status == 0, clx.err
    apples, others = r"an apple\na red apple", r"old boat\nnew door"
    assert [line[0] for line in clx.lines] == ["text", apples, others, apples]
    assert clx("predict", run.run_dir, "one", "text").status == 2
    assert "rows (first, second)" in clx.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("one text", "a list of rows (first, second)"),
        ({"first": "a", "second": "b"}, "but got a dict"),
        (pd.DataFrame({"first": ["a"]}), "use predict_frame"),
        (["a", "b"], "but got 'a' at position 0"),
        ([("a", "b"), ("a",)], "but got ('a',) at position 1"),
        ([("a", None)], "but got ('a', None) at position 0"),
        ([{"first": "a"}], "but got {'first': 'a'} at position 0"),
        (5, "but got 5"),
    ],
)
def test_what_is_no_row_of_texts(run, given, said):
    with pytest.raises(DataFormatError) as caught:
        run.predict(given)
    assert said in str(caught.value)
    assert run.predict([]) == []


def test_halves_of_surrogate_pairs_are_found_in_either_text(run):
    with pytest.raises(DataFormatError, match="position 1"):
        run.predict([("a", "b"), ("a", "b\ud800")])


def test_frames_need_both_columns(run):
    with pytest.raises(DataFormatError, match="no column 'second'"):
        run.predict_frame(pd.DataFrame({"first": ["a"]}))
    with pytest.raises(DataFormatError, match=r"column 'second': the text is missing"):
        run.predict_frame(pd.DataFrame({"first": ["a"], "second": [None]}))
    with pytest.raises(ConfigError, match="this one reads first, second"):
        run.predict_frame(pd.DataFrame({"x": ["a"]}), text_column="x")


def test_long_pairs_are_cut_and_counted(run):
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        found = run.predict([("a", "b"), ("an apple " * 80, "a boat")])
    assert len(found) == 2


def test_files_of_a_task_are_in_the_manifest_and_replaced(run):
    import json

    assert [path.name for path in run.extra_dir.iterdir()] == ["quantiles.json"]
    manifest = json.loads((run.run_dir / "manifest.json").read_text())
    assert "extra/quantiles.json" in manifest["files"]


def test_rows_are_equal_when_their_texts_are():
    one, other = TextRow(["a", "b\nc"]), TextRow(["a\nb", "c"])
    assert str.__eq__(one, other)
    assert one != other
    assert one == TextRow(("a", "b\nc"))
    assert one != "a\nb\nc"
    assert len({one, other, TextRow(["a", "b\nc"])}) == 2
    assert split_pair([one, other]) == (["a", "a\nb"], ["b\nc", "c"])
    assert split_pair(["x"]) == (["x"],)


@pytest.mark.parametrize("columns", [(), ("a", "b", "c"), "text", None])
def test_one_or_two_columns(columns):
    cls = type("Odd", (SimilarityRun,), {"text_columns": columns, "name": "odd"})
    with pytest.raises(PluginError, match="text_columns must be a tuple of one or two"):
        cls("x")
    assert issubclass(cls, TrainingRun)


# ---- Several results per row -------------------------------------------------------------------------


class Windows(SimilarityRun):
    name = "windows"
    mapping = [0, 0, 1]

    def tokenize(self, examples):
        rows = len(self.mapping)
        return {"input_ids": [[1, 2]] * rows, "overflow_to_sample_mapping": self.mapping}


@pytest.mark.parametrize("mapping", [[0, 0], [0, 2], [1, 0], [0, 1, 2], [0, 1, 0]])
def test_results_have_to_name_their_rows(mapping):
    from clx.ml.data import to_dataset

    task = type("Wrong", (Windows,), {"mapping": mapping})("x")
    frame = pd.DataFrame({"first": ["a", "b"], "labels": [3, 4]})
    with pytest.raises(PluginError, match="must name each row"):
        to_dataset(frame, task.tokenize, ["input_ids", "labels"], progress=False)


def test_columns_of_the_frame_are_repeated_for_each_result():
    from clx.ml.data import to_dataset

    frame = pd.DataFrame({"first": ["a", "b"], "labels": [3, 4]})
    rows = to_dataset(frame, Windows("x").tokenize, ["input_ids", "labels"], progress=False)
    assert rows["labels"][:] == [3, 3, 4]
