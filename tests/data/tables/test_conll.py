"""CoNLL files: columns, separators, sentences, comments, encodings, and lines that are not valid."""

import gzip

import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.reading import Reading
from clx.ml.data.tables.sources import open_rows

ADA = {
    "text": "Ada lives in New York",
    "words": ["Ada", "lives", "in", "New", "York"],
    "tags": ["B-person", "O", "O", "B-place", "I-place"],
}
RAIN = {"text": "it rained", "words": ["it", "rained"], "tags": ["O", "O"]}
LINES = [
    *(f"{word} {tag}" for word, tag in zip(ADA["words"], ADA["tags"], strict=True)),
    "",
    *(f"{word} {tag}" for word, tag in zip(RAIN["words"], RAIN["tags"], strict=True)),
]


def rows_of(path, content, reading=None):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = open_rows(path, reading or Reading())
    found = rows.table().to_pylist()
    assert found == rows.table().to_pylist()
    return found


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(LINES),
        "\r\n".join([*LINES, "", ""]),
        "\n\n" + "\n".join(LINES).replace(" ", "\t") + "\n \n\n",
        "\n".join(LINES).replace(" ", " NNP  I-NP "),
        "-DOCSTART- O\n\n" + "\n".join(LINES) + "\n-DOCSTART- O\n",
        "# id 7\tdomain=en\n" + "\n".join(LINES).replace("\nit ", "\n# text = it rained\nit "),
        # Comments whose last word looks like a tag.
        "# text = I saw O\n# sent_id = S-12\n"
        + "\n".join(LINES).replace("\nit ", "\n# newdoc id B-3\nit "),
    ],
)
def test_a_sentence_is_a_row(tmp_path, content):
    assert rows_of(tmp_path / "a.conll", content) == [ADA, RAIN]


@pytest.mark.parametrize("name", ["a.iob", "a.iob2", "A.BIO"])
def test_other_suffixes(tmp_path, name):
    assert rows_of(tmp_path / name, "\n".join(LINES)) == [ADA, RAIN]


def test_compressed_files_encodings_and_folders(tmp_path):
    line = "Zoë B-person\n\nmañana O\n"
    expected = ["Zoë", "mañana"]
    (tmp_path / "a.conll.gz").write_bytes(gzip.compress(line.encode("utf-8-sig")))
    assert [
        row["text"] for row in open_rows(tmp_path / "a.conll.gz").table().to_pylist()
    ] == expected
    with pytest.warns(DataWarning, match="encoding="):
        found = rows_of(tmp_path / "b.conll", line.encode("cp1252"))
    assert [row["text"] for row in found] == expected
    latin = Reading(encoding="cp1252")
    assert rows_of(tmp_path / "b.conll", line.encode("cp1252"), latin) == found
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("1.conll", "2.conll"):
        rows_of(folder / name, "\n".join(LINES))
    assert open_rows(folder).table().to_pylist() == [ADA, RAIN] * 2


def test_words_that_look_like_something_else(tmp_path):
    found = rows_of(tmp_path / "a.conll", "1 000\tO\n#\tO\n-\tO\n\n# O\nO O\n")
    assert [row["words"] for row in found] == [["1 000", "#", "-"], ["#", "O"]]


def test_many_sentences_are_read_in_batches(tmp_path):
    (tmp_path / "a.conll").write_text("a O\n\n" * 10_000)
    batches = list(open_rows(tmp_path / "a.conll").read())
    assert len(batches) > 2
    assert sum(batch.num_rows for batch in batches) == 10_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Ada B-person\nlives V O\n", r"line 2 has 3 columns, and line 1 has 2: 'lives V O'"),
        ("Ada B-person\n\nlives\n", "line 3 has no tag: 'lives'"),
        ("Ada M-person\n", "line 1 ends with 'M-person', which is not a tag of BIO"),
        ("Ada person\n", "line 1 ends with 'person'"),
        ("Ada B-\n", "line 1 ends with 'B-'"),
        ("\tO\n", "line 1 has no word before the tag 'O'"),
    ],
)
def test_lines_that_are_not_valid(tmp_path, content, message):
    with pytest.raises(DataFormatError, match=message) as caught:
        rows_of(tmp_path / "a.conll", content)
    assert "a.conll is not a valid CoNLL file" in str(caught.value)
    assert "such as 'Paris B-place'" in str(caught.value)


def test_the_first_problems_are_listed_together(tmp_path):
    with pytest.raises(DataFormatError) as caught:
        rows_of(tmp_path / "a.conll", "Ada X\n" * 100)
    assert str(caught.value).count("which is not a tag") == 5
