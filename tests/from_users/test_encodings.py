"""A user's csv came from Excel in cp1252: the error named a byte, but neither the row nor a remedy."""

import codecs
import gzip
import warnings

import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml.data import to_frame
from clx.ml.data.reading import Reading
from clx.ml.data.tables.sources import open_rows

ROWS = "text,label\nGrüße aus Köln,x\nça va très bien,y\nmañana será otro día,x\n"
JSON = '{"text": "Grüße aus Köln"}\n{"text": "ça va très bien"}\n'


def write(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_an_encoding_is_detected_and_said_once(tmp_path):
    with pytest.warns(
        DataWarning, match=r"a\.csv is not UTF-8 \(line 2\).*encoding='cp1252'"
    ) as said:
        frame = to_frame(write(tmp_path, ROWS.encode("cp1252")))
    assert len(said) == 1
    assert frame["text"].tolist() == [line.split(",")[0] for line in ROWS.splitlines()[1:]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(("name", "content"), [("a.csv", ROWS), ("a.jsonl", JSON)])
def test_a_byte_order_mark_says_the_encoding(tmp_path, encoding, name, content):
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = to_frame(write(tmp_path, mark + content.encode(encoding), name))
    assert frame["text"].tolist()[:2] == ["Grüße aus Köln", "ça va très bien"]


def test_the_callers_word_counts(tmp_path):
    path = write(tmp_path, "text,label\nПривет,x\n".encode("koi8-r"))
    rows = open_rows(path, Reading(encoding="koi8-r"))
    assert rows.table().to_pylist() == [{"text": "Привет", "label": "x"}]
    with pytest.raises(DataFormatError, match="line 2: a byte is not valid utf-8"):
        open_rows(path, Reading(encoding="utf-8"))


@pytest.mark.parametrize("compressed", [False, True])
def test_one_damaged_row_of_a_utf8_file_is_named(tmp_path, compressed):
    content = ROWS.encode() + b"caf\xe9,x\n" + ROWS.encode()
    path = write(tmp_path, content)
    if compressed:
        path = write(tmp_path, gzip.compress(content), "a.csv.gz")
    with pytest.raises(DataFormatError, match=r"line 5: a byte is not valid utf-8"):
        to_frame(path)


def test_a_file_cut_within_a_character_is_named(tmp_path):
    with pytest.raises(DataFormatError, match="line 2: a byte is not valid utf-8"):
        to_frame(write(tmp_path, "text,label\nça,é".encode()[:-1]))


@pytest.mark.parametrize(
    "text", ["äpple", "Müller", "café au lait", "straße", "niño", "ação", "It’s good", "Æble rød"]
)
def test_a_few_letters_with_accents_are_not_chinese(tmp_path, text):
    # Big5 would also take the letter behind the accent, or a separator, into its character.
    path = tmp_path / "a.csv"
    path.write_bytes(f"text,label\n{text},fruit\nold dog,animal\n".encode("cp1252"))
    with pytest.warns(DataWarning, match="read as cp1252"):
        frame = to_frame(path)
    assert frame["text"].tolist() == [text, "old dog"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("這部電影非常精彩，值得一看。手機收到了，包裝完整，很滿意", "big5"),
        ("これは日本語のテキストです。", "cp932"),
        ("Привет, как дела? Сегодня хорошая погода", "cp1251"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy. Včera večer jsme šli domů.", "cp1250"),
    ],
)
def test_other_scripts_and_alphabets_are_still_detected(tmp_path, text, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(f"text,label\n{text},fruit\n".encode(encoding).replace(b", ", b" "))
    with pytest.warns(DataWarning, match=f"read as {encoding}"):
        assert to_frame(path)["text"].tolist() == [text.replace(", ", " ")]


@pytest.mark.parametrize("text", ["5 – 7", "10 £ only", "niño", "café"])
def test_a_few_bytes_of_cp1252_are_enough(tmp_path, text):
    with pytest.warns(DataWarning, match="cp1252"):
        frame = to_frame(write(tmp_path, f"text,label\n{text},x\n".encode("cp1252")))
    assert frame["text"].tolist() == [text]
