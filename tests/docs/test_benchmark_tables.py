"""The tables of benchmarks on the pages are those that the logged trials give."""

import pytest

import benchmark_tables

TABLES = ["| a | b |\n|---|---|\n| 1 | 2 |\n", "| a | b |\n|---|---|\n| 3 | 4 |\n"]


@pytest.mark.parametrize("program", benchmark_tables.PAGES)
def test_the_tables_are_up_to_date(program):
    text = benchmark_tables.PAGES[program].read_text(encoding="utf-8")
    tables = benchmark_tables.made(program)
    assert len(tables) >= 3
    assert benchmark_tables.page(text, tables) == text, "make tables"


def test_tables_with_one_heading_are_replaced_in_their_order():
    text = "One:\n\n| a | b |\n|---|---|\n| 0 | 0 |\n| 9 | 9 |\n\nTwo:\n\n| a | b |\n|---|---|\n\nEnd\n"
    assert benchmark_tables.page(text, TABLES) == f"One:\n\n{TABLES[0]}\nTwo:\n\n{TABLES[1]}\nEnd\n"


def test_a_table_that_the_page_lacks_is_named():
    with pytest.raises(ValueError, match=r"no table with the heading \| a \| b \|"):
        benchmark_tables.page("| other |\n|---|\n", TABLES)
