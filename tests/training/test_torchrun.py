"""Training by two processes: the same run as by one, written once."""

import json
import subprocess
import sys

import numpy as np
import pytest

from clx.ml import training_run
from clx.ml.trainer.sampling import LengthGroupedSampler
from conftest import fruit_frame

SCRIPT = """
import json, os, sys
import pandas as pd
import torch
from clx.cli import main
from clx.ml import training_run

folder, model = sys.argv[1:]
data = pd.read_json(folder + "/rows.json")
run = training_run(
    "classification",
    "two",
    run_dir_parent=folder,
    base_model_name=model,
    # Where there is nothing but the CPU, it need not be asked for.
    device="cpu" if torch.accelerator.is_available() else None,
    training_args={
        "num_train_epochs": 6,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 4,
        "disable_tqdm": True,
    },
)
result = run.train(data, data.iloc[:20], overwrite=True, time_budget="1h")
told = {"steps": result.steps, "metrics": result.metrics, "scores": run.predict("the apple is red")}
again = run.evaluate(data.iloc[:20])
told["again"] = again.metrics
rank = int(os.environ["RANK"])
try:
    run.set_decisions(min_score=0.1)
except Exception as error:
    told["refused"] = str(error)

options = {"--base-model": model, "--runs-dir": folder, "--eval": folder + "/eval.csv"}
command = ["train", "classification", "by-command", folder + "/rows.csv"]
command += [word for pair in options.items() for word in pair]
sets = ["label_texts=null", "training_args.num_train_epochs=3", "training_args.learning_rate=1e-3"]
# Without dropout, the same rows give the same model.
sets += [f"model_args.{name}_dropout_prob=0" for name in ("hidden", "attention_probs")]
command += [word for each in sets for word in ("--set", each)]
told["status"] = main([*command, "--json"])
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
# The run exists now.
told["mistake"] = main(command)
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
told["usage"] = main(["train", "--evil"])
with open(f"{folder}/rank{os.environ['RANK']}.json", "w") as file:
    json.dump(told, file)
"""


def test_two_processes_train_one_run(tiny_model, tmp_path):
    fruit_frame(40).to_json(tmp_path / "rows.json")
    # A number of rows that both divide into batches: accelerate repeats rows in the last one.
    fruit_frame(48).to_csv(tmp_path / "rows.csv", index=False)
    # The last batch of an evaluation is not full.
    fruit_frame(20).to_csv(tmp_path / "eval.csv", index=False)
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", str(script), str(tmp_path), str(tiny_model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    one, other = (json.loads((tmp_path / f"rank{n}.json").read_text()) for n in (0, 1))
    # 40 rows and the names of two labels, in batches of 4 for each process.
    assert one["steps"] == other["steps"] == 6 * 6
    assert one["metrics"]["accuracy"] == other["metrics"]["accuracy"] > 0.9
    run = training_run(load=tmp_path / "two", verify=True)
    scores = run.predict("the apple is red")[0]
    assert scores == pytest.approx(one["scores"][0], abs=1e-5)
    assert scores == pytest.approx(other["scores"][0], abs=1e-5)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".two.staging")]
    log = (run.run_dir / "logs" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in log if "loss" in json.loads(line)]
    assert steps == sorted(set(steps))
    # The loss is that of the 20 rows, not of those that fill the last batch.
    for metrics in (one["metrics"], one["again"], other["again"]):
        assert metrics["loss"] == pytest.approx(metrics["log_loss"], rel=1e-4)
    assert "refused" not in one
    assert "rank 1" in other["refused"]
    check_commands(done, one, other, tiny_model, tmp_path)


def check_commands(done, one, other, tiny_model, folder):
    """The commands of both processes: one speaks, and both end with the same status."""
    assert (one["status"], other["status"]) == (0, 0)
    document = json.loads(done.stdout)
    assert document["run_name"] == "by-command"
    alone = training_run(
        "classification",
        "alone",
        run_dir_parent=folder,
        base_model_name=tiny_model,
        label_texts=None,
        model_args={"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0},
        training_args={"num_train_epochs": 3, "learning_rate": 1e-3, "disable_tqdm": True},
    ).train(folder / "rows.csv", folder / "eval.csv")
    # Two processes with 8 rows each take as many steps as one with 16.
    assert document["steps"] == alone.steps
    assert document["train_loss"] == pytest.approx(alone.train_loss, rel=1e-3)
    for name in ("accuracy", "log_loss", "loss"):
        assert document["metrics"][name] == pytest.approx(alone.metrics[name], rel=1e-3)
    assert (one["mistake"], other["mistake"]) == (2, 2)
    assert (one["usage"], other["usage"]) == (2, 2)
    # Of the training by the program and of that by the command, once for both processes.
    assert done.stderr.count("Findings in 40 rows") == done.stderr.count("Findings in 48 rows") == 1
    assert done.stderr.count("There is a trained run in") == 1
    assert done.stderr.count("No such option: --evil") == 1


def test_each_process_has_batches_of_like_length():
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    lengths = np.random.default_rng(0).integers(3, 200, size=1000).tolist()
    sampler = LengthGroupedSampler(lengths, 2 * 8, seed=1)
    shards = [
        list(BatchSamplerShard(BatchSampler(sampler, 8, drop_last=False), 2, number))
        for number in range(2)
    ]
    assert len(shards[0]) == len(shards[1])
    assert {row for shard in shards for batch in shard for row in batch} == set(range(1000))
    pairs = [[lengths[row] for row in [*one, *other]] for one, other in zip(*shards, strict=True)]
    # Both take a step together: the one with the longer batch is waited for.
    assert np.mean([max(pair) - min(pair) for pair in pairs[:-1]]) < 8
    assert max(pairs[0]) == max(lengths)
