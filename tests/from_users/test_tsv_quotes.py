"""A user trained on a tsv whose texts begin with a quote: one row in twenty silently vanished."""

import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.data import to_frame


def write(tmp_path, content):
    path = tmp_path / "a.tsv"
    path.write_text(content, encoding="utf-8")
    return path


PLAIN = 'text\tlabel\n"Old dog\tanimal\nripe apple\tfruit\n"New cat\tanimal\n""red"" pear"\tfruit\n'


def test_a_quote_is_part_of_the_text(tmp_path):
    frame = to_frame(write(tmp_path, PLAIN))
    assert frame["text"].tolist() == ['"Old dog', "ripe apple", '"New cat', '""red"" pear"']
    assert frame["label"].tolist() == ["animal", "fruit", "animal", "fruit"]


def test_such_rows_survive_predict_file_from_and_to_tsv(trained, tmp_path):
    run = training_run(load=trained)
    first = run.predict_file(write(tmp_path, PLAIN), tmp_path / "b.tsv")
    heading = first.read_text().splitlines()[0]
    assert heading.startswith('"text"\t"label"\t"predicted_label"')
    again = run.predict_file(first, tmp_path / "c.tsv", columns=["text", "label"], prefix="x_")
    for path in (first, again):
        assert to_frame(path)["text"].tolist() == to_frame(write(tmp_path, PLAIN))["text"].tolist()


def test_a_quoted_heading_means_quoted_cells(tmp_path):
    frame = to_frame(write(tmp_path, '"text"\t"label"\n"an ""old""\tdog"\t"animal"\nx\tfruit\n'))
    assert frame["text"].tolist() == ['an "old"\tdog', "x"]


def test_quoting_is_tried_where_the_fields_do_not_fit(tmp_path):
    frame = to_frame(write(tmp_path, 'text\tlabel\n"two\nlines"\tanimal\n"a\tb"\tfruit\n'))
    assert frame["text"].tolist() == ["two\nlines", "a\tb"]


def test_a_file_that_fits_neither_way_is_an_error_with_the_line(tmp_path):
    with pytest.raises(DataFormatError, match=r"a\.tsv, line 3: 3 fields"):
        to_frame(write(tmp_path, 'text\tlabel\n"Old dog\tanimal\na\tb\tfruit\n'))
