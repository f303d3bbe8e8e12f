"""Workbooks of Excel and OpenDocument: cells keep their values, and the right sheet is read."""

import datetime
import sys
import zipfile

import openpyxl
import pytest

from clx.errors import DataFormatError, DataWarning, MissingDependencyError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.sources import open_rows

ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="Rows">{rows}</table:table>
</office:spreadsheet></office:body></office:document-content>"""


def workbook(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rows_of(source, reading=None):
    rows = open_rows(source, reading or Reading())
    table = rows.table()
    values = [
        {name: batch.column(name)[row].as_py() for name in batch.schema.names}
        for batch in rows.read()
        for row in range(batch.num_rows)
    ]
    assert len(values) == table.num_rows == rows.count
    return values


def test_cells_keep_their_values(tmp_path):
    day, moment = datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 10, 30)
    at, span = datetime.time(10, 30), datetime.timedelta(hours=30, seconds=5)
    path = workbook(
        tmp_path / "a.xlsx",
        Rows=[
            ["text", "code", "n", "share", "yes", "day", "moment", "large", "time", "span"],
            ["ripe apple", "007", 5, 1, True, day, moment, 2**53, at, span],
            ["line\nbreak", "010", None, 0.5, False, day, moment, -1, at, span],
        ],
    )
    assert rows_of(path) == [
        {
            "text": "ripe apple",
            "code": "007",
            "n": 5,
            "share": 1.0,
            "yes": True,
            "day": day.isoformat(),
            "moment": moment.isoformat(),
            "large": 2**53,
            "time": "10:30:00",
            "span": "30:00:05",
        },
        {
            "text": "line\nbreak",
            "code": "010",
            "n": None,
            "share": 0.5,
            "yes": False,
            "day": day.isoformat(),
            "moment": moment.isoformat(),
            "large": -1,
            "time": "10:30:00",
            "span": "30:00:05",
        },
    ]
    kinds = {field.name: str(field.type) for field in open_rows(path).schema}
    assert kinds["n"] == "int64"
    assert kinds["share"] == "double"


def test_texts_and_numbers_in_one_column_stay_what_they_are(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Rows=[["text", "label"], ["a", 1], ["b", "1"]])
    assert [row["label"] for row in rows_of(path)] == ["1", '"1"']
    assert open_rows(path).schema.field("label").type.extension_name == "arrow.json"


def test_blank_rows_and_columns_are_none_but_a_column_of_empty_cells_is_one(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        Rows=[[], ["text", "note", None, 2024], ["a"], [None], ["b", None, None, 3]],
    )
    assert rows_of(path) == [
        {"text": "a", "note": None, "2024": None},
        {"text": "b", "note": None, "2024": 3},
    ]


def test_the_first_sheet_with_rows_is_read_and_the_others_are_named(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx", Empty=[], Train=[["text"], ["a"]], Test=[["text"], ["b"]], None_=[]
    )
    with pytest.warns(DataWarning, match=r"'Train' was read, not 'Test'\. Pass 'a.xlsx#Test'"):
        assert rows_of(path) == [{"text": "a"}]
    assert rows_of(f"{path}#Test") == [{"text": "b"}]
    with pytest.raises(
        DataFormatError, match=r"no sheet 'Tess'; its .*Train.*; did you mean 'Test'\?$"
    ):
        open_rows(f"{path}#Tess")


def test_a_hidden_sheet_is_not_the_data(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Lookup=[["x"], ["y"]], Rows=[["text"], ["a"]])
    book = openpyxl.load_workbook(path)
    book["Lookup"].sheet_state = "hidden"
    book.save(path)
    assert rows_of(path) == [{"text": "a"}]


def test_a_file_with_a_number_sign_in_its_name_is_that_file(tmp_path):
    workbook(tmp_path / "a.xlsx", b=[["text"], ["sheet"]])
    path = workbook(tmp_path / "a.xlsx#b", b=[["text"], ["file"]])
    path.rename(tmp_path / "a.xlsx#b.xlsx")
    assert rows_of(tmp_path / "a.xlsx#b.xlsx") == [{"text": "file"}]


def test_header_names_the_columns_of_a_sheet_without_a_heading(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Rows=[["a", 1], ["b", 2]])
    named = rows_of(path, Reading(header=("text", "label")))
    assert named == [{"text": "a", "label": 1}, {"text": "b", "label": 2}]
    assert list(rows_of(path, Reading(header=False))[0]) == ["column_1", "column_2"]


@pytest.mark.parametrize("header", [("text",), ("id", "text", "label")])
def test_header_names_each_column_with_values(tmp_path, header):
    # The first column is empty. Names for three columns would be those of other columns.
    path = workbook(tmp_path / "a.xlsx", Rows=[[None, "a", 1], [None, "b", 2]])
    with pytest.raises(DataFormatError, match=rf"2 columns with values, .* names {len(header)} "):
        open_rows(path, Reading(header=header))


def test_open_document(tmp_path):
    cells = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    number = cells.replace('"string"', '"float" office:value="5"').format("5")
    row = "<table:table-row>{}</table:table-row>"
    body = row.format(cells.format("text") + cells.format("n"))
    body += row.format(cells.format("ripe apple") + number)
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", ODS.format(rows=body))
    assert rows_of(tmp_path / "a.ods") == [{"text": "ripe apple", "n": 5}]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "is empty"),
        ([["text", "text"], ["a", "b"]], "more than one column called text"),
    ],
)
def test_sheets_that_are_no_table(tmp_path, rows, said):
    path = workbook(tmp_path / "a.xlsx", Rows=rows)
    with pytest.raises(DataFormatError, match=said):
        open_rows(path)


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "xlsb", "ods"])
def test_a_file_that_is_no_workbook_is_named(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"text,label\n")
    with pytest.raises(DataFormatError, match=rf"a\.{suffix} cannot be read as excel"):
        open_rows(path)


def test_without_the_extra_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = workbook(tmp_path / "a.xlsx", Rows=[["text"], ["a"]])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingDependencyError, match=r"a\.xlsx.*pip install 'clx-core\[excel\]'"):
        open_rows(path)
