"""clx predict warned that texts were truncated, but its lines did not say which; files and frames do."""

import json

import pytest

from cli_helpers import Cli
from clx.ml import training_run

TEXTS = ["a cat", "the red apple " * 40]

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def test_each_line_says_whether_its_text_was_truncated(cli, trained):
    expected = training_run(load=trained).predict_frame(TEXTS)
    assert expected["truncated"].tolist() == [False, True]
    assert cli("predict", trained, *TEXTS).status == 0
    heading, *lines = cli.lines
    assert heading == ["text", *expected.columns]
    assert [line[-1] for line in lines] == ["False", "True"]
    assert cli("predict", trained, *TEXTS, "--json").status == 0
    assert [row["truncated"] for row in json.loads(cli.out)] == [False, True]


def test_a_terminal_shows_it_where_a_text_was(cli, trained):
    assert "truncated" in cli.on_terminal("predict", trained, *TEXTS).out
    assert "truncated" not in cli.on_terminal("predict", trained, "a cat").out
