"""A user predicted a million rows, one of them without a text: the call stopped there."""

import json

import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError, DataWarning, ResumeError, RunExistsError
from clx.ml import training_run
from clx.ml.data.tables.parts import PartFolder
from clx.ml.prediction import predict_file as module

TEXTS = ["ripe apple", None, "old dog", 5, "a \ud800 cat", "", "a pear"]
BAD = {1: "the text is missing", 3: "not a string (5)", 4: "invalid Unicode"}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 2)


@pytest.fixture
def run(trained):
    return training_run(load=trained)


def write(tmp_path, texts=TEXTS, name="in.jsonl"):
    path = tmp_path / name
    rows = [json.dumps({"text": text, "id": i}) for i, text in enumerate(texts)]
    path.write_text("\n".join(rows) + "\n")
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_all_bad_rows_are_named_before_anything_is_predicted(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "prediction_row", lambda *_, **__: pytest.fail("predicted"))
    with pytest.raises(DataFormatError) as caught:
        run.predict_file(write(tmp_path), tmp_path / "out.csv")
    for row, error in BAD.items():
        assert f"{error}" in str(caught.value)
        assert f"in 1 of 7 rows: {row}" in str(caught.value)
    assert "on_error='skip'" in str(caught.value)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_skipped_rows_keep_their_place(run, tmp_path, name):
    with pytest.warns(
        DataWarning, match=r"3 rows of .*in\.jsonl were skipped.* row 1: column 'text'"
    ):
        done = run.predict_file(write(tmp_path), tmp_path / name, on_error="skip")
    if name == "out.jsonl":
        rows = pd.DataFrame(lines(done))
    else:
        rows = pd.read_csv(done) if name == "out.csv" else pd.read_parquet(done)
    assert rows["id"].tolist() == list(range(7))
    assert rows["label"].isna().tolist() == [i in BAD for i in range(7)]
    assert rows["error"].isna().tolist() == [i not in BAD for i in range(7)]
    for row, error in BAD.items():
        assert error in rows["error"][row]
    expected = run.predict_frame(pd.DataFrame({"text": ["ripe apple", "old dog", "", "a pear"]}))
    assert rows["score"].dropna().tolist() == pytest.approx(expected["score"].tolist(), abs=1e-5)


def test_a_text_that_the_tasks_own_code_fails_on_is_skipped(run, tmp_path, monkeypatch):
    original = run.prediction_row

    def failing(prediction, **how):
        row = original(prediction, **how)
        if failing.calls == 1:
            failing.calls += 1
            raise ZeroDivisionError("of the author")
        failing.calls += 1
        return row

    failing.calls = 0
    source = write(tmp_path, ["ripe apple", "old dog", "a pear"])
    monkeypatch.setattr(run, "prediction_row", failing)
    with pytest.raises(ZeroDivisionError):
        run.predict_file(source, tmp_path / "out.jsonl")
    failing.calls = 0
    # The second call fails, so the first part is predicted again, text by text.
    rows = lines(run.predict_file(source, tmp_path / "two.jsonl", on_error="skip"))
    assert [row["error"] for row in rows] == [None, None, None]


def test_texts_that_are_too_long_are_skipped_under_strict_length(tiny_model, fruit, tmp_path):
    run = training_run(
        "classification", "x", base_model_name=tiny_model, run_dir_parent=tmp_path,
        strict_length=True, training_args={"max_steps": 1},
    )  # fmt: skip
    run.train(fruit)
    source = write(tmp_path, ["ripe apple", "word " * 5000, "old dog"])
    with pytest.raises(DataFormatError):
        run.predict_file(source, tmp_path / "out.jsonl")
    rows = lines(run.predict_file(source, tmp_path / "out.jsonl", on_error="skip", overwrite=True))
    assert [row["label"] is None for row in rows] == [False, True, False]
    assert "too long" in rows[1]["error"] or "tokens" in rows[1]["error"]


def test_on_error_takes_two_words(run, tmp_path):
    with pytest.raises(ConfigError, match="'raise' or 'skip'"):
        run.predict_file(write(tmp_path), tmp_path / "out.csv", on_error="ignore")


def test_an_empty_text_of_a_csv_is_predicted(run, tmp_path):
    (tmp_path / "in.csv").write_text('text,id\nripe apple,1\n,2\n"",3\n')
    rows = pd.read_csv(run.predict_file(tmp_path / "in.csv", tmp_path / "out.csv"))
    assert rows["label"].notna().all()
    assert run.predict_frame(tmp_path / "in.csv")["label"].notna().all()
    (tmp_path / "one.csv").write_text("text\nripe apple\n\n  \n")
    assert len(pd.read_csv(run.predict_file(tmp_path / "one.csv", tmp_path / "two.csv"))) == 3


# ---- Interrupted, corrected, continued ----------------------------------------------------------------


def interrupted(run, source, target, after, monkeypatch):
    original = PartFolder.write

    def failing(self, number, fingerprint, batch):
        if number == after:
            raise KeyboardInterrupt
        original(self, number, fingerprint, batch)

    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            run.predict_file(source, target)


def test_finished_parts_are_kept_until_the_user_decides(run, tmp_path, monkeypatch):
    source, target = write(tmp_path, ["ripe apple", "old dog"] * 4), tmp_path / "out.jsonl"
    interrupted(run, source, target, 2, monkeypatch)
    with pytest.raises(RunExistsError, match=r"2 finished parts.*resume=True.*overwrite=True"):
        run.predict_file(source, target)
    assert len(list((tmp_path / ".out.jsonl.parts").glob("*.arrow"))) == 2
    assert len(lines(run.predict_file(source, target, overwrite=True))) == 8
    assert not (tmp_path / ".out.jsonl.parts").exists()


def test_a_corrected_row_costs_its_own_part_only(run, tmp_path, monkeypatch):
    texts = ["ripe apple", "old dog", "a cat", "a plum", "a pear", "one dog", "a grape", "two cats"]
    source, target = write(tmp_path, texts), tmp_path / "out.jsonl"
    interrupted(run, source, target, 3, monkeypatch)
    texts[2] = "a much longer text about a cat"
    write(tmp_path, texts)
    seen = []
    original = run.prediction_row
    monkeypatch.setattr(
        run, "prediction_row", lambda each, **how: seen.append(each) or original(each, **how)
    )
    rows = lines(run.predict_file(source, target, resume=True))
    assert len(seen) == 4
    assert [row["text"] for row in rows] == texts
    monkeypatch.undo()
    monkeypatch.setattr(module, "PART_ROWS", 2)
    assert rows == lines(run.predict_file(source, tmp_path / "afresh.jsonl"))


def test_rows_that_were_removed_are_gone_after_a_resume(run, tmp_path, monkeypatch):
    source, target = write(tmp_path, ["ripe apple", "old dog"] * 4), tmp_path / "out.jsonl"
    interrupted(run, source, target, 3, monkeypatch)
    write(tmp_path, ["ripe apple", "old dog", "a cat"])
    assert len(lines(run.predict_file(source, target, resume=True))) == 3


def test_another_prefix_or_rule_is_another_prediction(run, tmp_path, monkeypatch):
    source, target = write(tmp_path, ["ripe apple", "old dog"] * 2), tmp_path / "out.jsonl"
    interrupted(run, source, target, 1, monkeypatch)
    with pytest.raises(ResumeError, match=r"prefix changed(.|\n)*on_error changed"):
        run.predict_file(source, target, resume=True, prefix="x_", on_error="skip")


def test_a_target_that_is_a_folder_is_refused_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "prediction_row", lambda *_, **__: pytest.fail("predicted"))
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(DataFormatError, match="is a folder"):
        run.predict_file(write(tmp_path, ["a"]), tmp_path / "out.csv", overwrite=True)
