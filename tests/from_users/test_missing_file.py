"""A user ran clx predict RUN train.xlsx without such a file: clx classified the file name."""

import re
import subprocess
import sys

import pytest

from clx.cli.sources import source_of
from clx.errors import DataFormatError


def predict(trained, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "clx", "predict", str(trained), *arguments],
        capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip


FILES = ["train.xlsx", "train.csv", "data/train", "./x", "no.such.file.parquet", "a.b", "3.5"]
TEXTS = ["apple", "is it over?", "see train.xlsx", "an apple.", "Mr.", "...", "a.toolongending"]


@pytest.mark.parametrize("word", FILES)
def test_what_reads_like_a_file_must_be_one(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFormatError, match=re.escape(f"There is no file {word!r}")) as error:
        source_of([word])
    assert "--text" in str(error.value)
    assert source_of([word], as_texts=True).texts == (word,)


def test_a_folder_means_its_files_and_not_its_name(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFormatError, match="There is no data at 'texts'"):
        source_of(["texts"])
    (tmp_path / "texts" / "a.csv").write_text("text\napple\n\n")
    (tmp_path / "texts" / "b.tsv").write_text("text\ndog\n")
    for folder in ("texts", "texts/*", str(tmp_path / "texts")):
        assert list(source_of([folder]).read(["text"])) == ["apple", "", "dog"]


def test_nothing_is_printed_and_the_status_is_2(trained, tmp_path):
    done = predict(trained, "train.xlsx", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""


@pytest.mark.slow
def test_with_text_it_is_one(trained, tmp_path):
    done = predict(trained, "--text", "train.xlsx", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("train.xlsx\t")


@pytest.mark.parametrize("text", TEXTS)
def test_other_words_are_texts(text):
    assert source_of([text]).texts == (text,)
