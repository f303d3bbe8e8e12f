"""Parts of a prediction by the workers of Ray: equal to one process, whatever is killed."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from clx.batch import Predictor, join_parts, predict_parts
from clx.cli import main
from clx.errors import ClxError, ClxWarning, MissingDependencyError, UnfinishedError
from clx.ml.batch.job import begin_job
from clx.ml.batch.ray_engine import RayOptions, Start, predict_on_ray
from clx.ml.data.reading import DEFAULT_READING
from conftest import ANIMALS, FRUIT

# On a busy machine, a worker may need longer than that to import torch.
pytestmark = pytest.mark.filterwarnings("ignore:No worker has started")

ROWS = 12_000


@pytest.fixture
def source(tmp_path):
    """Two files of rows with a number each."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(FRUIT + ANIMALS, k=rng.randint(1, 20))) for _ in range(ROWS)]
    table = pd.DataFrame({"number": range(ROWS), "text": texts})
    folder = tmp_path / "rows"
    folder.mkdir()
    table[:5000].to_parquet(folder / "a.parquet")
    table[5000:].to_parquet(folder / "b.parquet")
    return folder


def workers_of(directory):
    """Return the process that finished each part."""
    records = [json.loads(path.read_text()) for path in (directory / "done").glob("*.json")]
    return [int(each["worker"].rpartition(":")[2]) for each in records]


def kill_one(directory):
    """Kill the first worker of Ray that finishes a part."""
    while not (found := set(workers_of(directory)) - {os.getpid()}):
        time.sleep(0.01)
    os.kill(found.pop(), signal.SIGKILL)


@pytest.mark.slow
def test_two_workers_one_of_them_killed_are_equal_to_one_process(
    ray_cluster, trained, source, tmp_path
):
    alone, parts = tmp_path / "alone", tmp_path / "parts"
    predict_parts(trained, source, alone, part_rows=1000)
    # A quarter is there already, from a shard without Ray.
    predict_parts(trained, source, parts, "1/4", part_rows=200)
    killer = threading.Thread(target=kill_one, args=[parts], daemon=True)
    killer.start()
    with pytest.warns(ClxWarning, match="1 worker was lost and replaced"):
        status = predict_parts(trained, source, parts, part_rows=200, engine="ray", workers=2)
    killer.join(10)
    assert (status.done, status.rows_done, status.failed) == (60, ROWS, [])
    assert workers_of(parts).count(os.getpid()) == 15
    assert len(set(workers_of(parts))) >= 3, "this process, and at least two workers"
    found = pd.read_parquet(join_parts(parts, tmp_path / "parts.parquet"))
    assert list(found["number"]) == list(range(ROWS))
    expected = pd.read_parquet(join_parts(alone, tmp_path / "alone.parquet"))
    pd.testing.assert_frame_equal(found, expected, atol=1e-5)


def test_a_part_that_fails_is_named_and_the_others_are_finished(ray_cluster, trained, tmp_path):
    source = tmp_path / "rows.jsonl"
    rows = [{"text": None if number == 25 else "apple"} for number in range(40)]
    source.write_text("\n".join(map(json.dumps, rows)))
    parts = tmp_path / "parts"
    with pytest.raises(
        UnfinishedError, match=r"1 of 4 parts .*\n  - rows 20 to 29 of .*rows\.jsonl"
    ):
        predict_parts(
            trained, source, parts, part_rows=10, on_error="raise", engine="ray", workers=1
        )
    assert len(workers_of(parts)) == 3
    (failure,) = (parts / "failed").glob("*.json")
    assert json.loads(failure.read_text())["attempts"] == 1


@pytest.mark.parametrize("gone", ["run", "folder"])
def test_a_machine_without_the_run_or_the_folder_is_named(
    ray_cluster, trained, source, tmp_path, gone
):
    job = begin_job(Predictor(trained), [source], tmp_path / "parts", DEFAULT_READING, 5000, False)
    if gone == "run":
        shutil.rmtree(trained)
        path = trained
    else:
        path = tmp_path / "elsewhere"
        job = dataclasses.replace(job, directory=str(path))
    with pytest.raises(ClxError, match=rf"^On the machine [\d.]+: .*{path}"):
        predict_on_ray(job, job.plan.parts(), RayOptions())


COMMAND = [sys.executable, "-m", "clx", "predict"]


@pytest.mark.slow
def test_sigterm_to_the_command_stops_the_workers_and_the_command_continues(
    trained, source, tmp_path
):
    parts = tmp_path / "parts"
    command = [*COMMAND, trained, source, "-o", f"{parts}/", "--part-rows", "200"]
    ray = subprocess.Popen([*command, "--engine", "ray", "--workers", "1"], stderr=subprocess.PIPE)
    while not workers_of(parts):
        assert ray.poll() is None, ray.stderr.read().decode()
        time.sleep(0.05)
    ray.terminate()
    ray.communicate(timeout=60)
    assert ray.returncode == 143
    workers = set(workers_of(parts))
    assert [each for each in workers if Path(f"/proc/{each}").exists()] == []
    done = len(workers_of(parts))
    assert 0 < done < 60
    # The other engine goes on.
    assert main([*map(str, command[3:])]) == 0
    assert workers_of(parts).count(os.getpid()) == 60 - done


def test_a_machine_with_another_version_is_refused(trained, source, tmp_path):
    job = begin_job(Predictor(trained), [source], tmp_path / "parts", DEFAULT_READING, 5000, False)
    with pytest.raises(ClxError, match=r"here, but 0\.0\.1 at the command"):
        Start(job, version="0.0.1")()


def test_ray_that_is_missing_is_named_before_anything_is_read(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[ray\]'"):
        predict_parts("no-such-run", "no-such-file", tmp_path / "parts", engine="ray")
