"""Somebody had CoNLL files, as most data sets of named entities do, and clx could not read them."""

import json

import pytest

from cli_helpers import Cli
from clx.errors import DataFormatError
from clx.ml import training_run
from clx.testing import make_tiny_model

SENTENCES = "\n\n".join(
    f"{who} NNP B-person\nlives VB O\nin IN O\n{where} NNP B-place"
    for who in ("Ada", "Bo", "Cy", "Di")
    for where in ("Paris", "Rome", "Oslo")
)
ARGS = {"max_steps": 2, "disable_tqdm": True}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "train.conll").write_text(f"-DOCSTART- -X- O\n\n{SENTENCES}\n")
    make_tiny_model(tmp_path / "base", SENTENCES.split("\n\n"))
    return tmp_path


def test_a_file_is_trained_evaluated_and_predicted(files):
    options = {"base_model_name": files / "base", "training_args": ARGS}
    run = training_run("ner", "people", **options)
    run.train(files / "train.conll", eval_data=files / "train.conll")
    assert run.label_names == ["person", "place"]
    table = run.evaluate(files / "train.conll").per_label
    assert table["spans"].tolist() == [12, 12]
    run.predict_file(files / "train.conll", files / "out.jsonl")
    rows = [json.loads(line) for line in (files / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows][:2] == ["Ada lives in Paris", "Ada lives in Rome"]
    assert all("entities" in row for row in rows)
    lazy = training_run("ner", "lazy", tokenize_lazily=True, **options)
    lazy.train(files / "train.conll")
    assert lazy.label_names == run.label_names
    (files / "train.conll").write_text("Ada NNP B-person\nlives O\n")
    with pytest.raises(DataFormatError, match="line 2 has 2 columns, and line 1 has 3"):
        run.evaluate(files / "train.conll")


def test_the_command_line_reads_it_too(files, capsys, monkeypatch):
    clx = Cli(capsys, monkeypatch)
    options = ["--base-model", files / "base", "--set", "training_args.max_steps=1"]
    clx("train", "ner", "people", files / "train.conll", *options)
    assert clx.status == 0, clx.err
    (files / "wrong.conll").write_text("Ada NNP B-person\nlives VB\n")
    assert clx("evaluate", "people", files / "wrong.conll").status == 2
    assert "wrong.conll is not a valid CoNLL file" in clx.err
