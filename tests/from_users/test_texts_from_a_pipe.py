"""A user piped texts to clx predict RUN, which asked for a SOURCE, and read a table without names."""

import io
import json
import subprocess
import sys

import pandas as pd
import pytest

from cli_helpers import Cli, process
from clx.cli.sources import source_of, stdin_texts
from clx.errors import DataFormatError

HEADING = ["text", "label", "score", "margin"]


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def test_a_pipe_is_a_source(cli, trained):
    assert cli("predict", trained, stdin=b"a cat\n\n  \nan apple").status == 0
    assert cli.lines[0][:4] == HEADING
    assert [fields[0] for fields in cli.lines[1:]] == ["a cat", "", "  ", "an apple"]
    frame = pd.read_csv(io.StringIO(cli.out), sep="\t", keep_default_na=False)
    assert list(frame["text"]) == ["a cat", "", "  ", "an apple"]
    assert set(frame["label"]) <= {"animal", "fruit"}


def test_blank_lines_may_be_left_out(cli, trained):
    assert (
        cli("predict", trained, "--skip-blank", "--no-header", stdin=b"a cat\n\n  \nx").status == 0
    )
    assert [fields[0] for fields in cli.lines] == ["a cat", "x"]
    assert cli("predict", trained, "-", "--skip-blank", "--json", stdin=b"\n \n").status == 0
    assert json.loads(cli.out) == []
    assert cli("predict", trained, "a text", "--skip-blank").status == 2
    assert "--skip-blank requires texts from standard input" in cli.err


def test_a_table_without_rows_has_its_columns(cli, trained):
    assert cli("predict", trained, stdin=b"").status == 0
    assert len(cli.lines) == 1
    columns = cli.lines[0]
    assert columns[:4] == HEADING
    assert cli("predict", trained, stdin=b"a cat").lines[0] == columns
    assert cli("predict", trained, "--all-scores", stdin=b"").lines[0][-3:] == [
        "score_animal",
        "score_fruit",
        "truncated",
    ]


def test_on_a_terminal_a_source_is_needed(cli, trained, monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(b""), encoding="utf-8")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    assert cli("predict", trained).status == 2
    assert "SOURCE is missing" in cli.err
    assert f'clx predict {trained} "a text"' in cli.err
    assert cli("predict", trained, "-o", f"{trained}/").status == 2
    assert "-o DIR/ requires rows of data" in cli.err
    assert cli("predict").status == 2


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_the_command(trained):
    command = f"yes 'a cat' | head -n 3000 | {sys.executable} -m clx predict {trained} | head -n 2"
    script = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0].startswith("text\tlabel")
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
    assert done.returncode == 141


@pytest.mark.parametrize(
    "word", ["train.xlsx", "old.csv.crdownload", "book.xlsx#Two", "data/train", "rows.csv.bak"]
)
def test_the_name_of_a_missing_file_is_never_a_text(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    for words in ([word], [word, "a text"], ["a text", word]):
        with pytest.raises(DataFormatError, match="There is no file"):
            source_of(words)
        assert source_of(words, as_texts=True).texts == tuple(words)


def test_lines_of_blanks(monkeypatch):
    def lines(skip):
        text = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa\r\n\r\n \tb\n"), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", text)
        return list(stdin_texts(skip))

    assert lines(skip=False) == ["a", "", " \tb"]
    assert lines(skip=True) == ["a", " \tb"]


# ---- Headings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        (["tasks"], ["task", "distribution", "class", "state"]),
        (["runs"], ["run", "task", "trained", "metric", "path"]),
        (["plugins"], ["plugin", "distribution", "hooks", "state"]),
        (["evaluate", "RUN", "DATA"], ["metric", "value"]),
        (["predict", "RUN", "a text"], HEADING),
        (["compare", "RUN", "RUN", "DATA"], None),
        (["labels", "RUN"], None),
    ],
)
def test_a_table_in_a_pipe_has_a_heading(cli, trained, fruit, own_data_dir, words, heading):
    (own_data_dir / "runs").mkdir()
    trained.rename(own_data_dir / "runs" / "mine")
    data = own_data_dir / "fruit.csv"
    fruit.head(8).to_csv(data, index=False)
    names = {"RUN": "mine", "DATA": data}
    words = [names.get(word, word) for word in words]
    assert cli(*words).status == 0
    with_heading = [line for line in cli.lines if line != [""]]
    assert cli(*words, "--no-header").status == 0
    without = [line for line in cli.lines if line != [""]]
    assert len(without) < len(with_heading)
    if heading is None:
        assert without[0] == with_heading[1]
    else:
        assert with_heading[0][: len(heading)] == heading
        assert heading not in [line[: len(heading)] for line in without]


def test_names_and_values_have_no_heading(cli, trained):
    assert cli("show", trained).status == 0
    assert cli.lines[0][0] == "metrics.loss"
    assert ["run", "trained"] in cli.lines
    assert cli("show", trained, "--no-header").status == 2


def test_a_file_without_a_heading(cli, trained, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("a cat,animal\nan apple,fruit\n")
    assert cli("evaluate", trained, rows, "--header", "text,label", "--no-header").status == 0
    assert cli.lines[0] != ["metric", "value"]
    named = ["--text-column", "column_1", "--label-column", "column_2"]
    assert cli("evaluate", trained, rows, "--header", "none", *named).status == 0
    assert cli("evaluate", trained, rows, "--no-header").status == 2
    assert "write --header A,B or --header none" in cli.err


@pytest.mark.slow
def test_a_pipe_of_two_processes(trained):
    done = process("predict", trained, input="a cat\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
