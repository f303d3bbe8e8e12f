"""Single files: what cannot be read is an error or empty, and a weight header is never trusted."""

import json
import os

import pytest

from clx.errors import RunDirError
from clx.ml.run_directory.files import json_text, write_json
from clx.ml.run_directory.safe_weights import weight_shapes
from clx_runtime.files import read_json, read_json_or_empty

UNREADABLE = {
    "missing": None,
    "empty": b"",
    "half": b'{"a": ',
    "list": b"[1]",
    "nested": b"[" * 100_000,
    "latin": '{"a": "é"}'.encode("latin-1"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_a_json_object_is_an_error_or_empty(tmp_path, name):
    path = tmp_path / "x.json"
    if UNREADABLE[name] is not None:
        path.write_bytes(UNREADABLE[name])
    with pytest.raises(RunDirError, match=str(path)):
        read_json(path)
    assert read_json_or_empty(path) == {}


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunDirError, match="not a regular file"):
        read_json(tmp_path / "pipe")


def test_a_file_above_the_limit_is_not_read(tmp_path):
    write_json(tmp_path / "x.json", {"a": "b" * 100})
    assert read_json(tmp_path / "x.json")["a"] == "b" * 100
    with pytest.raises(RunDirError, match="more than the limit of 50"):
        read_json(tmp_path / "x.json", limit=50)


def test_a_value_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": "é"})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json_or_empty(path) == {"a": "é"}
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_an_error_about_weights_shows_no_control_characters_of_the_file(tmp_path):
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}
    header = json.dumps({"evil\x1b[31m" + "x" * 5000: tensor}, ensure_ascii=False).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(12)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(RunDirError, match="invalid offset") as caught:
        weight_shapes(tmp_path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "value",
    [{}, [], "text", 0.1, {"a": {}, "b": None, "c": "ü\n", "d": ["x", {"e": True}, ["y"]], 1: 2}],
)
def test_json_is_indented_as_by_the_library(value):
    assert json_text(value) == json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def test_a_list_of_numbers_takes_one_line():
    assert json_text({"cells": [[1, 2.5, None], (4, True, 6)]}) == (
        '{\n  "cells": [\n    [1, 2.5, null],\n    [4, true, 6]\n  ]\n}\n'
    )
