"""A progress bar: a line that fits the terminal, or a line of text now and then."""

import io
import sys

import pytest

from cli_helpers import Terminal
from clx.ml.machine import bars, terminal
from clx.ml.machine.progress import progress_bar, with_progress, write_message

LONG = {"accuracy": "0.9123", "loss": "0.5123", "eval_loss": "0.25"}


class Clock:
    """A clock that only the test moves."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(bars.time, "time", lambda: self.now)
        monkeypatch.setattr(bars.LineBar, "last_line", -1e9)

    def tick(self, bar, seconds, steps=1):
        self.now += seconds
        bar._time = lambda: self.now
        bar.update(steps)
        bar.refresh()


# Not fixtures: pytest replaces stderr again between a fixture and its test.


def in_file(monkeypatch):
    """Make stderr a file, and return it."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def on_terminal(monkeypatch, width=80):
    """Make stderr a terminal, and return it."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", str(width))
    return stream


def last_frame(stream):
    return stream.getvalue().split("\r")[-1].split("\n")[0].rstrip()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_bar_leaves_out_whole_values_instead_of_cutting_them(monkeypatch, width):
    stderr = on_terminal(monkeypatch, width)
    bar = progress_bar(total=300, desc="train", unit="steps")
    bar.update(120)
    bar.set_postfix(LONG)
    line = last_frame(stderr)
    assert len(line) < width
    assert line.startswith("train  40 % |")
    assert "| 120/300 steps" in line
    assert bars.MIN_BAR <= len(line.split("|")[1]) <= bars.MAX_BAR
    known = [f"{name.replace('_', ' ')} {value}" for name, value in LONG.items()]
    named = [part for part in line.split(", ")[1:] if not part.endswith((" left", "/s"))]
    assert set(named) <= set(known)
    assert ("accuracy 0.9123" in line) == (width >= 80)
    assert (named == known) == (width >= 120)
    bar.close()


def test_too_narrow_for_a_bar(monkeypatch):
    stderr = on_terminal(monkeypatch, 24)
    bar = progress_bar(total=300, desc="train", unit="steps")
    assert last_frame(stderr) == "train   0 % 0/300 steps"
    bar.close()


def test_a_bar_of_unknown_length_counts(monkeypatch):
    stderr = on_terminal(monkeypatch)
    bar = progress_bar(desc="predict", unit="rows")
    bar.update(1200)
    bar.refresh()
    assert last_frame(stderr).startswith("predict 1200 rows")
    bar.close()


def test_a_message_does_not_show_a_bar_that_waits(monkeypatch):
    stderr = on_terminal(monkeypatch)
    bar = progress_bar(total=3, desc="quick", unit="steps", delay=60)
    write_message("a message")
    bar.close()
    assert "quick" not in stderr.getvalue()
    assert "a message\n" in stderr.getvalue()


def test_a_file_gets_a_line_every_ten_seconds(monkeypatch):
    stderr = in_file(monkeypatch)
    clock = Clock(monkeypatch)
    bar = progress_bar(total=100, desc="train", unit="steps")
    bar.start_t = bar.last_print_t = clock.now
    for _ in range(25):
        clock.tick(bar, 1)
    bar.set_postfix({"eval_loss": "0.25"})
    for _ in range(10):
        clock.tick(bar, 1)
    bar.close()
    lines = stderr.getvalue().splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "train: 10/100 steps",
        "train: 20/100 steps",
        "train: 30/100 steps",
    ]
    assert "eval loss 0.25" in lines[2]
    assert "\r" not in stderr.getvalue()


def test_many_short_bars_share_the_ten_seconds(monkeypatch):
    stderr = in_file(monkeypatch)
    clock = Clock(monkeypatch)
    outer = progress_bar(total=5, desc="folds", unit="folds")
    outer.start_t = clock.now
    for _ in range(5):
        inner = progress_bar(total=4, desc="train", unit="steps")
        inner.start_t = inner.last_print_t = clock.now
        for _ in range(4):
            clock.tick(inner, 1)
        inner.close()
        clock.tick(outer, 0)
    outer.close()
    assert len(stderr.getvalue().splitlines()) == 1
    assert stderr.getvalue().startswith("folds: 3/5 folds")


def test_a_short_call_writes_nothing_to_a_file(monkeypatch):
    stderr = in_file(monkeypatch)
    assert list(with_progress([1, 2, 3], "compare", "bases", {})) == [1, 2, 3]
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("TERM", "dumb"), ("CLX_PLAIN", "1"), ("TTY_COMPATIBLE", "0"), ("TTY_INTERACTIVE", "0")],
)
def test_plain_mode_writes_lines_on_a_terminal_too(monkeypatch, name, value):
    stderr = on_terminal(monkeypatch)
    assert not terminal.is_plain()
    monkeypatch.setenv(name, value)
    assert terminal.is_plain()
    bar = progress_bar(range(3), desc="train", unit="steps")
    assert isinstance(bar, bars.LineBar)
    assert list(bar) == [0, 1, 2]
    assert stderr.getvalue() == ""


def test_no_color_is_about_styles_alone(monkeypatch):
    stderr = on_terminal(monkeypatch)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.has_styles(stderr)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.has_styles(stderr)
    assert terminal.moves_cursor(stderr)
    monkeypatch.setenv("CLX_PLAIN", "0")
    assert not terminal.is_plain()


def test_bars_can_be_disabled(monkeypatch):
    stderr = on_terminal(monkeypatch)
    bar = progress_bar(total=3, desc="train", unit="steps", disable=True)
    bar.update(1)
    bar.set_postfix({"loss": 1})
    bar.close()
    assert stderr.getvalue() == ""
