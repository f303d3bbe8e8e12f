"""Weights & Biases: the file that an offline run leaves for ``wandb sync``."""

import json
import struct

import pytest
import wandb
from transformers import TrainerCallback
from wandb.proto.wandb_internal_pb2 import Record

from clx.ml import training_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
BLOCK = 32768


@pytest.fixture
def offline(tmp_path, monkeypatch):
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    yield tmp_path / "wandb"
    wandb.teardown()


def records(path):
    """Yield the records of a log in the format of LevelDB, after a header of seven bytes."""
    data, place, begun = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, size, part = struct.unpack("<IHB", data[place : place + 7])
        begun += data[place + 7 : place + 7 + size]
        place += 7 + size
        # 1 is a whole record, 4 the last part of one.
        if part in (1, 4):
            record = Record()
            record.ParseFromString(begun)
            yield record
            begun = b""


def content(folder):
    """Return the name, the config, what was logged, the artifacts and the exit code of a run."""
    # wandb's own process writes the last block of the file after the run is finished.
    wandb.teardown()
    (path,) = folder.glob("offline-run-*/run-*.wandb")
    config, logged, names, files, code = {}, {}, set(), set(), None
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            names.add(record.run.display_name)
        elif kind == "config":
            config |= {each.key: json.loads(each.value_json) for each in record.config.update}
        elif kind == "history":
            logged |= {
                each.key or "/".join(each.nested_key): json.loads(each.value_json)
                for each in record.history.item
            }
        elif kind == "exit":
            code = record.exit.exit_code
        elif kind == "artifact":
            files |= {each.path for each in record.artifact.manifest.contents}
        elif kind == "request" and record.request.HasField("log_artifact"):
            files |= {each.path for each in record.request.log_artifact.artifact.manifest.contents}
    return names, config, logged, files, code


def test_an_offline_run_has_our_name_options_and_final_metrics(tiny_model, fruit, offline):
    options = {"base_model_name": tiny_model, "pooling": "mean", "label_texts": None}
    run = training_run("classification", "my-run", report_to="wandb", **options)
    result = run.train(fruit[:8], fruit[:4], fine_tune=False)
    names, config, logged, files, code = content(offline)
    assert names == {"my-run"}
    ours = {name: value for name, value in config.items() if not name.startswith("_")}
    assert ours == {
        "task": "classification",
        "base_model_name": str(tiny_model),
        "pooling": "mean",
        "label_texts": "null",
        "fine_tune": False,
    }
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        assert logged[f"final/{name}"] == pytest.approx(result.metrics[name])
    assert code == 0
    assert result.tracking["wandb"].keys() == {"id", "project"}
    assert run.results["tracking"] == result.tracking
    assert wandb.run is None
    assert files == {"report.html", "config.json", "manifest.json"}


class Fails(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        raise ZeroDivisionError


def test_a_failed_training_ends_its_run_as_failed(tiny_model, fruit, offline):
    options = {"head_init": "random", "training_args": {"disable_tqdm": True}}
    run = training_run(
        "classification", "my-run", base_model_name=tiny_model, report_to="wandb", **options
    )
    with pytest.raises(ZeroDivisionError):
        run.train(fruit, callbacks=[Fails])
    assert content(offline)[-1] == 1
