"""Tables and messages on a terminal: no word is cut, whatever the width."""

import io
import sys
import warnings
from pathlib import Path

import pytest

from cli_helpers import Terminal
from clx.cli.drawing import Table, drawn, shortened, wrapped, wrapped_message
from clx.cli.failures import complain, show_warning
from clx.cli.output import Output, shown
from clx.cli.streams import text_above_bars
from clx.errors import ClxWarning
from clx.ml.machine.progress import progress_bar

COLUMNS = ["label", "precision", "recall", "threshold", "support"]
ROWS = [
    ["a label of several words", "0.9000", "0.8000", "0.5000", "10"],
    ["ham", "1", "1", "", "3"],
]
SCORES = Table(COLUMNS, ROWS, [False, True, True, True, True])


def words(lines):
    return " ".join(lines).replace("─", "").split()


@pytest.mark.parametrize("width", [20, 40, 50, 60, 80, 120])
def test_a_table_of_any_width_keeps_its_words_whole(width):
    lines = drawn(SCORES, width)
    allowed = {word for cells in (COLUMNS, *ROWS) for cell in cells for word in cell.split()}
    assert set(words(lines)) <= allowed
    assert max(map(len, lines)) <= max(width, 35)
    assert all(word in words(lines) for word in ("0.9000", "threshold", "several"))


def test_a_table_that_fits_has_columns_and_one_that_does_not_has_blocks():
    assert drawn(SCORES, 60)[0].split() == COLUMNS
    assert len(drawn(SCORES, 80)) == 4
    assert len(drawn(SCORES, 50)) == 6  # the label has three lines
    blocks = drawn(SCORES, 40)
    assert blocks[0] == "label      a label of several words"
    assert blocks[1] == "precision  0.9000"
    assert "threshold" not in blocks[-1]
    assert blocks.count("") == 1


def test_a_path_stays_in_one_piece():
    path = "/a/very/long/path" * 6
    rows = [["run directory", path], ["next", "clx predict it with more words"]]
    pairs = Table(["", ""], rows, [False, False])
    assert f"run directory  {path}" in drawn(pairs, 40)
    assert "               words" in drawn(pairs, 40)


def test_the_last_column_may_stick_out_and_an_empty_one_is_left_out():
    path = "/a/long/path" * 6
    rows = [["ok", "python", path, ""], ["ok", "torch", "some words " * 5, ""]]
    lines = drawn(Table(["", "what", "found", "what to do"], rows, [False] * 4), 50)
    assert lines[0].split() == ["what", "found"]
    assert f"ok  python  {path}" in lines
    assert max(len(line) for line in lines if path not in line) <= 50


def test_the_folder_of_all_paths_is_shown_once(monkeypatch):
    screen = on_screen(monkeypatch)
    with Output() as out:
        out.table(("run", "path"), [["a", Path("/runs/a")], ["b", Path("/runs/b")]])
        out.table(("n", "path"), [[1, Path("/runs/a")], [2, Path("/runs/b")]], "Files")
        out.table(("run", "path"), [["a", Path("/runs/a")], ["b", Path("/other/b")]])
    shown = screen.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert shown[:4] == ["/runs", "run", "───", "a"]
    assert shown[6:10] == ["Files, in /runs", "n  path", "─  ────", "1  a"]
    assert shown[-2:] == ["a    /runs/a", "b    /other/b"]


def test_wide_characters_take_two_columns():
    lines = drawn(Table(["text", "score"], [["猫" * 30, "0.5"]], [False, True]), 40)
    assert [line.count("猫") for line in lines] == [0, 0, 16, 14]
    assert wrapped("ab" * 30, 10) == ["ab" * 30]


def test_numbers_in_a_table_are_rounded_but_not_to_nothing():
    numbers = [0.123456, 0.0, 2e-5, -3e-7, 12, float("nan"), None, True]
    said = ["0.1235", "0.0000", "2e-05", "-3e-07", "12", "", "", "True"]
    assert list(map(shown, numbers)) == said
    assert shown({"cat": 0.2198758134, "rate": [1e-05]}) == '{"cat": 0.2199, "rate": [1e-05]}'


def test_a_text_is_shortened_between_words():
    assert shortened("the quick brown fox", 12) == "the quick …"
    assert shortened("the quick", 12) == "the quick"
    assert shortened("the quick brown", 17) == "the quick brown"
    assert shortened("a" * 30, 12) == f"{'a' * 10} …"


def test_a_list_is_wrapped_below_its_items():
    message = "warning: two findings:\n  - one two three four\n    do this and that"
    assert wrapped_message(message, 18).splitlines() == [
        "warning: two",
        "findings:",
        "  - one two three",
        "    four",
        "    do this and",
        "    that",
    ]


def on_screen(monkeypatch):
    """Make stdout and stderr one terminal of 60 columns, and return it.

    Not a fixture: pytest replaces the streams again between a fixture and its test.
    """
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


def tables():
    with Output() as out:
        out.table(COLUMNS, ROWS, "Labels")
        out.blank()
        out.fields([("rows", 13), ("seconds", 0.5)], "Counts")
        out.line("The end.")


def test_tables_are_apart_and_their_titles_bold(monkeypatch):
    screen = on_screen(monkeypatch)
    tables()
    shown = screen.getvalue()
    assert shown.startswith("\x1b[1mLabels\x1b[0m\nlabel ")
    assert "\n\n\x1b[1mCounts\x1b[0m\nrows     " in shown
    assert shown.endswith("0.5000\n\nThe end.\n")
    assert "\n\n\n" not in shown

    monkeypatch.setenv("NO_COLOR", "1")
    screen.truncate(0)
    tables()
    assert "\x1b" not in screen.getvalue()
    assert "─" in screen.getvalue()


def test_plain_mode_has_a_line_per_row_and_no_drawing(monkeypatch):
    screen = on_screen(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    tables()
    assert screen.getvalue().splitlines() == [
        "Labels",
        "a label of several words: precision 0.9000, recall 0.8000,",
        "  threshold 0.5000, support 10",
        "ham: precision 1, recall 1, support 3",
        "",
        "Counts",
        "rows: 13",
        "seconds: 0.5000",
        "",
        "The end.",
    ]


def test_a_terminal_gets_wrapped_warnings_without_a_place_and_a_file_whole_lines(monkeypatch):
    screen = on_screen(monkeypatch)
    text = f"Findings:\n  - {'some words ' * 10}\n    Correct them."
    show_warning(ClxWarning(text), ClxWarning, "library.py", 3)
    lines = screen.getvalue().splitlines()
    assert lines[0] == "warning: Findings:"
    assert lines[1:3] == [f"  - {'some words ' * 5}".rstrip(), f"    {'some words ' * 5}".rstrip()]
    assert lines[3] == "    Correct them."
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    complain(f"error: {'some words ' * 10}")
    assert len(file.getvalue().splitlines()) == 1


def test_text_and_bars_never_share_a_line(monkeypatch):
    screen = on_screen(monkeypatch)
    with text_above_bars():
        bar = progress_bar(total=10, desc="train", unit="steps")
        bar.update(5)
        bar.refresh()
        print("a value:", 3, file=sys.stderr)
        sys.stderr.write("half a ")
        bar.refresh()
        sys.stderr.write("line\n")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show_warning
            warnings.warn("careful", ClxWarning, stacklevel=1)
        bar.close()
        print("last", file=sys.stderr)
    lines = [line.split("\r")[-1] for line in screen.getvalue().split("\n")]
    assert lines[:3] == ["a value: 3", "half a line", "warning: careful"]
    assert lines[3].startswith("train  50 % |")
    assert lines[4:] == ["last", ""]


def test_stderr_is_put_back_with_what_was_begun(monkeypatch):
    screen = on_screen(monkeypatch)
    with text_above_bars():
        bar = progress_bar(total=10, desc="train", unit="steps", delay=60)
        sys.stderr.write("begun")
        assert sys.stderr.isatty()
    assert sys.stderr is screen
    assert screen.getvalue().endswith("begun")
    bar.close()
