"""A user trained on a csv with a comma at the end of every row: texts silently became labels."""

import io

import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml import training_run
from clx.ml.data import Reading, to_frame
from clx.ml.data.tables.quoting import only_quotes_escaped
from clx.ml.data.tables.streams import BLOCK

TRAILING = "text,label,lang\nripe apple,fruit,en,\nold dog,animal,en,\n"
UNQUOTED = {
    "in the first text": "text,label\nripe, red apple,fruit\nold dog,animal\n",
    "in all texts": "text,label\nripe, red apple,fruit\nold, grey dog,animal\n",
    "in the last text": "text,label\nold dog,animal\nripe, red apple,fruit\n",
}
ESCAPED = 'text,label\n"he said \\"apple, ripe\\" twice",fruit\nold dog,animal\n'


def write(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_separator_at_the_end_of_each_row_makes_no_column(tmp_path, separator):
    path = write(tmp_path, f"sep={separator}\n" + TRAILING.replace(",", separator))
    assert to_frame(path).to_dict("list") == {
        "text": ["ripe apple", "old dog"],
        "label": ["fruit", "animal"],
        "lang": ["en", "en"],
    }


def test_such_a_file_is_predicted_with_its_own_columns(trained, tmp_path):
    run = training_run(load=trained)
    done = run.predict_file(write(tmp_path, TRAILING), tmp_path / "out.csv")
    rows = to_frame(done)
    assert rows["text"].tolist() == ["ripe apple", "old dog"]
    assert rows["label"].tolist() == ["fruit", "animal"]
    assert rows["lang"].tolist() == ["en", "en"]
    assert rows["predicted_label"].isin(["fruit", "animal"]).all()


def test_a_trailing_cell_with_a_value_is_an_error(tmp_path):
    rows = "".join(f"text {i},fruit,en,\n" for i in range(300))
    path = write(tmp_path, "text,label,lang\n" + rows + "ripe apple,fruit,en,more\n")
    with pytest.raises(DataFormatError, match="the heading has 3 columns"):
        to_frame(path)


@pytest.mark.parametrize("where", UNQUOTED)
@pytest.mark.parametrize(
    "verb", ["train", "evaluate", "compare", "check", "report", "predict_frame"]
)
def test_an_unquoted_comma_is_an_error_with_its_line(trained, tmp_path, where, verb):
    run = training_run(load=trained)
    path = write(tmp_path, UNQUOTED[where])
    line = 3 if "last" in where else 2
    arguments = (training_run(load=trained), path) if verb == "compare" else (path,)
    if verb == "report":
        arguments = (tmp_path / "report.html", path)
    with pytest.raises(
        DataFormatError, match=rf"a\.csv, line {line}: 3 fields, but the heading has 2"
    ):
        getattr(run, verb)(*arguments, **({"overwrite": True} if verb == "train" else {}))


def test_predict_file_says_the_line_and_writes_nothing(trained, tmp_path):
    run = training_run(load=trained)
    with pytest.raises(DataFormatError, match="line 3: 3 fields"):
        run.predict_file(write(tmp_path, UNQUOTED["in the last text"]), tmp_path / "out.csv")
    assert [path.name for path in tmp_path.glob("*out*")] == []


def test_lines_are_counted_where_texts_have_line_breaks(tmp_path):
    path = write(tmp_path, 'text,label\n"two\nlines",fruit\n\nold, dog,animal\n')
    with pytest.raises(DataFormatError, match="line 5: 3 fields"):
        to_frame(path)


def test_backslashes_before_quotes_are_read_and_said(tmp_path):
    with pytest.warns(match="escaped with backslashes"):
        frame = to_frame(write(tmp_path, ESCAPED))
    assert frame["text"].tolist() == ['he said "apple, ripe" twice', "old dog"]
    assert frame["label"].tolist() == ["fruit", "animal"]


def test_a_path_of_windows_at_the_end_of_a_cell_is_no_escape(tmp_path):
    frame = to_frame(write(tmp_path, 'text,label\n"C:\\dir\\",fruit\n"a ""b""",animal\n'))
    assert frame["text"].tolist() == ["C:\\dir\\", 'a "b"']


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('text,label\n"an "old" dog",animal\nx,fruit\n', "line 2: there is text after the closing"),
        ('text,label\nx,fruit\n"old dog,animal\n', "line 3: a quote is opened and never closed"),
        ('text\n"old dog\nx\n"new dog\n', "there is text after the closing quote"),
    ],
)
def test_quotes_that_would_swallow_rows_are_an_error(tmp_path, content, message):
    with pytest.raises(DataFormatError, match=message):
        to_frame(write(tmp_path, content))


def test_quotes_within_an_unquoted_cell_are_part_of_the_text(tmp_path):
    frame = to_frame(write(tmp_path, 'text,label\n5" pipe,fruit\nthe "old" dog,animal\n'))
    assert frame["text"].tolist() == ['5" pipe', 'the "old" dog']


@pytest.mark.parametrize(
    "heading", ['text,size",label', 'text,si"ze,label', '"text","si""ze","label"', '"a\ntext",b,c']
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_begin_behind_the_heading_whatever_quotes_are_in_it(tmp_path, heading, end):
    content = end.join([heading, "plum,5,fruit", 'old dog,5",animal', "fig,5,fruit", ""])
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())
    assert to_frame(path).iloc[:, 0].tolist() == ["plum", "old dog", "fig"]


def test_a_line_of_too_many_or_few_empty_cells_is_an_error(tmp_path):
    for blank in ("\t\t\t", "\t"):
        path = write(
            tmp_path, f"text\tlabel\tid\nplum\tfruit\t1\n{blank}\ndog\tanimal\t2\n", "a.tsv"
        )
        with pytest.raises(DataFormatError, match=r"a\.tsv, line 3: \d fields"):
            to_frame(path)


def test_the_first_row_of_a_file_without_a_heading_has_a_line(tmp_path):
    path = write(tmp_path, "plum\ndog,animal\n")
    with pytest.raises(DataFormatError, match=r"a\.csv, line 1: 1 fields"):
        to_frame(path, reading=Reading(header=["text", "label"]))


def test_a_backslash_that_escapes_no_quote_belongs_to_the_text(tmp_path):
    rows = [r'"he said \"apple, ripe\"",fruit', r"C:\new,\N", r'"a \\ b",c\\', "d,e\\"]
    path = write(tmp_path, "\n".join(["text,label", *rows, ""]))
    with pytest.warns(DataWarning, match="escaped with backslashes"):
        frame = to_frame(path)
    assert frame["text"].tolist() == ['he said "apple, ripe"', r"C:\new", r"a \ b", "d"]
    assert frame["label"].tolist() == ["fruit", r"\N", "c\\", "e\\"]


def test_backslashes_at_the_end_of_a_block_keep_what_they_escape():
    content = b"a" * (BLOCK - 2) + rb"\\\"b" + b"a" * (BLOCK - 4) + rb"\n"
    stream = only_quotes_escaped(io.BytesIO(content))
    assert stream.read() == content[:-2] + rb"\\n"


@pytest.mark.parametrize("size", [600_000, 10_000_000])
def test_a_cell_may_be_larger_than_a_block(tmp_path, size):
    long = "word " * (size // 5)
    frame = to_frame(write(tmp_path, f'text,label\n"{long}",fruit\nold dog,animal\n'))
    assert frame["text"].tolist() == [long, "old dog"]
