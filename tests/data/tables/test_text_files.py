"""Txt files: one text per line of a file, or one text per file of a folder, with its label."""

import gzip

import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.reading import Reading
from clx.ml.data.tables.sources import open_rows


def write(folder, **files):
    for place, content in files.items():
        path = folder / place.replace("__", "/")
        path = path.with_name(f"{path.name}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def rows_of(source, reading=None):
    rows = open_rows(source, reading or Reading())
    found = rows.table().to_pylist()
    assert found == rows.table().to_pylist()
    return found


def test_a_file_has_a_text_per_line(tmp_path):
    write(tmp_path, a='ripe apple\r\n\n "quoted, text\\"\nbare \r return\nlast')
    texts = ["ripe apple", None, ' "quoted, text\\"', "bare \r return", "last"]
    assert rows_of(tmp_path / "a.txt") == [{"text": text} for text in texts]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"x\n"))
    assert rows_of(tmp_path / "a.txt.gz") == [{"text": "x"}]


def test_a_large_file_is_read_in_batches(tmp_path):
    lines = [f"text {n}" for n in range(10_000)]
    write(tmp_path, a="\n".join(lines) + "\n")
    batches = list(open_rows(tmp_path / "a.txt").read())
    assert len(batches) > 2
    assert [text for batch in batches for text in batch["text"].to_pylist()] == lines


def test_a_folder_for_each_label(tmp_path):
    write(tmp_path, pos__1="good\nvery\n", pos__2="fine", neg__1="bad", neg__deep="ugly")
    assert rows_of(tmp_path) == [
        {"text": "bad", "label": "neg", "file": "neg/1.txt"},
        {"text": "ugly", "label": "neg", "file": "neg/deep.txt"},
        {"text": "good\nvery\n", "label": "pos", "file": "pos/1.txt"},
        {"text": "fine", "label": "pos", "file": "pos/2.txt"},
    ]
    assert open_rows(tmp_path).count == 4


def test_a_flat_folder_or_glob_has_texts_without_labels(tmp_path):
    write(tmp_path, b="two\nlines", a="")
    flat = [{"text": "", "file": "a.txt"}, {"text": "two\nlines", "file": "b.txt"}]
    assert rows_of(tmp_path) == flat
    assert rows_of(tmp_path / "*.txt") == flat
    assert rows_of(tmp_path / "b*.txt") == flat[1:]


def test_splits_are_not_mixed(tmp_path):
    write(tmp_path, train__pos__1="good", train__neg__1="bad", test__pos__1="fine")
    with pytest.raises(DataFormatError, match="the folders test, train, which are not labels"):
        open_rows(tmp_path)
    assert [row["label"] for row in rows_of(tmp_path / "train")] == ["neg", "pos"]


def test_one_level_above_the_labels(tmp_path):
    write(tmp_path, train__pos__1="good", train__neg__1="bad")
    assert [row["label"] for row in rows_of(tmp_path)] == ["neg", "pos"]


def test_files_beside_the_folders_are_left_out_and_named(tmp_path):
    write(tmp_path, urls="a list", pos__1="good", neg__1="bad")
    with pytest.warns(DataWarning, match=r"1 files.*urls\.txt"):
        assert [row["label"] for row in rows_of(tmp_path)] == ["neg", "pos"]


def test_encodings(tmp_path):
    write(
        tmp_path,
        a__bom="\ufeffcafé",
        a__wide="café".encode("utf-16"),
        b__old="Crème brûlée à la façon du chef, très légère".encode("cp1252"),
        b__older="Où est la bibliothèque ? Elle est fermée l’été".encode("cp1252"),
    )
    with pytest.warns(DataWarning, match=r"2 files.*cp1252.*old\.txt.*older\.txt") as caught:
        rows = open_rows(tmp_path)
    assert len(caught) == 1
    assert rows.table()["text"].to_pylist() == [
        "café",
        "café",
        "Crème brûlée à la façon du chef, très légère",
        "Où est la bibliothèque ? Elle est fermée l’été",
    ]
    given = open_rows(tmp_path / "b", Reading(encoding="latin-1")).table()["text"].to_pylist()
    assert given[0].startswith("Crème brûlée")
    with pytest.raises(DataFormatError, match=r"old\.txt, line 1: a byte is not valid utf-8"):
        open_rows(tmp_path / "b", Reading(encoding="utf-8"))
