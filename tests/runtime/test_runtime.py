"""An exported run without clx: the same answers, no heavy import, clear errors, safe to open."""

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest

from cli_helpers import Cli
from clx.batch import Predictor
from clx.errors import (
    ConfigError,
    DataFormatError,
    ExportError,
    RunDirError,
    RunExistsError,
    RunNotFoundError,
    TruncationWarning,
)
from clx.ml import TrainingRun, training_run
from clx.ml.decisions import LabelSet, OneLabel
from clx_runtime import load
from clx_runtime.rules import rule_of
from conftest import fruit_frame, mixed_texts

pytest.importorskip("onnxruntime")
TEXTS = [*mixed_texts(40), "ünknown 字 ☃", "☃☃"]
CHECKED = ["the apple is small", "a cat and a dog", "the red pear"]


def exported(tiny_model, folder, task="classification", data=None, **options):
    """Return an exported run that learned a head, nothing else."""
    run = training_run(
        task, "exported", run_dir_parent=folder, base_model_name=tiny_model, **options
    )
    data = fruit_frame() if data is None else data
    run.train(data, data.iloc[:24], fine_tune=False)
    run.export("onnx", texts=CHECKED)
    return run


def several(rows=40):
    frame = fruit_frame(rows)
    names = [[label, "red"] if "red" in text else [label] for text, label in frame.to_numpy()]
    names[::7] = [[]] * len(names[::7])
    return pd.DataFrame({"text": frame["text"], "labels": names})


RUNS = {
    "one label": {},
    "labels that are numbers": {
        "data": fruit_frame().assign(label=[3, 11] * 20),
    },
    "abstaining": {"min_score": 0.8},
    "windows": {"long_text": "window"},
    "short": {"tokenize_args": {"max_length": 8}},
    "several labels": {"task": "multilabel", "data": several(), "thresholds": {"red": 0.2}},
}


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory):
    made = {}

    def run(name):
        if name not in made:
            made[name] = exported(tiny_model, tmp_path_factory.mktemp("run"), **RUNS[name])
        return made[name]

    return run


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("backend", ["onnx", "onnx-int8"])
def test_the_answers_are_those_of_clx(runs, name, backend):
    run = runs(name)
    model = load(run.run_dir, backend)
    expected = run.predict(TEXTS, backend=backend)
    predicted = model.predict(TEXTS)
    assert [list(each) for each in predicted] == [list(each) for each in expected]
    assert predicted == [pytest.approx(scores, abs=1e-6) for scores in expected]
    assert model.predict_labels(TEXTS) == run.predict_labels(TEXTS, backend=backend)
    assert model.predict_labels(TEXTS, min_score=0.6) == run.predict_labels(
        TEXTS, min_score=0.6, backend=backend
    )
    if backend == "onnx":
        # In 8 bits, the scale of the activations depends on the texts of a batch.
        assert model.predict_labels(TEXTS, batch_size=2) == model.predict_labels(TEXTS)
    frame = run.predict_frame(TEXTS, backend=backend)
    truncated = [flag for scored in model.scored(TEXTS) for flag in scored.truncated]
    assert truncated == frame["truncated"].tolist()


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
@pytest.mark.parametrize("name", ["one label", "abstaining", "several labels"])
def test_rows_of_scores_make_the_columns_of_predict_frame(runs, name):
    run = runs(name)
    model = load(run.run_dir, "onnx")
    scores = np.concatenate([scored.scores for scored in model.scored(TEXTS)])
    columns = model.rule.columns(scores, all_scores=True)
    frame = run.predict_frame(TEXTS, backend="onnx", all_scores=True)
    assert list(columns) == [column for column in frame.columns if column != "truncated"]
    for column, values in columns.items():
        expected = frame[column].astype(object).where(frame[column].notna(), None).tolist()
        if isinstance(values[0], float):
            assert values == pytest.approx(expected, abs=1e-6)
        elif column == "scores":
            assert [pytest.approx(row, abs=1e-6) for row in expected] == values
        else:
            assert values == expected


def test_texts_that_are_cut_are_told(runs):
    model = load(runs("short").run_dir)
    assert model.limit == 8
    with pytest.warns(TruncationWarning, match="1 of 2 texts in the input are longer than 8"):
        model.predict(["apple", "apple " * 30])


def test_a_run_with_strict_length_refuses_a_long_text(tiny_model, tmp_path):
    options = {"strict_length": True, "tokenize_args": {"max_length": 24}}
    run = exported(tiny_model, tmp_path, **options)
    model = load(run.run_dir)
    with pytest.raises(DataFormatError, match="longer than 24 tokens: 1"):
        model.predict(["apple", "apple " * 30])


@pytest.mark.parametrize(
    "texts", [["cat", None], ["cat", 3], ["cat", "\ud800"], {"cat"}, b"cat", 3], ids=repr
)
def test_what_is_no_text_is_refused_as_clx_refuses_it(runs, texts):
    run = runs("one label")
    with pytest.raises(DataFormatError) as expected:
        run.predict(texts, backend="onnx")
    with pytest.raises(DataFormatError) as error:
        load(run.run_dir).predict(texts)
    assert str(error.value) == str(expected.value)


def test_nothing_one_and_an_endless_stream(runs):
    model = load(runs("one label").run_dir)
    assert model.predict([]) == []
    assert model.predict_labels("cat") == model.predict_labels(["cat"])
    endless = ("cat" for _ in iter(int, 1))
    assert len(next(model.scored(endless, batch_size=1)).truncated) == 32


def test_threads_share_a_model(runs):
    model = load(runs("one label").run_dir)
    expected, found = model.predict(CHECKED * 5), {}

    def work(number):
        found[number] = model.predict(CHECKED * 5)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [expected] * 8


FORKED = """
import os, sys, threading
from clx_runtime import load

model, texts = load(sys.argv[1], "onnx"), ["a cat", "an apple"] * 50
expected = model.predict_labels(texts)
busy = threading.Thread(target=lambda: model.predict(texts * 20))
busy.start()
pid = os.fork()
if pid == 0:
    os._exit(0 if model.predict_labels(texts) == expected else 2)
busy.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_predicts_with_a_model_of_its_parent(runs):
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(runs("one label").run_dir)]
    assert subprocess.run(command, timeout=600).returncode == 0


def test_no_heavy_package_is_imported(runs):
    code = (
        "import sys; from clx_runtime import load; model = load(sys.argv[1]);"
        "print(model.predict_labels(['cat']));"
        "heavy = 'torch transformers datasets pandas pyarrow clx huggingface_hub'.split();"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(runs("one label").run_dir)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["one label", "several labels"])
def test_decisions_and_names_that_change_later_hold_here_too(runs, tmp_path, name):
    folder = shutil.copytree(runs(name).run_dir, tmp_path / "copy")
    run = training_run(load=folder)
    some = fruit_frame(12)["text"]
    if name == "one label":
        run.set_decisions(min_score=0.97)
    else:
        run.set_decisions(thresholds={"fruit": 0.9, "red": 0.05})
    for changed in (False, True):
        if changed:
            run.rename_labels({"fruit": "7"} if name == "several labels" else {"fruit": "food"})
        expected = training_run(load=folder).predict_labels(some, backend="onnx")
        assert load(folder, "onnx").predict_labels(some) == expected
    assert expected != runs(name).predict_labels(some, backend="onnx")


KINDS = {
    "dict": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "lists": lambda frame: {name: frame[name].tolist() for name in frame},
    "pandas": lambda frame: frame,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
    "polars": lambda frame: pl.from_pandas(frame),
}


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["one label", "labels that are numbers", "abstaining", "several labels"]
)
def test_a_table_is_what_a_predictor_returns(runs, name, kind):
    run, model = runs(name), load(runs(name).run_dir, "onnx")
    texts = [*TEXTS[:9], None, "the cat"]
    frame = pd.DataFrame({"id": range(len(texts)), "text": pd.Series(texts, dtype=object)})
    frame.index = [f"row {n}" for n in range(len(texts))]
    table = KINDS[kind](frame)
    for options in ({}, {"all_scores": True, "columns": ["id"], "prefix": "p_"}):
        expected = Predictor(run, backend="onnx", **options)(table)
        found = model.predict_batch(table, **options)
        assert type(found) is type(expected)
        if kind == "pandas":
            pd.testing.assert_frame_equal(found, expected, atol=1e-6)
        elif kind == "polars":
            pl.testing.assert_frame_equal(found, expected, abs_tol=1e-6)
        elif kind in ("arrow", "batch"):
            assert found.schema == expected.schema
            assert str(found.to_pylist())[:40] == str(expected.to_pylist())[:40]
        else:
            assert list(found) == list(expected)
            for column in found:
                assert type(found[column]) is type(expected[column])
                assert getattr(found[column], "dtype", 0) == getattr(expected[column], "dtype", 0)


def test_a_table_that_cannot_be_predicted_is_named(runs):
    model = load(runs("one label").run_dir)
    with pytest.raises(DataFormatError, match="There is no column 'body'; the columns are text"):
        model.predict_batch({"text": ["cat"]}, text_column="body")
    with pytest.raises(
        DataFormatError, match=r"1 of 2 rows have no valid text \(1\); row 1: column"
    ):
        model.predict_batch({"text": ["cat", None]}, on_error="raise")
    with pytest.raises(DataFormatError, match="predict_batch takes a dict of arrays"):
        model.predict_batch(["cat"])
    with pytest.raises(ConfigError, match="on_error must be"):
        model.predict_batch({"text": ["cat"]}, on_error="ignore")
    assert list(model.predict_batch({"text": []}))[:2] == ["text", "label"]


# ---- One file ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(runs, tmp_path_factory):
    run = runs("several labels")
    target = tmp_path_factory.mktemp("archive") / "model.clx.zip"
    run.export("onnx", texts=CHECKED, to=target, backend="onnx")
    return target


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
def test_an_archive_answers_as_its_run(runs, archive):
    run, model = runs("several labels"), load(archive)
    assert model.predict_labels(TEXTS) == run.predict_labels(TEXTS, backend="onnx")
    assert model.identity.digest == load(run.run_dir).identity.digest
    assert (model.identity.name, model.identity.backend) == ("exported", "onnx")


def test_the_command_writes_the_archive(runs, tmp_path, capsys, monkeypatch):
    clx = Cli(capsys, monkeypatch)
    run, target = runs("one label"), tmp_path / "small.clx.zip"
    data = tmp_path / "texts.csv"
    fruit_frame(12).to_csv(data, index=False)
    arguments = ["export", run.run_dir, "--data", data, "--to", target]
    assert clx(*arguments).status == 0
    assert load(target).predict(CHECKED) == load(run.run_dir, "onnx-int8").predict(CHECKED)
    first = target.read_bytes()
    assert "exists" in clx(*arguments).err
    assert clx(*arguments, "--overwrite").status == 0
    assert target.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.clx.zip", "texts.csv"]


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ("model.zip", ConfigError, "An archive is called <name>.clx.zip"),
        ("nowhere/model.clx.zip", ConfigError, "There is no folder"),
        ("there.clx.zip", RunExistsError, "pass overwrite=True"),
    ],
)
def test_an_archive_that_cannot_be_written_is_refused_before_the_export(
    runs, tmp_path, monkeypatch, to, error, message
):
    monkeypatch.setattr("clx.ml.prediction.onnx_export.export_run", lambda *_: pytest.fail("late"))
    (tmp_path / "there.clx.zip").write_bytes(b"mine")
    with pytest.raises(error, match=message):
        runs("one label").export("onnx", to=tmp_path / to)
    assert (tmp_path / "there.clx.zip").read_bytes() == b"mine"


def rewritten(archive, target, change):
    """Return a copy of an archive whose files went through ``change``."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w") as new:
        for name, content in change({n: old.read(n) for n in old.namelist()}).items():
            new.writestr(name, content)
    return target


def with_external_weights(files):
    import hashlib

    bad = files["model.onnx"] + b"\x0a\x08location\x12"
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["model.onnx"]["sha256"] = hashlib.sha256(bad).hexdigest()
    return {**files, "model.onnx": bad, "manifest.json": json.dumps(manifest)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {**f, "model.onnx": f["model.onnx"][:-1]}, "model.onnx does not match"),
        (
            lambda f: {n: c for n, c in f.items() if n != "tokenizer.json"},
            "tokenizer.json is missing",
        ),
        (lambda f: {**f, "../evil.py": b"x"}, "not an archive of clx export"),
        (lambda f: {**f, "manifest.json": b"{"}, "not valid JSON"),
        (lambda f: {**f, "manifest.json": b'{"schema_version": 99}'}, "A newer clx wrote"),
        (lambda f: {**f, "settings.json": b" " * (65 * 2**20)}, "more than the limit"),
        (with_external_weights, "weights in another file"),
    ],
    ids=["cut", "missing", "another file", "broken", "newer", "huge", "external"],
)
def test_a_damaged_archive_is_not_loaded(archive, tmp_path, change, message):
    bad = rewritten(archive, tmp_path / "bad.clx.zip", change)
    with pytest.raises(RunDirError, match=message):
        load(bad)


# ---- Runs that cannot be loaded ------------------------------------------------------------------


def test_a_run_without_an_export_names_the_line(trained):
    with pytest.raises(ExportError, match=f"was not exported: clx export {trained}"):
        load(trained)


def test_a_path_without_a_run_is_named(tmp_path):
    with pytest.raises(RunNotFoundError, match="no run directory and no archive"):
        load(tmp_path / "nothing")
    with pytest.raises(RunNotFoundError, match="There is no run in"):
        load(tmp_path)


def test_an_unknown_backend_is_named(runs, archive):
    with pytest.raises(ConfigError, match="did you mean 'onnx-int8'"):
        load(runs("one label").run_dir, "onnx-int")
    with pytest.raises(ExportError, match="no model for backend='onnx-int8', only for onnx"):
        load(archive, "onnx-int8")


@pytest.mark.parametrize("damage", ["size", "settings", "labels", "rule"])
def test_a_damaged_export_is_not_loaded(runs, tmp_path, damage):
    folder = Path(shutil.copytree(runs("one label").run_dir, tmp_path / "copy"))
    settings = folder / "onnx" / "settings.json"
    values = json.loads(settings.read_text())
    if damage == "size":
        with (folder / "onnx" / "model.onnx").open("ab") as file:
            file.write(b"more")
    elif damage == "labels":
        values["labels"] = ["other", "names"]
    elif damage == "rule":
        values["decision"] = {"kind": "one_label", "labels": ["a"], "label_type": "date"}
    if damage == "settings":
        settings.write_text("{")
    else:
        settings.write_text(json.dumps(values))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["onnx/settings.json"]["size"] = settings.stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunDirError):
        load(folder)


def test_a_task_that_decides_in_python_is_named(tiny_model, tmp_path):
    from clx_tasks_classification import ClassificationRun

    class Shouting(ClassificationRun):
        name = "shouting"

        def decide(self, prediction, min_score=None):
            return str(super().decide(prediction, min_score)).upper()

    run = Shouting("loud", run_dir_parent=tmp_path, base_model_name=tiny_model)
    run.train(fruit_frame(), fine_tune=False)
    run.export("onnx", texts=CHECKED)
    assert set(run.predict_labels(CHECKED, backend="onnx")) <= {"ANIMAL", "FRUIT"}
    with pytest.raises(
        ExportError, match=r"Python code of its task 'shouting' to predict \(decide\)"
    ):
        load(run.run_dir)
    with pytest.raises(ExportError, match="decide"):
        run.export("onnx", texts=CHECKED, to=tmp_path / "loud.clx.zip")
    assert not (tmp_path / "loud.clx.zip").exists()


# ---- Rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        OneLabel(("a", "b"), "str", 0.5),
        OneLabel(("1", "2"), "int"),
        LabelSet(("a", "b"), "str", (0.5, 0.25)),
    ],
)
def test_a_rule_survives_json_and_decides_rows_as_it_decides_one(rule):
    assert rule_of(json.loads(json.dumps(rule.to_dict()))) == rule
    rows = np.array([[0.5, 0.25], [0.25, 0.5], [0.1, 0.1], [0.49999997, 0.3]], dtype=np.float32)
    single = [dict(zip(rule.labels, row, strict=True)) for row in rows.tolist()]
    for least in (None, 0.3):
        assert rule.decide_all(rows, least) == [rule.decide(each, least) for each in single]
        columns = rule.columns(rows, min_score=least, all_scores=True)
        each = [rule.row(one, min_score=least, all_scores=True) for one in single]
        assert columns == {name: [row[name] for row in each] for name in each[0]}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "other"},
        {"kind": "one_label", "labels": []},
        {"kind": "one_label", "labels": [1]},
        {"kind": "one_label", "labels": ["a"], "min_score": "0.5"},
        {"kind": "label_set", "labels": ["a", "b"], "thresholds": [0.5]},
    ],
    ids=str,
)
def test_values_that_are_no_rule_are_refused(values):
    with pytest.raises(ValueError, match=r"kind|labels|limits|thresholds"):
        rule_of(values)


def test_a_task_of_a_stranger_declares_its_rule(tiny_model, tmp_path):
    from strangers import Minimal

    class Ruled(Minimal):
        name = "ruled"
        predict_args = {"top_k": None}

        def decision_rule(self):
            return OneLabel(("LABEL_0", "LABEL_1"))

    fast = {"max_steps": 1, "disable_tqdm": True}
    run = Ruled("r", run_dir_parent=tmp_path, base_model_name=tiny_model, training_args=fast)
    run.train(fruit_frame())
    run.export("onnx", texts=CHECKED)
    assert isinstance(run, TrainingRun)
    assert load(run.run_dir).predict_labels(CHECKED) == run.predict_labels(CHECKED, backend="onnx")
