"""A user trained with ``torchrun -m clx train``: every process printed everything, one hung when the
other was killed, and ``accelerate config`` for FSDP gave a model that could not be saved."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from cli_helpers import Cli
from clx.errors import ConfigError, DataFormatError, ResumeError
from clx.ml import training_run
from clx.ml.machine.launch import launch_problems
from clx.ml.run_directory.marks import IDENTITY
from clx.ml.training.checkpoints import resume_point
from clx.ml.training.defaults import Setting, choose_arguments
from conftest import fruit_frame

LAUNCHED = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
LAUNCHED |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def set_all(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def run(tiny_model, tmp_path):
    return training_run(
        "classification", "run", run_dir_parent=tmp_path, base_model_name=tiny_model
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP .ACCELERATE_USE_FSDP"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed"),
        ({"WORLD_SIZE": "4"}, "unset WORLD_SIZE"),
        ({"WORLD_SIZE": "4", "RANK": "1"}, "but not MASTER_ADDR and MASTER_PORT"),
        ({"LOCAL_RANK": "0"}, "but not MASTER_ADDR"),
    ],
)
def test_a_start_that_cannot_work_is_refused_before_the_data_is_read(
    run, monkeypatch, variables, said
):
    set_all(monkeypatch, variables)
    with pytest.raises(ConfigError, match=said):
        run.train("there-is-no-such-file.csv")
    with pytest.raises(ConfigError, match=said):
        run.cross_validate("there-is-no-such-file.csv")
    with pytest.raises(ConfigError, match=said):
        training_run("classification", "run", training_args={"seed": 1})


@pytest.mark.parametrize("argument", ["fsdp", "deepspeed"])
def test_arguments_that_divide_the_model_are_refused_with_the_reason(argument):
    with pytest.raises(ConfigError, match=f"{argument} cannot be set: every process of clx has"):
        training_run("classification", "run", training_args={argument: "full_shard"})


def test_each_process_needs_a_gpu(monkeypatch):
    set_all(monkeypatch, LAUNCHED)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    (problem,) = launch_problems(on_cpu=False)
    assert "2 processes on this machine, but 1 GPU" in problem
    assert launch_problems(on_cpu=True) == []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert launch_problems(on_cpu=False) == []


def test_one_of_one_process_is_one_process(run, monkeypatch, fruit):
    set_all(monkeypatch, {"WORLD_SIZE": "1", "RANK": "0"})
    assert run.train(fruit, fine_tune=False).rows["train"] == len(fruit)


def test_another_process_than_the_first_does_not_change_the_run(trained, monkeypatch):
    run = training_run(load=trained)
    set_all(monkeypatch, LAUNCHED)
    for call in (
        lambda: run.rename_labels({"fruit": "fruits"}),
        lambda: run.set_decisions(min_score=0.5),
        run.export,
        lambda: run.push_to_hub("owner/name"),
    ):
        with pytest.raises(ConfigError, match=r"but this is rank 1: call it where os.environ"):
            call()


def test_a_pipe_is_for_one_process(run, monkeypatch, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("the system has no named pipes")
    pipe = tmp_path / "rows.csv"
    os.mkfifo(pipe)
    set_all(monkeypatch, LAUNCHED)
    with pytest.raises(DataFormatError, match="write its content to a file first"):
        run.check(pipe)


def test_a_command_for_one_process_runs_in_the_first(monkeypatch, capsys, trained):
    set_all(monkeypatch, LAUNCHED)
    cli = Cli(capsys, monkeypatch)
    assert (cli("show", trained).status, cli.out) == (0, "")
    monkeypatch.setenv("RANK", "0")
    assert cli("show", trained).status == 0
    assert "fruit" in cli.out
    assert "clx show runs in one process" in cli.err
    # Nothing that the command calls can wait for the others.
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK"} & set(os.environ)


def settings(rows):
    return Setting(rows, True, 384, False, True, False, "accuracy", False)


@pytest.mark.parametrize("rows", [40, 1000, 50_000])
def test_two_processes_take_the_steps_of_one(monkeypatch, rows):
    alone = choose_arguments({}, settings(rows))
    monkeypatch.setenv("WORLD_SIZE", "2")
    shared = choose_arguments({}, settings(rows))
    assert shared.pop("per_device_train_batch_size") * 2 == alone.pop("per_device_train_batch_size")
    assert shared == alone
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert choose_arguments({}, settings(rows))["per_device_train_batch_size"] == 8


def identity(batch, processes=1):
    config = {"training_args": {"per_device_train_batch_size": batch, "learning_rate": 1e-4}}
    return {"config": config, "data": {}} | ({"processes": processes} if processes > 1 else {})


def test_another_number_of_processes_resumes_the_same_rows(monkeypatch, tmp_path):
    (tmp_path / IDENTITY).write_text(json.dumps(identity(8, 2)))
    # It has no checkpoint yet, and may be resumed.
    assert resume_point(tmp_path, identity(16)) is None
    with pytest.raises(
        ResumeError, match=r"2 processes and now has 1; together .* take 16 rows"
    ) as e:
        resume_point(tmp_path, identity(8))
    assert "set per_device_train_batch_size to 16" in str(e.value)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ResumeError, match="set per_device_train_batch_size to 4"):
        resume_point(tmp_path, identity(8, 4))
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ResumeError, match="which 3 processes cannot share"):
        resume_point(tmp_path, identity(5, 3))


def processes_of(word):
    """Return the ids of the processes of this training, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode().split("\0")
            variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        ranks = [each.removeprefix("RANK=") for each in variables if each.startswith("RANK=")]
        if word in command and ranks:
            found[int(ranks[0])] = int(folder.name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_all_and_the_training_resumes_in_one(tiny_model, tmp_path, victim):
    if not Path("/proc/self").exists():
        pytest.skip("the system has no /proc")
    fruit_frame(80).to_csv(tmp_path / "rows.csv", index=False)
    fruit_frame(24).to_csv(tmp_path / "eval.csv", index=False)
    runs = tmp_path / "runs"
    command = ["-m", "clx", "train", "classification", "killed", str(tmp_path / "rows.csv")]
    command += ["--eval", str(tmp_path / "eval.csv"), "--base-model", str(tiny_model)]
    command += ["--runs-dir", str(runs), "--set", "training_args.num_train_epochs=600"]
    command += ["--set", "training_args.save_steps=50", "--set", "training_args.eval_steps=50"]
    command += ["--set", "training_args.eval_strategy=steps", "--set", "pooling=mean"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", *command]
    earlier = training_run(
        "classification", "killed", run_dir_parent=runs, base_model_name=tiny_model
    )
    earlier.train(fruit_frame(12), fine_tune=False)
    before = (runs / "killed" / "manifest.json").read_bytes()

    training = subprocess.Popen(
        [*torchrun, "--overwrite"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 200
    checkpoints = runs / "killed" / "checkpoints"
    while not list(checkpoints.glob("checkpoint-*/clx-complete.json")):
        assert training.poll() is None, training.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    ranks = processes_of(str(runs))
    os.kill(ranks[victim], signal.SIGKILL)
    started = time.monotonic()
    _, told = training.communicate(timeout=100)
    assert time.monotonic() - started < 30
    assert training.returncode == 1
    # torchrun names it, and rank 0 too if torchrun leaves it the time.
    assert f"exitcode: -9) local_rank: {victim}" in told
    time.sleep(1)
    assert processes_of(str(runs)) == {}
    assert (runs / "killed" / "manifest.json").read_bytes() == before
    assert training_run(load=runs / "killed").predict("the apple")

    resumed = subprocess.run(
        [sys.executable, *command, "--resume", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    metrics = json.loads(resumed.stdout)["metrics"]
    assert metrics["accuracy"] > 0.95
    assert len(pd.read_csv(tmp_path / "rows.csv")) == 80
