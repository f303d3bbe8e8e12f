"""clx answers any input correctly or raises a ClxError. It never raises anything else."""

import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clx.errors import ClxError, ConfigError, DataFormatError
from clx.ml import training_run
from clx.ml.data import fingerprint, has_surrogate, to_frame
from clx.ml.labels import infer_label_names, label_names_problems
from clx.ml.run_directory.config import run_name_problems
from clx.ml.task.author_code import validate_frame

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
# The same examples in each run; without derandomize, hypothesis looks for others.
few = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
many = settings(few, max_examples=150)

# Any character, with surrogates and controls; and words that the tiny model knows, or special tokens.
any_text = st.text(st.characters(), max_size=40)
known_text = st.lists(
    st.sampled_from("the cat [SEP] [PAD] [CLS] apple dog ' \t é 漢 🍎".split(" ")), max_size=90
).map(" ".join)
texts = st.lists(any_text | known_text, max_size=12)
anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text, st.binary(max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(any_text, st.integers(), max_size=2),
    st.dates(), st.decimals(), st.just(pd.NA), st.just(pd.NaT),
)  # fmt: skip
label_names = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
) | st.one_of(
    st.sampled_from(
        ["🍎", "x" * 1000, "0", "1", "10", "-1", "True", "None", "nan", "LABEL_0", "ß"]
    ),
    st.integers(-50, 50).map(str),
)
label_spaces = st.lists(
    label_names, min_size=2, max_size=6, unique_by=lambda name: name.strip()
).filter(lambda names: all(name.strip() for name in names))


@pytest.fixture(scope="module")
def run(_trained_once):
    return training_run(load=_trained_once)


@few
@given(texts=texts, batch_size=st.integers(1, 40))
@example(texts=[""], batch_size=1)
@example(texts=["\ud83c", "a"], batch_size=1)
def test_texts_are_predicted_each_by_itself_or_refused_by_position(run, texts, batch_size):
    broken = [position for position, text in enumerate(texts) if has_surrogate(text)]
    if broken:
        with pytest.raises(DataFormatError, match=f"position {broken[0]}: "):
            run.predict(texts, batch_size=batch_size)
        return
    predictions = run.predict(texts, batch_size=batch_size)
    assert len(predictions) == len(texts)
    for text, scores in zip(texts[:3], predictions, strict=False):
        assert list(scores) == ["animal", "fruit"]
        assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
        assert scores == pytest.approx(run.predict(text, batch_size=1)[0], abs=1e-4)


@many
@given(value=anything | st.lists(anything, max_size=4), batch_size=anything)
@example(value="", batch_size=2**58)
def test_anything_at_all_is_predicted_or_refused(run, value, batch_size):
    try:
        predictions = run.predict(value, batch_size=batch_size)
    except (DataFormatError, ConfigError):
        return
    assert batch_size is None or (isinstance(batch_size, int) and batch_size >= 1)
    rows = [value] if isinstance(value, str) else list(value)
    assert all(isinstance(row, str) for row in rows)
    assert len(predictions) == len(rows)


columns = st.dictionaries(
    st.sampled_from(["text", "label", "Text", "input_ids", "labels", ""]) | st.integers(0, 3),
    st.lists(anything, min_size=4, max_size=4)
    | st.lists(known_text, min_size=4, max_size=4)
    | st.lists(st.sampled_from(["x", "y", "x ", " "]), min_size=4, max_size=4)
    | st.lists(st.sampled_from([0, 1, True, "1"]), min_size=4, max_size=4),
    max_size=4,
)


@many
@given(columns=columns, names=st.none() | label_spaces)
@example(columns={"text": ["a"] * 4, "label": [0, 1, 0, 1]}, names=None)
@example(columns={"text": ["a"] * 4, "label": [True, False, True, True]}, names=["True", "False"])
def test_frames_are_tokenised_with_their_labels_or_refused(tiny_model, columns, names):
    try:
        run = training_run("classification", "x", base_model_name=tiny_model, label_names=names)
        data = to_frame(pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()}))
        validate_frame(run, data, "data")
        run.infer_config(data)
    except ClxError:
        return
    assert all(isinstance(text, str) and not has_surrogate(text) for text in data["text"])
    examples = {str(column): data[column].tolist() for column in data.columns}
    ids = run.tokenize(examples)["labels"]
    assert [run.label_names[i] for i in ids] == [str(label) for label in data["label"]]
    assert len(set(run.label_names)) == len(run.label_names) >= 2


@settings(few, max_examples=4)
@given(names=label_spaces)
@example(names=["10", "9", "🍎", "x" * 1000, "a,b|c", "[SEP]", "__proto__", "LABEL_1"])
@example(names=["LABEL_1", "LABEL_0"])
def test_labels_survive_training_saving_and_loading_in_order(tiny_model, names):
    data = pd.DataFrame({"text": ["cat"] * len(names), "label": names})
    arguments = {"max_steps": 1, "disable_tqdm": True}
    run = training_run(
        "classification",
        "names",
        base_model_name=tiny_model,
        label_names=names,
        training_args=arguments,
    )
    run.train(data, overwrite=True)
    loaded = training_run(load=run.run_dir, verify=True)
    assert loaded.label_names == names
    assert list(loaded.predict("cat")[0]) == names
    assert list(loaded.model.config.id2label.values()) == names
    config = json.loads((run.run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    assert [config["id2label"][str(i)] for i in range(len(names))] == names
    assert list(loaded.evaluate(data).per_label.index) == names


@many
@given(names=st.lists(label_names | anything, max_size=5))
def test_label_names_are_taken_as_they_are_or_refused(names):
    problems = label_names_problems(names)
    if problems:
        with pytest.raises(ConfigError) as caught:
            training_run("classification", "x", label_names=names)
        assert problems[0] in str(caught.value)
        return
    run = training_run("classification", "x", label_names=names)
    assert run.label_names == [str(name) for name in names]


@many
@given(labels=st.lists(st.integers(-1000, 1000), min_size=1))
def test_whole_numbers_are_sorted_by_value_whatever_they_come_as(labels):
    expected = [str(value) for value in sorted(set(labels))]
    assert infer_label_names(labels) == expected
    assert infer_label_names([str(value) for value in labels]) == expected


@many
@given(name=any_text | anything)
@example(name="a/../b")
@example(name="CON")
@example(name="é" * 101)
def test_run_names_stay_in_their_folder_or_are_refused(name, tmp_path_factory):
    parent = tmp_path_factory.getbasetemp()
    if run_name_problems(name):
        return
    path = parent / name
    assert path.parent == parent
    assert path.resolve().parent == parent.resolve()
    assert len(name.encode()) <= 200
    path.with_name(f".{name}.staging.json").exists()


rows = st.lists(st.tuples(any_text, any_text), min_size=1, max_size=5)


@many
@given(one=rows, other=rows)
@example(one=[("a", "b\0str:c")], other=[("a", "b")])
@example(one=[("a\0", "b")], other=[("a", "\0b")])
def test_only_equal_data_have_one_fingerprint(one, other):
    frames = [
        pd.DataFrame({"text": pd.Series([t for t, _ in rows], dtype=object)}).assign(
            label=pd.Series([label for _, label in rows], dtype=object)
        )
        for rows in (one, other)
    ]
    assert (fingerprint(frames[0]) == fingerprint(frames[1])) == (one == other)
