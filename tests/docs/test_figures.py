"""The pages show the logged figures, and a benchmark's ``--log`` writes what ``make tables`` reads."""

import argparse
import json
import re
import sys

import pytest

import benchmark_tables
from benchmark_tables import figure_tables, figures

Column = figure_tables.Column
PAGES = [path for path in benchmark_tables.MARKED if path.is_file()]
SPEEDS = figures.Figures(
    "speeds",
    "2026-11-25",
    "EPYC",
    "make bench",
    {"torch": "2.13"},
    [
        {"name": "ours", "times": 4.44, "clients": 1},
        {"name": "theirs", "times": 1},
        {"name": "ours", "times": 12.4, "clients": 8},
    ],
)
OTHERS = figures.Figures(
    "others", "2026-11-26", None, None, {}, [{"name": "ours", "share": 0.992}, {"name": "third"}]
)
LAYOUT = figure_tables.Layout(
    "page.md",
    "speeds",
    ["speeds", "others"],
    [
        Column("way", "name"),
        Column("clients", "clients"),
        Column("times as fast", "times", "2 digits"),
        Column("equal, %", "share", "percent", "others"),
    ],
    {"third": "another", "ours": "**ours**"},
)
LOG = {"speeds": SPEEDS, "others": OTHERS}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_pages_show_the_newest_figures(path):
    made = benchmark_tables.marked_page(path, benchmark_tables.MARKED[path])
    assert made == path.read_text(encoding="utf-8"), "make tables"


def test_the_pages_have_tables_of_logged_figures():
    assert {"performance.md", "students.md", "large-predictions.md", "estimates.md"} <= {
        path.name for path in PAGES
    }
    assert sum(path.read_text(encoding="utf-8").count("<!-- figures: ") for path in PAGES) >= 27


def test_a_table_joins_logged_tables_in_the_order_of_the_page():
    assert figure_tables.table(LAYOUT, LOG).splitlines() == [
        "Measured on 2026-11-25 on EPYC, with `make bench`, and on 2026-11-26:",
        "",
        "| way | clients | times as fast | equal, % |",
        "|---|---|---|---|",
        "| another | - | - | - |",
        "| **ours** | 1 | 4.4 | 99.2 |",
        "| **ours** | 8 | 12 | 99.2 |",
    ]


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (1, "2 digits", "1.0"),
        (0.97, "2 digits", "0.97"),
        (9.96, "2 digits", "10"),
        (99.6, "2 digits", "100"),
        (235.4, "2 digits", "235"),
        (1.0, "percent", "100"),
        (0.9, "percent", "90.0"),
        (2.1e-6, "difference", "2e-6"),
        (0.0, "difference", "0.0"),
        (0.136, "difference", "0.14"),
        (105300, ",.0f", "105,300"),
        (553, "", "553"),
    ],
)
def test_forms(value, form, shown):
    assert figure_tables.written(value, form) == shown


def test_a_page_and_the_log_must_agree():
    mark, end = "<!-- figures: speeds; by `make tables` -->\n", "<!-- end of the figures -->"
    page = f"One.\n\n{mark}old\n{end}\nTwo.\n"
    made = figure_tables.page(page, {"speeds": LAYOUT}, LOG)
    assert made.startswith(f"One.\n\n{mark}\nMeasured on 2026-11-25")
    assert made.endswith(f"| 99.2 |\n\n{end}\nTwo.\n")
    assert figure_tables.page(made, {"speeds": LAYOUT}, LOG) == made
    with pytest.raises(ValueError, match=r"The page lacks <!-- figures: speeds;"):
        figure_tables.page("One.\n", {"speeds": LAYOUT}, LOG)
    with pytest.raises(ValueError, match=r"'speeds' of the page has no layout or no logged"):
        figure_tables.page(page, {"speeds": LAYOUT}, {})
    assert figure_tables.page("One.\n", {"speeds": LAYOUT}, {}) == "One.\n"


def test_log_appends_and_the_newest_counts(tmp_path, monkeypatch):
    where = {"time": "2026-11-28 16:00:00", "revision": "abc", "device": "cpu", "cores": 2}
    where |= {"processor": "Intel(R) Xeon(R)", "python": "3.11", "torch": "2", "transformers": "5"}
    monkeypatch.setattr(figures, "machine", lambda: where)
    log, data = tmp_path / "log.jsonl", tmp_path / "data"
    program = str(figures.LOG.parent / "distil.py")
    words = [f"{data}/", "--sets", "r8", "--log", str(log)]
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=type(data))
    parser.add_argument("--sets")
    figures.add_options(parser)
    for more, share in (([], 1 / 3), (["--machine", "Xeon"], 0.5)):
        monkeypatch.setattr(sys, "argv", [program, *words, *more])
        figures.append(parser.parse_args(sys.argv[1:]), "shares", [{"name": "a", "share": share}])
    figures.append(parser.parse_args([str(data)]), "unlogged", [])
    old, new = (json.loads(line) for line in log.read_text().splitlines())
    assert old["machine"] == "2 cores of Intel Xeon"
    assert old["rows"] == [{"name": "a", "share": 0.333333}]
    assert new["machine"] == "Xeon"
    assert new["command"] == "python benchmarks/distil.py DATA --sets r8"
    assert figures.newest(log) == {"shares": figures.Figures(**new)}


def test_the_log_names_no_place_of_a_machine():
    assert not re.search(r"/(tmp|home|work|root)/", figures.LOG.read_text(encoding="utf-8"))
