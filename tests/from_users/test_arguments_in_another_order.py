"""A user wrote clx train train.csv classification, and clx evaluate data.csv RUN: no task, no run."""

import json

import pytest

from cli_helpers import Cli
from clx.cli.hints import Word, hint
from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.run_directory.finding import locate

ROWS = "text,label\napple,fruit\ncat,animal\n"


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture(autouse=True)
def place(own_data_dir, tmp_path, monkeypatch):
    """A working directory with data, and two runs that nothing may load."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text(ROWS)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_text(ROWS)
    for name in ("fruit", "other"):
        run = own_data_dir / "runs" / name
        run.mkdir(parents=True)
        (run / "config.json").write_text(json.dumps({"schema_version": 1, "task": "gone"}))
        (run / "manifest.json").write_text("{}")
    return own_data_dir / "runs"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train train.csv classification", "clx train classification NAME train.csv"),
        ("train fruit classification train.csv", "clx train classification fruit train.csv"),
        ("train train.csv classification new", "clx train classification new train.csv"),
        ("train classification train.csv new", "clx train classification new train.csv"),
        ("evaluate train.csv fruit", "clx evaluate fruit train.csv"),
        ("evaluate rows fruit", "clx evaluate fruit rows"),
        ("predict train.csv fruit", "clx predict fruit train.csv"),
        ("predict atext fruit", "clx predict fruit atext"),
        ("compare train.csv fruit other", "clx compare fruit other train.csv"),
        ("distill train.csv fruit", "clx distill fruit train.csv"),
        ("cascade train.csv fruit other", "clx cascade fruit other train.csv"),
        ("estimate train.csv fruit", "clx estimate fruit train.csv"),
        ("report train.csv fruit", "clx report fruit train.csv"),
    ],
)
def test_the_right_order_is_suggested(cli, words, meant):
    assert cli(*words.split()).status == 2
    assert f"\nDid you mean: {meant}\n" in cli.err
    assert cli.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show train.csv", "'train.csv' is data, but RUN is the name or the directory"),
        ("verify rows", "'rows' is data, but RUN is"),
        ("decisions classification", "'classification' is a task, but RUN is"),
        ("serve train.csv", "'train.csv' is data, but RUN is"),
        ("bases fruit", "'fruit' is a trained run, but DATA is a file"),
        ("evaluate fruit other", "'other' is a trained run, but DATA is a file"),
        ("evaluate nothing missing.csv", "There is no run to load"),
        ("train classification new train.csv --from train.csv", "is data, but --from is the name"),
        ("train classification new train.csv --eval fruit", "is a trained run, but --eval is a"),
        ("bases train.csv --task fruit", "is a trained run, but --task is the name of a task"),
        ("train run.toml", "To read them from a file, write --config run.toml."),
        ("train classification new trian.csv", "did you mean 'train.csv'?"),
        ("predict fruit train.csv/", "'train.csv' is a file: leave out the slash at its end"),
        ("train classification new rows/b.csv", "There is no data at 'rows/b.csv'"),
        ("train classification new/ train.csv", "ends with a path separator: write 'new'"),
        ("predict fruit traim.csv", "did you mean 'train.csv'?"),
    ],
)
def test_what_an_argument_is_and_what_it_must_be(cli, words, said):
    assert cli(*words.split()).status == 2
    assert said in cli.err


def test_no_hint_if_everything_is_where_it_belongs(cli):
    assert cli("evaluate", "fruit", "train.csv").status == 2
    assert "Did you mean" not in cli.err
    assert " is data" not in cli.err
    words = [Word("TASK", "classification"), Word("NAME", "fruit"), Word("TRAIN", "a/b")]
    assert hint("clx train", words) is None
    assert hint("clx train", [Word("TASK", "a"), Word("NAME", None)]) is None


def test_a_run_directory_is_not_read_as_data(trained, place):
    with pytest.raises(DataFormatError, match="is the directory of a trained run, not data"):
        training_run(load=trained).evaluate(str(trained))
    (place / "fruit" / "config.json").unlink()
    with pytest.raises(DataFormatError, match="data has no rows"):
        training_run(load=trained).evaluate(str(place / "fruit"))


def test_a_shell_completes_a_run_with_a_slash(place):
    assert locate("fruit/") == locate("fruit") == place / "fruit"
