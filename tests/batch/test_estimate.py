"""Estimates of predictions and trainings: what they say, and that they write nothing."""

import json
import pickle
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from clx.cli import main
from clx.errors import ConfigError, DataFormatError, NotTrainedError
from clx.ml import training_run
from clx.ml.batch import apart, estimate, measuring
from clx.ml.batch.measuring import Measured, measure
from conftest import fruit_frame


def content(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.fixture
def here(monkeypatch):
    """Measure in this process and only for a moment; a test below starts another one."""
    monkeypatch.setattr(
        estimate, "measure_apart", lambda job: measure(replace(job, seconds=0.1), 0.0)
    )


@pytest.fixture
def by_words(monkeypatch):
    """Measure with a clock on which each word, up to the limit of the model, takes a millisecond."""
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], time=lambda: now[0])
    monkeypatch.setattr(measuring, "time", clock)

    def measured(job):
        predictions = job.load()

        def rows(texts, cut):
            now[0] += 1e-3 * sum(min(64, len(text.split()) + 2) for text in texts)
            return predictions.rows(texts, cut)

        return measure(replace(job, load=lambda: replace(predictions, rows=rows), seconds=0.1), 0.0)

    monkeypatch.setattr(estimate, "measure_apart", measured)


def test_a_process_of_its_own_measures_time_and_memory_and_nothing_is_written(
    trained, tmp_path, capfd
):
    fruit_frame(300).to_parquet(tmp_path / "rows.parquet")
    before = content(tmp_path)
    assert main(["estimate", str(trained), str(tmp_path / "rows.parquet"), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert content(tmp_path) == before
    assert (found["rows"], found["counted"], found["rows_error"]) == (300, "parquet footers", 0)
    (torch,) = found["backends"]
    assert torch["backend"] == "torch"
    assert torch["problem"] is None
    assert 0 < torch["low"] < torch["high"] < 60
    assert torch["start"] > 0.5
    assert 100e6 < torch["memory"] < 3e9
    # A label, its score, the margin and the truncation; the texts are in the output too.
    assert 300 * 5 < found["output"] < 300 * 100


def test_time_follows_from_the_tokens_and_not_from_the_rows(trained, tmp_path, by_words):
    run = training_run(load=trained)
    short, long = ["cat"] * 2000, ["the cat is a dog and " * 9] * 2000
    frames = [
        pd.DataFrame({"text": [f"{text} {number}" for number, text in enumerate(some)]})
        for some in (short, long)
    ]
    found = [run.estimate(frame) for frame in frames]
    assert [each.rows for each in found] == [2000, 2000]
    assert found[1].backend("torch").middle > 2 * found[0].backend("torch").middle
    assert found[0].output is None
    assert found[1].tokens.limit == 64


def test_repeated_texts_are_not_counted_twice(trained, by_words):
    run = training_run(load=trained)
    found = run.estimate(pd.DataFrame({"text": ["cat", "dog"] * 500}))
    assert found.tokens.repeated == pytest.approx(0.998)
    # A row has 3 words with the special tokens, and 2 of 1,000 rows are computed.
    assert found.backend("torch").rows_per_second == pytest.approx(1 / (3e-3 * 0.002), rel=0.1)


def test_shards_are_whole_parts(trained, tmp_path, here):
    fruit_frame(10_000).to_parquet(tmp_path / "rows.parquet")
    found = training_run(load=trained).estimate(tmp_path / "rows.parquet", shards=4, part_rows=4096)
    assert vars(found.shards) == {"count": 4, "parts": 3, "rows": 4096, "idle": 1}
    torch = found.backend("torch")
    assert torch.shard[1] == pytest.approx(torch.high * found.shards.rows / 10_000)
    assert "longest shard" in str(found)
    assert "<table>" in found._repr_html_()


def test_mistakes_are_named(trained, tmp_path):
    run = training_run(load=trained)
    (tmp_path / "empty.csv").write_text("text\n")
    (tmp_path / "other.csv").write_text("body\nhello\n")
    with pytest.raises(DataFormatError, match="no rows"):
        run.estimate(tmp_path / "empty.csv")
    with pytest.raises(DataFormatError, match="'text'"):
        run.estimate(tmp_path / "other.csv")
    with pytest.raises(ConfigError, match="shards must be a whole number of at least 1"):
        run.estimate(tmp_path / "other.csv", shards=0)
    with pytest.raises(NotTrainedError):
        training_run("classification", "new").estimate(tmp_path / "other.csv")


def test_a_backend_that_cannot_be_measured_says_why(trained, monkeypatch):
    killed = Measured(problem="the process was killed, probably for lack of memory")
    monkeypatch.setattr(estimate, "measure_apart", lambda job: killed)
    found = training_run(load=trained).estimate(pd.DataFrame({"text": ["cat"]}))
    assert found.backend("torch").low is None
    assert "lack of memory" in str(found)
    assert "lack of memory" in json.dumps(found.to_dict())


def test_a_process_that_ends_or_cannot_open_the_run(monkeypatch):
    class Done:
        returncode, stderr, stdout = -9, b"", b""

    monkeypatch.setattr(apart.subprocess, "run", lambda *args, **kwargs: Done)
    assert "killed" in apart.measure_apart(None).problem
    Done.returncode, Done.stderr = 1, b"Traceback\nValueError: no"
    assert apart.measure_apart(None).problem == "the process failed: ValueError: no"
    Done.returncode, Done.stdout = 0, pickle.dumps(("measure", "OSError: gone"))
    assert apart.measure_apart(None).problem == "OSError: gone"
    monkeypatch.setattr(apart, "measure", lambda job, since: "measured here")
    Done.stdout = pickle.dumps(("open", "no module notebook"))
    assert apart.measure_apart(None) == "measured here"


@pytest.fixture
def untrained(tiny_model):
    return training_run(
        "classification",
        "planned",
        base_model_name=tiny_model,
        training_args={"num_train_epochs": 4, "disable_tqdm": True},
    )


@pytest.fixture
def quick(monkeypatch):
    from clx.ml.batch import rehearsal

    monkeypatch.setattr(rehearsal, "SECONDS", 0.05)


def test_a_training_is_planned_as_train_plans_it(untrained, quick, own_data_dir):
    found = untrained.estimate_training(fruit_frame(80), 0.25, folds=3)
    names = ["prepare", "probe", "fine-tuning", "evaluations", "publish", "cross-validation"]
    assert [stage.name for stage in found.stages] == names
    assert found.rows == {"train": 60, "eval": 20}
    assert (found.steps, found.batch_size, found.epochs) == (16, 16, 4)
    assert found.low == pytest.approx(sum(stage.low for stage in found.stages))
    assert all(0 <= stage.low <= stage.high for stage in found.stages)
    assert not untrained.is_trained
    assert not any(own_data_dir.rglob("*"))
    assert "cross-validation" in str(found)
    result = untrained.train(fruit_frame(80), 0.25)
    assert result.steps <= found.steps + 1  # texts that describe the labels are rows too


def test_a_time_budget_limits_the_steps(untrained, quick):
    found = untrained.estimate_training(fruit_frame(80), time_budget="2.2s")
    assert found.steps < 20
    assert found.high <= 2.2
    assert found.evaluations == 0


def test_without_fine_tuning_there_are_no_steps(untrained, quick):
    found = untrained.estimate_training(fruit_frame(80), 0.25, fine_tune=False)
    assert [stage.name for stage in found.stages] == ["prepare", "probe", "evaluations", "publish"]
    assert found.steps == 0


def test_dry_runs_on_the_command_line(
    trained, tiny_model, tmp_path, capfd, here, quick, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    fruit_frame(80).to_csv("rows.csv", index=False)
    before = content(tmp_path)
    assert main(["predict", str(trained), "rows.csv", "-o", "out.csv", "--dry-run"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "rows\t80 (counted)"
    assert lines[-1].startswith("torch\t")
    train = ["train", "classification", "new", "rows.csv", "--base-model", str(tiny_model)]
    assert main([*train, "--dry-run", "--set", "training_args.max_steps=3"]) == 0
    assert "steps\t3 of 16 rows" in capfd.readouterr().out
    assert main([*train, "--dry-run", "--resume"]) == 2
    assert "--dry-run cannot be combined" in capfd.readouterr().err
    assert main(["predict", str(trained), "a text", "--dry-run"]) == 2
    assert "--dry-run requires rows of data" in capfd.readouterr().err
    assert content(tmp_path) == before
