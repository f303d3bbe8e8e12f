"""predict_file: formats, order, completeness, resuming."""

import json

import pandas as pd
import pytest

from clx.errors import (
    DataFormatError,
    DiskFullError,
    ResumeError,
    RunBusyError,
    RunExistsError,
)
from clx.ml import training_run
from clx.ml.data.tables.parts import PartFolder
from clx.ml.prediction import predict_file as module
from clx.ml.run_directory.lock import only_writer_of_file
from conftest import fruit_frame


@pytest.fixture
def run(trained):
    return training_run(load=trained)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 7)


def frame():
    return fruit_frame(20).assign(number=range(20), note=[None, "x"] * 10)


def write(data, path):
    kind = path.suffix
    if kind == ".parquet":
        data.to_parquet(path)
    elif kind == ".jsonl":
        data.to_json(path, orient="records", lines=True)
    else:
        data.to_csv(path, index=False, sep="\t" if kind == ".tsv" else ",")
    return path


def read(path):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")


@pytest.mark.parametrize("source", ["in.csv", "in.tsv", "in.jsonl", "in.parquet"])
@pytest.mark.parametrize("target", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
def test_every_format_into_every_format(run, tmp_path, source, target):
    data = frame()
    path = run.predict_file(write(data, tmp_path / source), tmp_path / target)
    result = read(path)
    assert list(result.columns) == [
        "text", "label", "number", "note", "predicted_label", "score", "margin", "abstained",
        "truncated",
    ]  # fmt: skip
    assert list(result["text"]) == list(data["text"])
    assert [int(n) for n in result["number"]] == list(range(20))
    assert list(result["predicted_label"]) == list(run.predict_frame(data)["label"])
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == [target]


def test_columns_choose_what_is_carried(run, tmp_path):
    source = write(frame(), tmp_path / "in.csv")
    result = read(run.predict_file(source, tmp_path / "out.csv", columns=["number"]))
    assert list(result.columns) == ["number", "label", "score", "margin", "abstained", "truncated"]
    with pytest.raises(DataFormatError, match="did you mean 'number'"):
        run.predict_file(source, tmp_path / "other.csv", columns=["nunber"])


def test_cells_that_look_missing_or_numeric_stay_what_they_are(run, tmp_path):
    (tmp_path / "in.csv").write_text("text,id\nNA,007\nnull,1e5\n", encoding="utf-8")
    result = run.predict_file(tmp_path / "in.csv", tmp_path / "out.csv")
    assert [line.split(",")[:2] for line in result.read_text().splitlines()[1:]] == [
        ['"NA"', '"007"'],
        ['"null"', '"1e5"'],
    ]


def test_existing_target_is_an_error_unless_overwrite(run, tmp_path):
    source, target = write(frame(), tmp_path / "in.csv"), tmp_path / "out.csv"
    target.write_text("mine")
    with pytest.raises(RunExistsError, match="overwrite=True"):
        run.predict_file(source, target)
    assert target.read_text() == "mine"
    run.predict_file(source, target, overwrite=True)
    assert len(read(target)) == 20
    with pytest.raises(DataFormatError, match="both the source and the target"):
        run.predict_file(source, source, overwrite=True)


def test_wrong_rows_are_named_by_their_place_in_the_file(run, tmp_path):
    data = frame()
    data.loc[15, "text"] = None
    with pytest.raises(DataFormatError, match="missing in 1 of 20 rows: 15"):
        run.predict_file(write(data, tmp_path / "in.parquet"), tmp_path / "out.csv")
    assert [path.name for path in tmp_path.glob("*out.csv*") if "lock" not in path.name] == []


def test_interrupted_prediction_is_resumed_without_doing_rows_twice(run, tmp_path, monkeypatch):
    source, target = write(frame(), tmp_path / "in.csv"), tmp_path / "out.jsonl"
    whole = run.predict_file(source, tmp_path / "whole.jsonl").read_text()
    interrupt_at_part(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run.predict_file(source, target)
    assert not target.exists()
    monkeypatch.undo()
    monkeypatch.setattr(module, "PART_ROWS", 7)

    predicted = []
    original_row = run.prediction_row
    monkeypatch.setattr(
        run,
        "prediction_row",
        lambda prediction, **how: predicted.append(prediction) or original_row(prediction, **how),
    )
    run.predict_file(source, target, resume=True)
    assert target.read_text() == whole
    assert len(predicted) == 20 - 2 * 7


def interrupt_at_part(number, monkeypatch):
    original = PartFolder.write

    def failing(self, part, fingerprint, batch):
        if part == number:
            raise KeyboardInterrupt
        original(self, part, fingerprint, batch)

    monkeypatch.setattr(PartFolder, "write", failing)


def test_resume_refuses_another_source_or_run(run, trained, fruit, tmp_path, monkeypatch):
    source, target = write(frame(), tmp_path / "in.csv"), tmp_path / "out.csv"
    other = write(frame(), tmp_path / "other.csv")
    interrupt_at_part(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run.predict_file(source, target)
    with pytest.raises(ResumeError, match="source changed"):
        run.predict_file(other, target, resume=True)
    with pytest.raises(ResumeError, match="min_score changed"):
        run.predict_file(source, target, resume=True, min_score=0.5)


def test_sources_that_cannot_be_read(run, tmp_path):
    with pytest.raises(DataFormatError, match="no data at"):
        run.predict_file(tmp_path / "none.csv", tmp_path / "out.csv")
    (tmp_path / "in.docx").write_text("x")
    with pytest.raises(DataFormatError, match=r"\.docx"):
        run.predict_file(tmp_path / "in.docx", tmp_path / "out.csv")
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n[1]\n')
    with pytest.raises(DataFormatError, match="line 2"):
        run.predict_file(tmp_path / "in.jsonl", tmp_path / "out.csv")


def test_a_file_without_rows_gives_a_file_without_rows(run, tmp_path):
    (tmp_path / "in.csv").write_text("text,id\n")
    result = run.predict_file(tmp_path / "in.csv", tmp_path / "out.csv")
    assert result.read_text().replace('"', "").startswith("text,id")


def test_values_that_json_lacks_are_null_and_odd_headings_stay_whole(run, tmp_path):
    data = frame().head(9)
    data["when"] = [pd.NaT, pd.Timestamp("2026-01-02")] + [pd.NaT] * 7
    data["ratio"] = [float("inf"), float("nan"), 0.5] + [1.0] * 6
    data["two\nlines"] = [["a", None]] * 9
    source = write(data, tmp_path / "in.parquet")
    lines = run.predict_file(source, tmp_path / "out.jsonl").read_text().splitlines()
    first, second = json.loads(lines[0]), json.loads(lines[1])
    assert (first["when"], first["ratio"], second["ratio"]) == (None, None, None)
    assert second["when"].startswith("2026-01-02")
    assert first["two\nlines"] == ["a", None]
    table = pd.read_csv(run.predict_file(source, tmp_path / "out.csv"))
    assert len(table) == 9
    assert "two\nlines" in table.columns


def test_broken_off_when_all_was_done_is_noticed_by_resume(run, tmp_path, monkeypatch):
    source, target = write(frame(), tmp_path / "in.csv"), tmp_path / "out.csv"

    def killed(self):
        raise KeyboardInterrupt

    target.write_text("of before")
    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            run.predict_file(source, target, overwrite=True)
    done = target.read_text()
    assert done != "of before"
    assert run.predict_file(source, target, resume=True).read_text() == done
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out.csv"]
    with pytest.raises(RunExistsError):
        run.predict_file(source, target, resume=True)


def test_two_writers_of_one_target(run, tmp_path):
    source, target = write(frame(), tmp_path / "in.csv"), tmp_path / "out.csv"
    with (
        only_writer_of_file(target),
        pytest.raises(RunBusyError, match=r"out\.csv is being written"),
    ):
        run.predict_file(source, target)
    assert len(read(run.predict_file(source, target))) == 20


def test_a_full_disk_is_named_and_nothing_appears(run, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    source, target = write(frame(), tmp_path / "in.csv"), tmp_path / "out.csv"
    for owner, step in ((PartFolder, "write"), (module, "write_rows")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, full)
            with pytest.raises(DiskFullError, match=f"The disk of {tmp_path} is full"):
                run.predict_file(source, target)
        assert not target.exists()
    assert len(read(run.predict_file(source, target, resume=True))) == 20
