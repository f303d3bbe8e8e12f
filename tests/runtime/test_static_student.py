"""A static student without clx: loaded from a run or an archive, fast, strict about its files."""

import json
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest

from cli_helpers import Cli
from clx.errors import ConfigError, ExportError, RunDirError
from clx.ml import training_run
from clx_runtime import load
from clx_runtime.safetensors_file import content_of, tensors_of
from clx_runtime.static_files import read_student
from clx_runtime.static_model import StaticModel
from clx_runtime.static_tokens import StudentTokenizer, kept_lengths
from clx_runtime.static_words import added, token_sums
from clx_runtime.texts import TextRow
from conftest import mixed_texts
from students import make_student, word_tokenizer

TEXTS = [*mixed_texts(30), "the  apple ", " [MASK] cat[SEP]dog\tCafé\ncow", "x" * 100, "字cat字 ☃"]

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")


@pytest.fixture
def run_dir(trained):
    return make_student(trained)


def test_the_same_answers_from_a_run_and_an_archive(run_dir, tmp_path):
    run = training_run(load=run_dir)
    file = tmp_path / "student.clx.zip"
    assert run.export(to=file).default == "static"
    for place in (run_dir, file):
        model = load(place, threads=1)
        assert (model.identity.backend, model.identity.task) == ("static", "classification")
        assert model.predict(TEXTS) == run.predict(TEXTS)
        assert model.predict_labels(TEXTS) == run.predict_labels(TEXTS)
    assert load(file).identity.digest == load(run_dir).identity.digest


def test_nothing_heavy_is_imported(run_dir):
    code = f"""
import sys
from clx_runtime import load
load({str(run_dir)!r}).predict_labels(["the apple"])
heavy = {{"torch", "transformers", "onnxruntime", "openvino", "pandas", "pyarrow", "clx"}}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_clx_predicts_with_it_without_torch(run_dir, tmp_path):
    code = f"""
import sys
from clx.ml import training_run
run = training_run(load={str(run_dir)!r})
run.predict_labels(["the apple"])
run.predict_frame(["the apple"])
print(sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_command_line(run_dir, tmp_path, capsys, monkeypatch):
    cli = Cli(capsys, monkeypatch)
    file = tmp_path / "student.clx.zip"
    assert cli("verify", run_dir).status == 0
    assert str(file) in cli("export", run_dir, "--to", file).out
    assert load(file).predict_labels("the apple") == ["fruit"]
    assert cli("export", run_dir).status != 0
    assert "static student of the run 'trained'" in cli.err
    assert "fruit" in cli("predict", run_dir, "the apple").out
    assert cli("doctor", run_dir).status == 0


def test_other_backends(run_dir, trained):
    with pytest.raises(ConfigError, match="the backend 'static' only, not 'onnx'"):
        load(run_dir, "onnx")
    with pytest.raises(ExportError, match="was not exported"):
        load(trained, "static")


# ---- Words -----------------------------------------------------------------------------------


def direct_sums(model, texts, limit=None):
    """Return the sums over the tokens of whole texts."""
    ids = [model.tokenizer.cut_ids(text, limit) for text in texts]
    return token_sums(model._vectors, ids, model._dim)


@pytest.mark.parametrize("normalizer", ["bert", "sequence"])
def test_sums_of_words_are_those_of_texts(run_dir, normalizer):
    content = json.loads(word_tokenizer())
    if normalizer == "sequence":
        content["normalizer"] = {
            "type": "Sequence",
            "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}],
        }
        content["pre_tokenizer"] = {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Punctuation", "behavior": "Isolated"},
            ],
        }
    model = StaticModel(run_dir / "model")
    model._sums._tokenizer = model.tokenizer = StudentTokenizer(json.dumps(content), "here")
    assert model.tokenizer.by_word
    for _ in range(2):
        sums, tokens = model._sums(TEXTS)
        expected, counts = direct_sums(model, TEXTS)
        assert tokens.tolist() == counts.tolist()
        np.testing.assert_allclose(sums, expected, atol=1e-4)


def test_tokenizers_whose_words_depend_on_each_other(run_dir):
    changes = {
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "first",
            "split": True,
        },
        "normalizer": {"type": "Replace", "pattern": {"String": "the cat"}, "content": "dog"},
    }
    for part, value in changes.items():
        content = {**json.loads(word_tokenizer()), part: value}
        model = StaticModel(run_dir / "model")
        model._sums._tokenizer = model.tokenizer = StudentTokenizer(json.dumps(content), "here")
        assert not model.tokenizer.by_word
        sums, tokens = model._sums(["the cat is red", ""])
        expected, counts = direct_sums(model, ["the cat is red", ""])
        assert tokens.tolist() == counts.tolist()
        np.testing.assert_array_equal(sums, expected)
        assert not model._sums._places


def test_a_text_has_the_same_sum_in_any_company(run_dir):
    model = StaticModel(run_dir / "model")
    whole, _ = model._sums(TEXTS)
    for place, text in enumerate(TEXTS):
        np.testing.assert_array_equal(model._sums([text])[0][0], whole[place])


def test_kept_words_have_a_limit(run_dir, monkeypatch):
    monkeypatch.setattr("clx_runtime.static_words.KEPT_BYTES", 0)
    texts = [f"cat{n} {n}dog and {'y' * 70}{n}" for n in range(1500)]
    model = StaticModel(run_dir / "model")
    for start in range(0, len(texts), 100):
        some = texts[start : start + 100]
        expected, _ = direct_sums(model, some)
        np.testing.assert_allclose(model._sums(some)[0], expected, atol=1e-4)
        assert len(model._sums._places) <= 1024
    assert not any(len(word) > 64 for word in model._sums._places)


def test_several_threads(run_dir):
    model = load(run_dir)
    expected, found = load(run_dir).predict(TEXTS), []

    def predict():
        found.append(model.predict(TEXTS))

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [expected] * 4


def test_rows_of_several_texts(run_dir):
    model = StaticModel(run_dir / "model")
    row = TextRow(["the cat " * 40, "a dog"])
    ids = model.tokenizer.cut_ids(row, 64)
    assert ids[-2:] == model.tokenizer.ids(["a dog"])[0]
    read = model.read([row])
    assert (read.truncated, read.tokens) == ([True], [64])
    assert kept_lengths([5, 80, 70], 100) == [5, 47, 48]
    assert kept_lengths([5, 8], 13) == [5, 8]
    assert kept_lengths([5, 8], None) == [5, 8]


def test_sums_in_order():
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    sizes = np.array([0, 7, 1, 30, 2, 0, 9, 9, 9])
    places = np.random.default_rng(1).integers(0, 50, sizes.sum())
    parts = np.split(places, np.cumsum(sizes)[:-1])
    found = added(vectors.__getitem__, places, sizes, 3)
    np.testing.assert_allclose(found, [vectors[part].sum(axis=0) for part in parts], rtol=1e-5)


# ---- Files that others made ------------------------------------------------------------------


def test_tensors_go_round():
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, dtype=np.int8)}
    again = tensors_of(content_of(tensors), "here")
    assert {n: array.tolist() for n, array in again.items()} == {
        n: array.tolist() for n, array in tensors.items()
    }
    from safetensors.numpy import load as library_load
    from safetensors.numpy import save

    assert library_load(content_of(tensors))["a"].tolist() == tensors["a"].tolist()
    assert tensors_of(save(tensors), "here")["b"].tolist() == [1, 1, 1]


def with_header(change):
    """Return a file whose header is changed, or replaced by a text."""
    content = content_of({"a": np.ones(4, dtype=np.float32)})
    length = int.from_bytes(content[:8], "little")
    changed = change(json.loads(content[8 : 8 + length]))
    header = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header"),
        (b"\xff" * 40, "claims"),
        (with_header(lambda header: b"[" * 3000), "nested|JSON|Expecting"),
        (with_header(lambda header: b'{"a": {}, "a": {}}'), "twice"),
        (with_header(lambda header: [header]), "not a JSON object"),
        (with_header(lambda header: {"a": {**header["a"], "dtype": "F64"}}), "the type 'F64'"),
        (with_header(lambda header: {"a": {**header["a"], "dtype": ["F32"]}}), "the type"),
        (with_header(lambda header: {"a": {**header["a"], "shape": [-4]}}), "the shape"),
        (with_header(lambda header: {"a": {**header["a"], "shape": [True]}}), "the shape"),
        (with_header(lambda header: {"a": {**header["a"], "shape": [10**9]}}), "the shape"),
        (
            with_header(lambda header: {"a": {**header["a"], "shape": [5]}}),
            "offsets that do not match",
        ),
        (with_header(lambda header: {"a": {**header["a"], "data_offsets": [4, 20]}}), "gaps"),
        (with_header(lambda header: {"a": {**header["a"], "data_offsets": [0.0, 16]}}), "offsets"),
        (
            with_header(lambda header: {"a": {**header["a"], "more": 1}}),
            "does not describe a tensor",
        ),
        (with_header(lambda header: {**header, "b": header["a"]}), "overlap"),
        (with_header(lambda header: {}), "16 bytes of tensors instead of 0"),
    ],
)
def test_damaged_tensors(content, message):
    with pytest.raises(RunDirError, match=message):
        tensors_of(content, "here")


def changed_json(name, **values):
    def change(model):
        content = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps({**content, **values}))

    return change


def changed_weights(**arrays):
    def change(model):
        weights = {**read_student(model).weights, **arrays}
        weights = {name: array for name, array in weights.items() if array is not None}
        (model / "model.safetensors").write_bytes(content_of(weights))

    return change


BOMB = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10_000}
HARM = {
    "a newer student": (changed_json("student.json", schema_version=9), "newer clx"),
    "another kind": (changed_json("student.json", kind="recurrent"), "newer clx"),
    "no settings": (changed_json("student.json", settings=3), "student.json"),
    "a tokenizer that explodes": (changed_json("tokenizer.json", normalizer=BOMB), "characters"),
    "no bias": (changed_weights(**{"output.bias": None}), "output.bias is missing"),
    "another tensor": (changed_weights(other=np.ones(2, dtype=np.float32)), "'other' is not"),
    "few labels": (changed_weights(**{"output.bias": np.ones(1, dtype=np.float32)}), "shape"),
    "weights as bytes": (changed_weights(**{"norm.bias": np.ones(8, dtype=np.int8)}), "type int8"),
    "code": (lambda model: (model / "modeling.py").write_text("1"), "does not belong"),
    "a model's config": (lambda model: (model / "config.json").write_text("{}"), "does not belong"),
    "a pickle": (lambda model: (model / "w.bin").write_bytes(b"1"), "does not belong"),
    "no tokenizer": (lambda model: (model / "tokenizer.json").unlink(), "missing|size"),
    "empty weights": (lambda model: (model / "model.safetensors").write_bytes(b""), "safetensors"),
}


@pytest.mark.parametrize("name", HARM)
def test_files_that_others_made(run_dir, name):
    change, message = HARM[name]
    change(run_dir / "model")
    # A stranger's manifest fits.
    manifest = json.loads((run_dir / "manifest.json").read_text())
    for entry in list(manifest["files"]):
        path = run_dir / entry
        if entry.startswith("model/") and path.is_file():
            manifest["files"][entry] = {"size": path.stat().st_size, "sha256": ""}
    (run_dir / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunDirError, match=message):
        training_run(load=run_dir)
    with pytest.raises(RunDirError, match=message):
        load(run_dir)


def test_a_vocabulary_beyond_the_vectors(run_dir):
    values = json.loads((run_dir / "model" / "tokenizer.json").read_text())
    values["model"]["vocab"]["kiwi"] = 5000
    (run_dir / "model" / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(RunDirError, match="more tokens than the student has vectors"):
        StaticModel(run_dir / "model").read(["kiwi"])


def test_a_damaged_archive(run_dir, tmp_path):
    training_run(load=run_dir).export(to=tmp_path / "a.clx.zip")
    with zipfile.ZipFile(tmp_path / "a.clx.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents["manifest.json"])
    del contents["tokenizer.json"], manifest["files"]["tokenizer.json"]
    contents["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(tmp_path / "b.clx.zip", "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(RunDirError, match="lacks the files of a static student"):
        load(tmp_path / "b.clx.zip")
