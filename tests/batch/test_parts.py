"""Predictions in parts: equal to a file's, complete or absent, joined in order, changes named."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cli_helpers import Cli
from clx.batch import join_parts, parts_status, predict_parts
from clx.errors import (
    ConfigError,
    DataFormatError,
    DataWarning,
    ResumeError,
    RunExistsError,
    RunNotFoundError,
    UnfinishedError,
)
from clx.ml import training_run
from clx.ml.batch.place import place_at

ROWS = 700
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")


@pytest.fixture(scope="module")
def run(_trained_once):
    return training_run(load=_trained_once)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a csv file of odd texts, a jsonl file and a parquet file."""
    folder = tmp_path_factory.mktemp("texts")
    words, rng = "apple cat pear dog and the big red".split(), random.Random(0)
    rows = [
        {"id": number, "text": " ".join(rng.choices(words, k=rng.randint(1, 9)))}
        for number in range(ROWS)
    ]
    for number in range(0, ROWS, 11):
        rows[number]["text"] += '\n"quoted", and more'
    with open(folder / "a.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text"])
        writer.writeheader()
        writer.writerows(rows[:300])
    lines = [json.dumps({**row, "id": str(row["id"])}) for row in rows[300:450]]
    (folder / "b.jsonl").write_text("\n".join(lines))
    frame = pd.DataFrame(rows[450:]).astype({"id": str})
    frame.to_parquet(folder / "c.parquet", row_group_size=64)
    return folder


@pytest.fixture(scope="module")
def expected(run, data, tmp_path_factory):
    whole = tmp_path_factory.mktemp("whole") / "all.parquet"
    return pd.read_parquet(run.predict_file(data, whole, on_error="skip"))


def same(found, expected):
    numbers = ["score", "margin"]
    pd.testing.assert_frame_equal(found.drop(columns=numbers), expected.drop(columns=numbers))
    np.testing.assert_allclose(found[numbers], expected[numbers], atol=1e-5)


@pytest.mark.parametrize("part_rows", [64, 1000])
@pytest.mark.parametrize("order", [[1, 2, 3], [3, 1, 2]], ids=str)
def test_shards_in_any_order_give_what_a_file_gives(
    run, data, expected, tmp_path, part_rows, order
):
    for number in order:
        left = parts_status(tmp_path / "out").parts if number != order[0] else None
        status = predict_parts(run, data, tmp_path / "out", f"{number}/3", part_rows=part_rows)
        assert left in (None, status.parts)
    assert status.is_complete
    assert (status.rows_done, status.errors, status.failed) == (ROWS, 0, [])
    written = join_parts(tmp_path / "out", tmp_path / "joined.parquet")
    same(pd.read_parquet(written), expected)
    files = list((tmp_path / "out" / "parts").iterdir())
    assert len(files) == status.parts
    assert all(pq.read_metadata(file).num_rows <= part_rows for file in files)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_joined_file_is_the_file_of_predict_file(run, data, tmp_path, suffix):
    predict_parts(run, data / "c.parquet", tmp_path / "out", part_rows=64, all_scores=True)
    joined = join_parts(tmp_path / "out", tmp_path / f"joined.{suffix}")
    options = {"all_scores": True, "on_error": "skip"}
    whole = run.predict_file(data / "c.parquet", tmp_path / f"whole.{suffix}", **options)
    read = {"csv": pd.read_csv, "jsonl": lambda p: pd.read_json(p, lines=True)}
    frames = [read.get(suffix, pd.read_parquet)(path) for path in (joined, whole)]
    same(*frames)


def test_a_finished_prediction_reads_nothing_again(run, data, tmp_path, monkeypatch):
    predict_parts(run, data, tmp_path / "out", part_rows=100)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    monkeypatch.setattr("clx.ml.batch.inputs.Input.rows", lambda *_: pytest.fail("read"))
    assert predict_parts(run, data, tmp_path / "out", part_rows=100).is_complete
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_what_is_missing_is_made_and_nothing_else(run, data, expected, tmp_path):
    predict_parts(run, data, tmp_path / "out", part_rows=100)
    done = sorted((tmp_path / "out" / "done").iterdir())
    done[0].unlink()
    sorted((tmp_path / "out" / "parts").iterdir())[-1].unlink()
    assert parts_status(tmp_path / "out").done == len(done) - 2
    with pytest.raises(UnfinishedError, match=f"2 of {len(done)} parts .* are missing"):
        join_parts(tmp_path / "out", tmp_path / "joined.csv")
    assert not (tmp_path / "joined.csv").exists()
    assert predict_parts(run, data, tmp_path / "out", part_rows=100).is_complete
    same(pd.read_parquet(join_parts(tmp_path / "out", tmp_path / "j.parquet")), expected)


def test_a_part_that_was_cut_is_named(run, data, tmp_path):
    predict_parts(run, data / "c.parquet", tmp_path / "out", part_rows=100)
    part = sorted((tmp_path / "out" / "parts").iterdir())[1]
    part.write_bytes(part.read_bytes()[:-9])
    status = parts_status(tmp_path / "out")
    assert (status.done, status.parts) == (2, 3)
    with pytest.raises(UnfinishedError, match="rows 100 to 199"):
        join_parts(tmp_path / "out", tmp_path / "joined.parquet")


# ---- Another prediction into the same folder -----------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min_score": 0.9}, "min_score was None and is 0.9"),
        ({"all_scores": True}, "all_scores was False and is True"),
        ({"part_rows": 50}, "part_rows was 100 and is 50"),
        ({"columns": ["id"]}, r"columns was None and is \['id'\]"),
    ],
    ids=str,
)
def test_other_options_are_refused_unless_told_to_overwrite(run, data, tmp_path, options, told):
    out, source = tmp_path / "out", data / "c.parquet"
    predict_parts(run, source, out, part_rows=100)
    options = {"part_rows": 100, **options}
    with pytest.raises(ResumeError, match=told):
        predict_parts(run, source, out, **options)
    assert parts_status(out).is_complete
    assert predict_parts(run, source, out, **options, overwrite=True).is_complete
    assert len(list((out / "parts").iterdir())) == parts_status(out).parts


def test_a_run_that_was_trained_again_is_refused(trained, data, tmp_path):
    predict_parts(trained, data / "c.parquet", tmp_path / "out")
    run = training_run(load=trained)
    run.set_decisions(min_score=0.7)
    with pytest.raises(ResumeError, match="the run was trained again, or is a different run"):
        predict_parts(trained, data / "c.parquet", tmp_path / "out")


def test_a_changed_file_is_named_and_the_parts_of_the_others_stay(run, data, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.csv", "b.jsonl"):
        (folder / name).write_bytes((data / name).read_bytes())
    predict_parts(run, folder, out, part_rows=100)
    with open(folder / "b.jsonl", "a") as file:
        file.write('\n{"id": "new", "text": "apple"}')
    (folder / "c.csv").write_text("id,text\nx,cat\n")
    with pytest.raises(ResumeError, match=r"(?s)that changed: .*b\.jsonl.*that are new: .*c\.csv"):
        predict_parts(run, folder, out, part_rows=100)
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    assert predict_parts(run, folder, out, part_rows=100, overwrite=True).rows == 452
    now = {path.name: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    same_parts = [name for name in kept if now.get(name) == kept[name]]
    assert len(same_parts) == 3
    assert len(pd.read_csv(join_parts(out, tmp_path / "joined.csv"))) == 452


def test_a_file_that_changes_during_the_prediction_fails_its_parts_only(
    run, data, tmp_path, monkeypatch
):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.csv", "b.jsonl"):
        (folder / name).write_bytes((data / name).read_bytes())
    from clx.ml.batch import parts

    original = parts.begin_job

    def begun(*arguments):
        job = original(*arguments)
        (folder / "b.jsonl").write_text('{"id": "0", "text": "cat"}')
        return job

    monkeypatch.setattr(parts, "begin_job", begun)
    with pytest.raises(
        UnfinishedError, match=r"(?s)1 of 2 parts .*b\.jsonl changed after the prediction"
    ):
        predict_parts(run, folder, tmp_path / "out")
    status = parts_status(tmp_path / "out")
    assert (status.done, len(status.failed)) == (1, 1)


def test_files_of_one_name_size_and_time_in_two_folders_are_told_apart(run, tmp_path):
    for folder, word in (("x", "apple"), ("y", "pear ")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text("text\n" + f"{word}\n" * 3)
        os.utime(tmp_path / folder / "t.csv", (1e9, 1e9))
    sources = [tmp_path / "x" / "t.csv", tmp_path / "y"]
    assert predict_parts(run, sources, tmp_path / "out").parts == 2
    joined = pd.read_csv(join_parts(tmp_path / "out", tmp_path / "joined.csv"))
    assert joined["text"].str.strip().tolist() == ["apple"] * 3 + ["pear"] * 3


def test_rows_are_counted_again_if_they_are_read_in_another_way(run, tmp_path):
    (tmp_path / "in.csv").write_text("text\ncat\npear\n")
    assert predict_parts(run, tmp_path / "in.csv", tmp_path / "out").rows == 2
    options = {"header": ["text"], "overwrite": True}
    assert predict_parts(run, tmp_path / "in.csv", tmp_path / "out", **options).rows == 3


# ---- Workers that begin and replace predictions at the same time ---------------------------------


def test_a_worker_that_counts_rows_for_long_keeps_what_another_finished(
    run, data, tmp_path, monkeypatch
):
    from clx.ml.batch import job

    original, out = job.make_plan, tmp_path / "out"

    def slow(*arguments):
        plan = original(*arguments)
        monkeypatch.setattr(job, "make_plan", original)
        predict_parts(run, data / "b.jsonl", out, "1/2", part_rows=75)
        return plan

    monkeypatch.setattr(job, "make_plan", slow)
    assert predict_parts(run, data / "b.jsonl", out, "2/2", part_rows=75).is_complete


def test_two_predictions_that_begin_at_the_same_time_do_not_mix(run, data, tmp_path, monkeypatch):
    from clx.ml.batch import job

    original, out = job.make_plan, tmp_path / "out"

    def slow(*arguments):
        plan = original(*arguments)
        monkeypatch.setattr(job, "make_plan", original)
        predict_parts(run, data / "b.jsonl", out, columns=["id"])
        return plan

    monkeypatch.setattr(job, "make_plan", slow)
    with pytest.raises(ResumeError, match=r"columns was \['id'\] and is None"):
        predict_parts(run, data / "b.jsonl", out)
    assert parts_status(out).is_complete


def test_a_worker_of_a_replaced_prediction_finishes_no_part_of_the_new_one(
    run, data, tmp_path, monkeypatch
):
    from clx.ml.batch import guard
    from clx.ml.batch.job import PartsWorker

    out, source, original = tmp_path / "out", data / "b.jsonl", PartsWorker.__call__
    monkeypatch.setattr(guard, "SECONDS", 0.0)
    prefixed = {"prefix": "p_", "overwrite": True, "part_rows": 50}

    def replaced(worker, part):
        monkeypatch.setattr(PartsWorker, "__call__", original)
        predict_parts(run, source, out, "1/3", **prefixed)
        return original(worker, part)

    monkeypatch.setattr(PartsWorker, "__call__", replaced)
    with pytest.raises(ResumeError, match="Another prediction began in"):
        predict_parts(run, source, out, part_rows=50)
    assert parts_status(out).done == 1
    assert predict_parts(run, source, out, **prefixed).is_complete
    assert "p_label" in pd.read_csv(join_parts(out, tmp_path / "joined.csv"))


def test_a_folder_with_other_files_is_refused(run, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunExistsError, match=r"holds other files \('mine.txt'\)"):
        predict_parts(run, data, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    with pytest.raises(DataFormatError, match="is a file: the parts of a prediction need a folder"):
        predict_parts(run, data, tmp_path / "out" / "mine.txt")


# ---- Bad input -----------------------------------------------------------------------------------


def test_a_part_with_a_bad_row_leaves_the_others(run, tmp_path):
    frame = pd.DataFrame({"text": ["apple", "cat", None, "pear"] * 25})
    frame.iloc[:50, 0] = "apple"
    frame.to_parquet(tmp_path / "in.parquet")
    with pytest.raises(UnfinishedError) as error:
        predict_parts(
            run, tmp_path / "in.parquet", tmp_path / "out", part_rows=25, on_error="raise"
        )
    assert "2 of 4 parts" in str(error.value)
    assert f"rows 50 to 74 of {tmp_path / 'in.parquet'}" in str(error.value)
    assert "rows: 50, 54" in str(error.value)
    status = parts_status(tmp_path / "out")
    assert (status.done, status.failed[0]["attempts"]) == (2, 1)
    with pytest.raises(UnfinishedError, match="2 of them failed"):
        join_parts(tmp_path / "out", tmp_path / "joined.csv")


def test_bad_rows_are_skipped_by_default_and_told(run, tmp_path):
    pd.DataFrame({"text": ["apple", None]}).to_parquet(tmp_path / "in.parquet")
    with pytest.warns(DataWarning, match="1 of 2 rows have no prediction"):
        status = predict_parts(run, tmp_path / "in.parquet", tmp_path / "out")
    assert status.errors == 1
    joined = pd.read_parquet(join_parts(tmp_path / "out", tmp_path / "joined.parquet"))
    assert joined["label"].tolist()[0] == "fruit"
    assert joined["error"].tolist()[1] == "column 'text': the text is missing"


def test_an_error_that_may_pass_is_tried_again(run, data, tmp_path, monkeypatch):
    from clx.ml.batch.job import PartsWorker

    original, tried = PartsWorker.__call__, []

    def flaky(worker, part):
        tried.append(part)
        if len(tried) < 3:
            raise OSError("the network went away")
        return original(worker, part)

    monkeypatch.setattr("clx.ml.batch.work.PAUSE_SECONDS", 0)
    monkeypatch.setattr(PartsWorker, "__call__", flaky)
    assert predict_parts(run, data / "b.jsonl", tmp_path / "out").is_complete
    assert len(tried) == 3
    tried[:] = []
    monkeypatch.setattr(
        PartsWorker,
        "__call__",
        lambda *_: tried.append(1) or (_ for _ in ()).throw(OSError("gone")),
    )
    with pytest.raises(UnfinishedError, match="OSError: gone"):
        predict_parts(run, data / "c.parquet", tmp_path / "out2")
    assert len(tried) == 3


@pytest.mark.parametrize(
    ("error", "tries"),
    [(OSError("reset by peer"), 2), (PermissionError("not yours"), 1), (ValueError("bad byte"), 1)],
    ids=repr,
)
def test_a_file_is_read_again_if_the_network_failed_and_not_if_it_is_damaged(
    run, data, tmp_path, monkeypatch, error, tries
):
    from clx.ml.batch.job import PartsWorker

    original, tried = PartsWorker._rows, []

    def flaky(worker, part, given):
        tried.append(part)
        if len(tried) == 1:
            with given.files[0].errors_named():
                raise error
        yield from original(worker, part, given)

    monkeypatch.setattr("clx.ml.batch.work.PAUSE_SECONDS", 0)
    monkeypatch.setattr(PartsWorker, "_rows", flaky)
    if tries == 2:
        assert predict_parts(run, data / "b.jsonl", tmp_path / "out").is_complete
    else:
        with pytest.raises(UnfinishedError, match=r"b\.jsonl cannot be read.*|not yours"):
            predict_parts(run, data / "b.jsonl", tmp_path / "out")
    assert len(tried) == tries


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        ([], ConfigError, "There is nothing to predict"),
        (["a.csv", "a.csv"], DataFormatError, "is given twice"),
        ("sqlite:///x.db?query=select 1", DataFormatError, "is a query"),
        ("nothing.csv", DataFormatError, "There is no data at"),
    ],
    ids=str,
)
def test_sources_that_cannot_be_cut_are_refused(
    run, data, tmp_path, monkeypatch, sources, error, message
):
    monkeypatch.chdir(data)
    with pytest.raises(error, match=message):
        predict_parts(run, sources, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_column_is_named_before_any_work(run, data, tmp_path):
    with pytest.raises(DataFormatError, match="no column 'body'"):
        predict_parts(run, data, tmp_path / "out", text_column="body")
    with pytest.raises(RunNotFoundError, match="There is no prediction in parts in"):
        parts_status(tmp_path / "out")


def test_nothing_to_predict_is_a_finished_prediction(run, tmp_path):
    (tmp_path / "in.csv").write_text("id,text\n")
    status = predict_parts(run, tmp_path / "in.csv", tmp_path / "out")
    assert (status.parts, status.is_complete) == (0, True)
    joined = pd.read_csv(join_parts(tmp_path / "out", tmp_path / "joined.csv"))
    assert list(joined)[:3] == ["id", "text", "label"]
    with pytest.raises(RunExistsError, match="exists"):
        join_parts(tmp_path / "out", tmp_path / "joined.csv")


# ---- Object stores -------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "file", "no rename"])
def store(request, tmp_path, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    if request.param == "file":
        return f"file://{tmp_path}/store"
    if request.param == "no rename":

        def refused(*arguments, **options):
            raise NotImplementedError

        monkeypatch.setattr(MemoryFileSystem, "mv", refused)
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return "memory://bucket"


def test_an_object_store_works_as_a_folder_does(run, data, expected, store):
    place = place_at(f"{store}/in")
    for name in ("a.csv", "b.jsonl", "c.parquet"):
        content = (data / name).read_bytes()
        place.write(name, lambda path, content=content: path.write_bytes(content) and None)
    predict_parts(run, f"{store}/in", f"{store}/out", "2/2", part_rows=100)
    status = predict_parts(run, f"{store}/in", f"{store}/out", part_rows=100)
    assert status.is_complete
    written = join_parts(f"{store}/out", f"{store}/joined.parquet")
    same(pd.read_parquet(written), expected)
    place.write("b.jsonl", lambda path: path.write_text('{"id": "1", "text": "x"}') and None)
    with pytest.raises(ResumeError, match=r"that changed: .*b\.jsonl"):
        predict_parts(run, f"{store}/in", f"{store}/out", part_rows=100)


# ---- Processes -----------------------------------------------------------------------------------

WORKER = (
    "import sys; from clx.batch import predict_parts;"
    "predict_parts(*sys.argv[1:5], part_rows=int(sys.argv[5]))"
)


def worker(run, source, out, shard, part_rows):
    arguments = [run.run_dir, source, out, shard, part_rows]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *map(str, arguments)], stderr=subprocess.DEVNULL
    )


def test_killed_workers_lose_and_double_nothing(run, data, expected, tmp_path):
    rng, out = random.Random(3), tmp_path / "out"
    for _ in range(2):
        workers = [worker(run, data, out, f"{number}/2", 16) for number in (1, 2)]
        until = time.monotonic() + 60
        done = len(list((out / "done").glob("*"))) if out.exists() else 0
        # Kill when there is something to lose.
        while time.monotonic() < until and len(list(out.glob("done/*"))) <= done:
            time.sleep(0.02)
        time.sleep(rng.random() * 0.1)
        for each in workers:
            each.kill()
            each.wait()
    assert predict_parts(run, data, out, part_rows=16).is_complete
    same(pd.read_parquet(join_parts(out, tmp_path / "joined.parquet")), expected)
    assert len(list((out / "parts").glob("*.parquet"))) == parts_status(out).parts


def test_sigterm_ends_with_143_and_keeps_what_is_done(run, data, tmp_path):
    out = tmp_path / "out"
    process = worker(run, data, out, "1/1", 2)
    while not list(out.glob("done/*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 143
    status = parts_status(out)
    assert status.done > 0
    assert not [path for path in out.rglob("*") if path.name.endswith(".new")]


# ---- The command ---------------------------------------------------------------------------------


def test_the_command_predicts_in_shards_and_joins(
    run, data, expected, tmp_path, capsys, monkeypatch
):
    clx = Cli(capsys, monkeypatch)
    out = f"{tmp_path}/out/"
    arguments = ["predict", run.run_dir, data / "a.csv", data / "b.jsonl", data / "c.parquet"]
    assert clx(*arguments, "-o", out, "--shard", "1/2", "--part-rows", 100).status == 0
    assert dict(clx.lines)["parts"] == "4 of 8 done"
    assert clx("predict", "--join", out, "-o", tmp_path / "joined.parquet").status == 1
    assert clx(*arguments, "-o", out, "--shard", "2/2", "--part-rows", 100).status == 0
    found = json.loads(clx("predict", "--status", out, "--json").out)
    assert (found["is_complete"], found["rows_done"]) == (True, ROWS)
    assert clx("predict", "--join", out, "-o", tmp_path / "joined.parquet").status == 0
    same(pd.read_parquet(tmp_path / "joined.parquet"), expected.drop(columns="error"))


def test_the_command_lists_failed_parts_and_exits_with_1(run, tmp_path, capsys, monkeypatch):
    clx = Cli(capsys, monkeypatch)
    pd.DataFrame({"text": ["apple", None]}).to_parquet(tmp_path / "in.parquet")
    arguments = ["predict", run.run_dir, tmp_path / "in.parquet", "-o", f"{tmp_path}/out/"]
    assert clx(*arguments, "--part-rows", 1).status == 1
    assert "1 of 2 parts" in clx.err
    assert "rows 1 to 1 of" in clx.err
    assert clx("predict", "--status", tmp_path / "out").status == 0
    assert any("the text is missing" in " ".join(line) for line in clx.lines)
    assert clx(*arguments, "--on-error", "skip", "--overwrite", "--part-rows", 1).status == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["RUN", "x.csv", "-o", "out.csv", "--shard", "1/2"], "--shard requires -o DIR/"),
        (["RUN", "x.csv", "-o", "out/", "--shard", "0/2"], "shards count from 1"),
        (["RUN", "x.csv", "-o", "out/", "--shard", "3/2"], "so the last of 2 is 2/2"),
        (["RUN", "x.csv", "-o", "out/", "--shard", "half"], "shard must be like 3/16"),
        (["RUN", "x.csv", "-o", "out/", "--engine", "spark"], "engine must be one of local, ray"),
        (["RUN", "x.csv", "-o", "out/", "--workers", "2"], "workers need engine='ray'"),
        (["RUN", "--join", "out"], "--join takes a folder of parts, and no RUN or SOURCE"),
        (["--join", "out"], "--join requires -o TARGET"),
        (["--join", "out", "--status", "out"], "cannot be combined"),
        ([], "RUN is needed, or --join or --status"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_that_do_not_go_together(run, tmp_path, capsys, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("text\ncat\n")
    clx = Cli(capsys, monkeypatch)
    given = [run.run_dir if each == "RUN" else each for each in arguments]
    assert clx("predict", *given).status in (1, 2)
    assert told in " ".join(clx.err.split())
    assert not Path("out").exists()
