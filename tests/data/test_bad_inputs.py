"""Inputs that the libraries below misread, misname or crash on: clx raises its own error or is right.

The cases were observed with transformers 5.23, datasets 5.2 and pandas 3.1: what
``pipeline("text-classification")`` and the tokenizer do with odd texts, and what becomes of odd frames
and labels before they reach the Trainer.
"""

import datetime
import decimal

import datasets
import numpy as np
import pandas as pd
import pytest

from clx.errors import ClxWarning, ConfigError, DataFormatError
from clx.ml import training_run
from clx.ml.data import to_frame
from clx.ml.task.author_code import validate_frame

NAN = float("nan")


class Text(str):
    """A subclass of str."""


@pytest.fixture(scope="module")
def run(_trained_once):
    return training_run(load=_trained_once)


# ---- What predict is given ------------------------------------------------------------------------

WRONG_TEXTS = {
    "None": (None, "but got None"),
    "None in a list": (["ok", None], "position 1: None is not a str"),
    "a dict of something": ({"foo": "a"}, "but got a dict"),
    "a dict of text": ({"text": "a"}, "but got a dict"),
    "a dict of a pair": ({"text": "a", "text_pair": "b"}, "but got a dict"),
    "dicts in a list": ([{"text": "a"}], "position 0: {'text': 'a'} is not a str"),
    "NaN": (NAN, "but got nan"),
    "NaN in a list": (["ok", NAN], "position 1: nan is not a str"),
    "a number": (5, "but got 5"),
    "numbers": ([1, 2, 3], "position 0: 1 is not a str"),
    "bytes": (b"abc", "but got a bytes"),
    "bytes in a list": ([b"abc"], "position 0: b'abc' is not a str"),
    "bytearray": (bytearray(b"abc"), "but got a bytearray"),
    "pd.NA": (pd.NA, "but got <NA>"),
    "pd.NA in a Series": (pd.Series(["a", pd.NA]), "position 1: (<NA>|nan) is not a str"),
    "NaT": ([pd.NaT], "position 0: NaT is not a str"),
    "a frame": (pd.DataFrame({"text": ["a"]}), "but got a DataFrame; pass one of its columns"),
    "a set": ({"a"}, "but got a set"),
    "a frozenset": (frozenset({"a"}), "but got a frozenset"),
    "pairs": ([("a", "b")], r"position 0: \('a', 'b'\) is not a str"),
    "lists in a list": ([["a", "b"]], r"position 0: \['a', 'b'\] is not a str"),
    "lists of one": ([["a"], ["b"]], r"position 0: \['a'\] is not a str"),
    "an array of two dimensions": (np.array([["a", "b"]]), "an array with 2 dimensions"),
    "an array of no dimension": (np.array("a"), "an array with 0 dimensions"),
    "numbers in an array": (np.array([1.0]), "position 0: .*1.0.* is not a str"),
    "a lone surrogate": (
        ["ok", "bad \ud800"],
        "position 1: .* is not valid Unicode .half of a surrogate pair",
    ),
    "one text with a lone surrogate": ("bad \udfff", "position 0: .* is not valid Unicode"),
    "a generator that ends in None": ((t for t in ["a", None]), "position 1: None is not a str"),
    "a function": (print, "but got <built-in function print>"),
    "a type": (str, "but got <class 'str'>"),
}


@pytest.mark.parametrize("name", WRONG_TEXTS)
def test_what_is_no_text_is_named(run, name):
    texts, message = WRONG_TEXTS[name]
    with pytest.raises(DataFormatError, match=message) as caught:
        run.predict(texts)
    assert len(str(caught.value)) < 2000


def test_at_most_ten_wrong_texts_are_listed(run):
    with pytest.raises(DataFormatError, match="97 of the inputs are not:") as caught:
        run.predict(["a", *[None] * 97])
    assert str(caught.value).count("position") == 10
    assert "and 87 more" in str(caught.value)


RIGHT_TEXTS = {
    "nothing": ([], 0),
    "an empty text": ("", 1),
    "blanks": (["   ", "\t\n"], 2),
    "a tuple is two texts, not a pair": (("a", "b"), 2),
    "a Series with an odd index": (pd.Series(["a", "b"], index=[7, 7]), 2),
    "a Series of pandas' own strings": (pd.Series(["a", "b"], dtype="string"), 2),
    "a category": (pd.Series(["a", "b", "a"], dtype="category"), 3),
    "an Index": (pd.Index(["a", "b"]), 2),
    "an array": (np.array(["a", "b"]), 2),
    "numpy's own strings": ([np.str_("a")], 1),
    "a str of somebody's own": ([Text("a")], 1),
    "a generator": ((text for text in "ab"), 2),
    "keys of a dict": ({"a": 1, "b": 2}.keys(), 2),
    "NUL and control characters": (["a\0b", "\x01\x1f\x7f\x9f", "\r\n"], 3),
    "emoji and marks upon marks": (["👩‍👩‍👧‍👦 🏳️‍🌈", "Z̷̢͙a̶lg̵o" + "\u0335" * 300], 2),
    "right to left": (["\u202eabc", "שלום", "مرحبا"], 3),
    "one word of 100 kB": (["a" * 100_000], 1),
    "private and last code points": (["\ue000\U0010ffff"], 1),
}


@pytest.mark.parametrize("name", RIGHT_TEXTS)
@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_what_is_a_text_is_predicted(run, name):
    texts, number = RIGHT_TEXTS[name]
    predictions = run.predict(texts)
    assert isinstance(predictions, list)
    assert len(predictions) == number
    for scores in predictions:
        assert list(scores) == ["animal", "fruit"]
        assert sum(scores.values()) == pytest.approx(1, abs=1e-4)


def test_long_texts_are_cut_and_none_of_their_batch_is_lost(run):
    texts = ["the cat", "cat " * 700, "an apple", "dog " * 200_000]
    with pytest.warns(ClxWarning, match="2 of 4 texts"):
        predictions = run.predict(texts, batch_size=4)
    assert predictions[0] == pytest.approx(run.predict("the cat")[0], abs=1e-5)
    assert [max(scores, key=scores.get) for scores in predictions] == [
        *("animal", "animal", "fruit", "animal")
    ]


# ---- Special tokens are text ----------------------------------------------------------------------


def special_ids(tokenizer, ids):
    return [i for i in ids if i in (tokenizer.cls_token_id, tokenizer.sep_token_id)]


def test_special_tokens_that_a_user_types_are_text(run, trained):
    tokenizer = run.tokenizer
    for text in ("[CLS] cat [SEP] [PAD] dog [SEP]", "cat[SEP]dog"):
        for ids in (
            tokenizer(text)["input_ids"],
            run.pipe.tokenizer(text)["input_ids"],
            run.tokenize({"text": [text], "label": ["animal"]})["input_ids"][0],
        ):
            assert special_ids(tokenizer, ids) == [ids[0], ids[-1]]
            assert tokenizer.pad_token_id not in ids


def test_a_padding_token_in_a_text_changes_no_neighbour(run):
    alone = run.predict("the cat")[0]
    together = run.predict(["the cat", "[PAD] " * 5 + "[MASK] [UNK]"], batch_size=2)[0]
    assert together == pytest.approx(alone, abs=1e-5)


def test_every_reader_of_the_model_takes_them_as_text(run):
    from transformers import pipeline

    plain = pipeline("text-classification", model=str(run.run_dir / "model"), top_k=None)
    texts = ["[SEP] cat", "dog [PAD] [CLS]", "apple"]
    for ours, entries in zip(run.predict(texts), plain(texts), strict=True):
        assert ours == pytest.approx({e["label"]: e["score"] for e in entries}, abs=1e-5)


def test_who_wants_special_tokens_says_so(tiny_model):
    run = training_run(
        "classification",
        "x",
        base_model_name=tiny_model,
        label_names=["a", "b"],
        tokenize_args={"split_special_tokens": False},
    )
    ids = run.tokenize({"text": ["cat [SEP] dog"], "label": ["a"]})["input_ids"][0]
    assert len(special_ids(run.tokenizer, ids)) == 3


# ---- Frames and labels ----------------------------------------------------------------------------


def frame(text=None, label=None, **options):
    text = ["a", "b", "c", "d"] if text is None else text
    label = ["x", "y", "x", "y"] if label is None else label
    return pd.DataFrame({"text": text, "label": label}, **options)


def twice():
    data = frame()
    data.columns = ["text", "text"]
    return data


WRONG_FRAMES = {
    "text missing": (frame(["a", None, "c", NAN]), "text is missing in 2 of 4 rows: 1, 3"),
    "text pd.NA": (frame(["a", pd.NA, "c", "d"]), "text is missing in 1 of 4 rows: 1"),
    "text mixed with numbers": (frame(["a", 5, "c", 7]), r"not a string \(5, 7\) in 2 of 4 rows"),
    "texts are all numbers": (frame([1, 2, 3, 4]), "not a string .* in 4 of 4 rows"),
    "texts are bytes": (frame([b"a", "b", "c", "d"]), "not a string .* in 1 of 4 rows: 0"),
    "texts are lists": (frame([["a"], "b", "c", "d"]), "not a string .* in 1 of 4 rows: 0"),
    "text with a lone surrogate": (
        frame(["a\ud800", "b", "c", "d"], dtype=object),
        "half of a surrogate pair",
    ),
    "label missing": (frame(label=["x", None, "y", NAN]), "label is missing in 2 of 4 rows: 1, 3"),
    "whole label with a NaN": (frame(label=[0, 1, NAN, 1]), "label is missing in 1 of 4 rows: 2"),
    "float labels": (frame(label=[0.0, 1.0, 0.0, 1.0]), r"\(floats: .astype\(int\)\)"),
    "labels of two types": (frame(label=["x", 1, "x", 1]), "mixes labels of the types int, str"),
    "bool and int labels": (
        frame(label=[True, 1, False, 0]),
        "mixes labels of the types bool, int",
    ),
    "lists as labels": (frame(label=[["x", "z"], "y", "x", "y"]), "not exactly one label"),
    "dates as labels": (
        frame(label=[datetime.date(2026, 1, 1)] * 4),
        "must be a str, int or bool",
    ),
    "decimals as labels": (frame(label=[decimal.Decimal(1)] * 4), "must be a str, int or bool"),
    "one label": (frame(label=["x"] * 4), "single label 'x': a model needs at least two"),
    "blank label": (frame(label=["x", " ", "x", " "]), "blank name ' '"),
    "labels that differ by blanks": (frame(label=["pos", "pos ", "neg", "neg"]), "only in blanks"),
    "label with a surrogate": (
        frame(label=["x", "y\ud800", "x", "x"], dtype=object),
        "not Unicode text",
    ),
    "no label column": (frame().drop(columns="label"), "no column 'label'; the columns are text"),
    "other case": (frame().rename(columns={"text": "Text"}), "did you mean 'Text'"),
    "numbers as column names": (
        pd.DataFrame([["a", "x"]]),
        "no column 'text'; the columns are 0, 1",
    ),
    "no rows": (frame().head(0), "has no rows"),
    "no columns": (pd.DataFrame(), "has no rows"),
    "a column twice": (twice(), "more than one column called text"),
    "columns of two levels": (
        pd.DataFrame(
            [["a", "x"]], columns=pd.MultiIndex.from_tuples([("text", "t"), ("label", "l")])
        ),
        "columns with 2 levels",
    ),
    "a list": ([{"text": "a", "label": "x"}], "but is a list. Convert it with pd.DataFrame"),
    "a dict": ({"text": ["a"], "label": ["x"]}, "but is a dict. Convert it with pd.DataFrame"),
    "a Series": (pd.Series(["a"]), "but is a Series"),
    "None": (None, "but is a NoneType"),
    "a path that is not there": ("no/such.csv", "There is no data at 'no/such.csv'"),
}


def task(tiny_model, **options):
    return training_run("classification", "x", base_model_name=tiny_model, **options)


@pytest.mark.parametrize("name", WRONG_FRAMES)
def test_what_is_wrong_with_a_frame_is_said_before_anything_is_loaded(
    tiny_model, name, monkeypatch
):
    data, message = WRONG_FRAMES[name]
    monkeypatch.setattr(
        "clx.ml.training.train.resolve_base_model", lambda *a, **k: pytest.fail("loaded")
    )
    run = task(tiny_model)
    with pytest.raises(DataFormatError, match=message) as caught:
        run.train(data)
    assert str(caught.value).startswith(("train_data", "There is no data"))
    assert len(str(caught.value)) < 2000
    assert not run.run_dir.exists()


LABELS = ["x", "y"]
WRONG_FOR_NAMES = {
    "unknown label": (frame(label=["x", "y", "z", "z"]), "label 'z' is not in label_names"),
    "blank behind a label": (frame(label=["x", "y ", "x", "y"]), "differs from 'y' only in blanks"),
    "a slip": (frame(label=["x", "Y", "x", "y"]), "did you mean 'y'"),
    "ids instead of names": (frame(label=[0, 1, 0, 1]), "label '0' is not in label_names"),
    "-100, which the Trainer ignores": (frame(label=["-100", "x", "y", "x"]), "'-100' is not in"),
    "an id beyond the last": (frame(label=[0, 1, 2, 1]), "'2' is not in label_names"),
}


@pytest.mark.parametrize("name", WRONG_FOR_NAMES)
def test_labels_that_are_not_in_label_names(tiny_model, name):
    data, message = WRONG_FOR_NAMES[name]
    with pytest.raises(DataFormatError, match=message):
        task(tiny_model, label_names=LABELS).train(data)


def test_a_label_in_eval_alone_is_named(tiny_model):
    evaluated = frame(label=["x", "y", "new", "x"])
    with pytest.raises(DataFormatError, match=r"^eval_data: .*\n.*label 'new' is not in"):
        task(tiny_model).train(frame(), evaluated)


WRONG_NAMES = {
    "twice": (["a", "a", "b"], "has 'a' more than once"),
    "one": (["a"], "at least two names"),
    "none": ([], "at least two names"),
    "a str": ("ab", "must be a list of names"),
    "a set": ({"a", "b"}, "must be a list of names"),
    "a dict": ({0: "a", 1: "b"}, "must be a list of names"),
    "None among them": (["a", None], "must be str, int or bool, but has None"),
    "a float": (["a", 1.5], "must be str, int or bool, but has 1.5"),
    "1 and '1'": ([1, "1"], "has '1' more than once"),
    "blanks alone": (["a", "a "], "differ only in blanks"),
    "empty": (["a", ""], "blank name ''"),
    "a surrogate": (["a", "\ud800"], "not Unicode text"),
    "a number": (5, "must be a list of names"),
}


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_label_names_that_cannot_be(name):
    names, message = WRONG_NAMES[name]
    with pytest.raises(ConfigError, match=message):
        training_run("classification", "x", label_names=names)


def test_numbers_of_numpy_as_names_can_be_saved(tiny_model):
    # json.dumps would fail on them, but only after training.
    run = task(tiny_model, label_names=[np.int64(2), np.int64(10)])
    assert run.config["label_names"] == ["2", "10"]


RIGHT_FRAMES = {
    "an index twice": frame(index=[7, 7, 7, 7]),
    "an index of dates": frame(index=pd.date_range("2026-01-01", periods=4)),
    "an index with a name like a column": frame().set_index(pd.Index(list("abcd"), name="text")),
    "a slice with steps": pd.concat([frame()] * 2).iloc[::3],
    "a mask": pd.concat([frame()] * 2, ignore_index=True).loc[lambda d: d.index % 3 != 1],
    "a category with unused levels": frame(
        label=pd.Categorical(["x", "y", "x", "y"], categories=["unused", "y", "x"])
    ),
    "bool labels": frame(label=[True, False, True, False]),
    "numpy's own labels": frame(label=np.array([3, 11, 3, 11], dtype="int8")),
    "nullable labels": frame(label=pd.array([3, 11, 3, 11], dtype="Int64")),
    "pandas' own strings": frame().convert_dtypes(),
    "columns called like inputs": frame().assign(input_ids=1, labels="no", attention_mask=None),
    "a column of lists": frame().assign(extra=[[1], [], None, [2]]),
    "a Dataset": datasets.Dataset.from_dict({"text": list("abcd"), "label": list("xyxy")}),
}
NAMES = {
    "bool labels": ["False", "True"],
    "numpy's own labels": ["3", "11"],
    "nullable labels": ["3", "11"],
}


@pytest.mark.parametrize("name", RIGHT_FRAMES)
def test_odd_but_right_frames_come_out_right(tiny_model, name):
    run = task(tiny_model)
    data = to_frame(RIGHT_FRAMES[name], "train_data")
    validate_frame(run, data, "train_data")
    run.infer_config(data)
    assert run.label_names == NAMES.get(name, ["x", "y"])
    examples = {str(column): data[column].tolist() for column in data.columns}
    ids = run.tokenize(examples)["labels"]
    assert [run.label_names[i] for i in ids] == [str(label) for label in data["label"]]


def test_a_split_without_labels_is_told(tiny_model):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["x", "y"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [-1, -1]}, features=features)
    with pytest.raises(DataFormatError, match="label is missing in 2 of 2 rows"):
        task(tiny_model).train(data)


def test_rows_with_differing_keys_lose_nothing(tmp_path, tiny_model):
    # Dataset.from_list takes the keys of the first row and silently drops all others.
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"text": "b", "label": "x"}\n')
    with pytest.raises(DataFormatError, match="label is missing in 1 of 2 rows: 0"):
        task(tiny_model).train(tmp_path / "rows.jsonl")


# ---- Arguments of the wrong type ------------------------------------------------------------------

WRONG_OPTIONS = {
    "run_name": [5, "", " ", "a/b", "..", ".x", "a\0", "x" * 201, b"x", ["x"]],
    "run_dir_parent": [5, b"x", ["x"]],
    "base_model_name": [5, "", None, ["x"]],
    "tokenizer_name": [5, ["x"]],
    "tokenize_args": [5, "x", [1], {"max_length": "x"}, {"max_length": 0}, {"padding": "x"}],
    "model_args": [5, "x", [1], {"a": {1, 2}}, {"a": float("nan")}, {1: "a"}],
    "training_args": [5, "x", [1], {"learning_rate": "x"}, {"no_such": 1}, {"seed": 1.5}],
    "device": [5, ["cpu"]],
    "metrics": ["accuracy", 5, [5]],
    "trust_remote_code": ["yes", 1],
    "label_type": ["float", 5],
    "min_score": ["x", 2, -1, True],
    "target_accuracy": ["x", 2, NAN],
    "no_such_option": [1],
}


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option, values in WRONG_OPTIONS.items() for value in values],
    ids=lambda value: repr(value)[:30],
)
def test_options_of_another_type_are_named(option, value):
    options = {"run_name": "x", option: value}
    with pytest.raises(ConfigError, match=option.replace("no_such_option", "no option")):
        training_run("classification", **options)


@pytest.mark.parametrize("load", [5, None, b"x", ["x"], "", "\0", "x" * 5000, "/dev/null", "/"])
def test_what_cannot_be_loaded(load):
    from clx.errors import RunDirError

    with pytest.raises((ConfigError, RunDirError)):
        training_run(load=load)
