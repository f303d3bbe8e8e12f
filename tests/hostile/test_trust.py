"""trust_remote_code=True: given by the caller for a base model, in this call, and kept nowhere."""

import json
import os
import subprocess
import sys

import pytest

from clx.errors import ModelError, RunDirError
from clx.ml import training_run
from conftest import make_tiny_model

CODE = """
from transformers import BertConfig, BertForSequenceClassification


class OwnConfig(BertConfig):
    model_type = "own-bert"


class OwnModel(BertForSequenceClassification):
    config_class = OwnConfig
"""
SCRIPT = """
import sys
import pandas as pd
from clx.ml import training_run

base, parent = sys.argv[1:]
data = pd.DataFrame({"text": ["cat", "apple"] * 4, "label": ["animal", "fruit"] * 4})
arguments = {"max_steps": 1, "disable_tqdm": True}
run = training_run(
    "classification", "own", run_dir_parent=parent, base_model_name=base,
    training_args=arguments, trust_remote_code=True,
)
run.train(data)
print(type(run.model).__name__, len(run.predict("cat")))
"""


@pytest.fixture
def own_model(tmp_path):
    """A base model that brings its own Python code."""
    folder = make_tiny_model(tmp_path / "own")
    (folder / "own.py").write_text(CODE)
    config = json.loads((folder / "config.json").read_text())
    auto_map = {
        "AutoConfig": "own.OwnConfig",
        "AutoModelForSequenceClassification": "own.OwnModel",
    }
    config |= {"model_type": "own-bert", "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_trust_is_for_this_call_and_is_never_kept(own_model, tmp_path, fruit):
    with pytest.raises(ModelError, match="trust_remote_code=True"):
        training_run("classification", "x", base_model_name=own_model).train(fruit)
    # The code stays in the modules of a process: not in this one.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(own_model), str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["OwnModel", "1"]
    folder = tmp_path / "runs" / "own"
    for path in (folder / "config.json", folder / "manifest.json"):
        assert "trust_remote_code" not in path.read_text()
    with pytest.raises(RunDirError, match=r"own Python code run .* pass trust_remote_code=True"):
        training_run(load=folder)
    assert training_run(load=folder, trust_remote_code=True).config.get("trust_remote_code") is None
