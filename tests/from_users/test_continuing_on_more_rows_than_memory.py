"""A user continued a run that tokenizes lazily: the new rows were all read into memory first."""

import datasets
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from cli_helpers import Cli
from clx.errors import ConfigError, DataFormatError
from clx.ml import training_run
from clx.ml.data import row_pass
from clx.ml.data.arrow_rows import lazy_rows
from clx.ml.data.stacked_rows import StackedRows
from clx.ml.evaluation import disk_rows
from clx_tasks_classification import ClassificationRun
from conftest import fruit_frame

ARGS = {
    "max_steps": 4,
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "disable_tqdm": True,
}
QUICK = {"fine_tune": False}

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch):
    """Let a sample be smaller than the few rows of these tests."""
    monkeypatch.setattr(row_pass, "SAMPLE_ROWS", 20)
    monkeypatch.setattr(disk_rows, "MAX_IN_MEMORY", 20)


@pytest.fixture(scope="module")
def old(tmp_path_factory, tiny_model):
    """A trained run of two labels that tokenizes lazily."""
    run = training_run(
        "classification",
        "old",
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        base_model_name=tiny_model,
        label_texts=None,
        tokenize_lazily=True,
        training_args=ARGS,
    )
    run.train(fruit_frame(40), fruit_frame(30), **QUICK)
    return run.run_dir


def numbers(rows):
    words = "one two three four five".split()
    texts = [f"the {words[row % 5]} is {row}" for row in range(rows)]
    return pd.DataFrame({"text": texts, "label": ["number"] * rows})


@pytest.fixture
def files(tmp_path):
    """New rows with a new label far from the first, old rows with another column, and eval rows."""
    new = pd.concat([fruit_frame(90), numbers(10)], ignore_index=True)
    new.to_csv(tmp_path / "new.csv", index=False)
    fruit_frame(80).assign(id=range(80)).to_parquet(tmp_path / "old.parquet")
    pd.concat([fruit_frame(40), numbers(5)]).to_csv(tmp_path / "eval.csv", index=False)
    return {name: str(tmp_path / name) for name in ("new.csv", "old.parquet", "eval.csv")} | {
        "folder": tmp_path
    }


class Stop(TrainerCallback):
    """Stops a training after some steps, as a killed process does."""

    def on_step_end(self, args, state, control, **kwargs):
        """Stop after the third step."""
        if state.global_step == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("replay_rows", [None, 16])
def test_a_continued_run_is_that_of_rows_in_memory(old, files, replay_rows, monkeypatch):
    # A sample of all rows has the same rows for the probe.
    monkeypatch.setattr(row_pass, "SAMPLE_ROWS", 1000)
    results, runs = [], []
    for lazily in (True, False):
        result = training_run(load=old).continue_training(
            files["new.csv"],
            files["eval.csv"],
            f"new-{lazily}-{replay_rows}",
            replay=files["old.parquet"],
            replay_rows=replay_rows,
            tokenize_lazily=lazily,
            **QUICK,
        )
        results.append(result)
        runs.append(training_run(load=result.run_dir))
    one, other = results
    assert runs[0].label_names == runs[1].label_names == ["animal", "fruit", "number"]
    assert one.new_labels == ["number"]
    assert one.replayed == other.replayed == (replay_rows or 80)
    assert one.rows == other.rows
    assert one.metrics == pytest.approx(other.metrics, abs=1e-4)
    expected, got = (load_file(run.run_dir / "model" / "model.safetensors") for run in runs)
    assert all(torch.allclose(expected[key], got[key], atol=1e-4) for key in expected)
    assert one.comparison is not None
    assert one.comparison.names[0] == "old"
    assert runs[0].results["tokenize_lazily"]["rows"] == one.rows["train"]


def test_new_rows_are_read_in_parts_and_a_killed_training_resumes(old, files, monkeypatch):
    monkeypatch.setattr(row_pass, "PART_ROWS", 30)
    validate, seen = ClassificationRun.validate_data_format, []

    def counted(self, data):
        seen.append(len(data))
        return validate(self, data)

    monkeypatch.setattr(ClassificationRun, "validate_data_format", counted)

    def continued(name, **options):
        run = training_run(load=old)
        return run.continue_training(
            files["new.csv"], None, name, replay=files["old.parquet"], **options
        )

    whole = continued("whole")
    assert whole.steps == 4
    assert sum(seen) > 180
    assert max(seen) < 40
    sample = training_run(load=whole.run_dir).results["tokenize_lazily"]["sample_rows"]
    assert sample < 30
    with pytest.raises(KeyboardInterrupt):
        continued("broken", callbacks=[Stop()])
    broken = continued("broken", resume=True)
    expected, got = (load_file(r.run_dir / "model" / "model.safetensors") for r in (whole, broken))
    assert all(torch.equal(expected[key], got[key]) for key in expected)
    again = continued("whole", overwrite=True)
    assert again.run_dir == whole.run_dir


def test_the_command_line_continues_from_files(old, files, capsys, monkeypatch):
    words = ["train", "classification", "by-command", files["new.csv"], "--from", old]
    cli = Cli(capsys, monkeypatch)(*words, "--no-fine-tune")
    assert cli.status == 0, cli.err
    run = training_run(load=old.parent / "by-command")
    assert run.results["tokenize_lazily"]["rows"] == 100
    assert run.label_names == ["animal", "fruit", "number"]
    cli(*words[:2], "no-share", *words[3:], "--eval", "0.2")
    assert cli.status == 2
    assert "file of their own" in cli.err.replace("\n", " ")


def test_what_cannot_be_continued_is_refused_before_rows_are_read(old, files):
    run = training_run(load=old)
    with pytest.raises(ConfigError, match=r"eval_data=0\.2.*file of their own"):
        run.continue_training("there-is-no-such-file.csv", 0.2, "x")
    with pytest.raises(ConfigError, match=r"eval_data=0\.2.*file of their own"):
        run.train("there-is-no-such-file.csv", 0.2, overwrite=True)
    with pytest.raises(ConfigError, match="train_data is a stream"):
        run.continue_training(iter(numbers(3).to_dict("records")), None, "x")
    stream = datasets.IterableDataset.from_generator(lambda: iter(numbers(3).to_dict("records")))
    with pytest.raises(ConfigError, match="replay is a stream"):
        run.continue_training(files["new.csv"], None, "x", replay=stream)


def test_a_bad_row_is_named_by_its_place_in_the_file(old, files):
    frame = fruit_frame(200)
    frame.loc[171, "text"] = None
    frame.to_csv(files["folder"] / "bad.csv", index=False)
    with pytest.raises(DataFormatError, match=r"text is missing in 1 of \d+ rows: 171"):
        training_run(load=old).continue_training(str(files["folder"] / "bad.csv"), None, "bad")


def test_stacked_rows_are_read_by_position():
    first, second = fruit_frame(10), fruit_frame(30).assign(id=range(30))
    both = StackedRows(
        lazy_rows(first, "a"), lazy_rows(second, "b"), torch.arange(29, 4, -3).numpy()
    )
    assert len(both) == 10 + 9
    assert both.columns == ["text", "label", "id"]
    expected = pd.concat([first, second.iloc[list(range(29, 4, -3))]], ignore_index=True)
    where = [18, 3, 10, 0, 11, 3]
    found = both.frame(where)
    assert found.index.tolist() == where
    pd.testing.assert_frame_equal(found, expected.loc[where])
    parts = pd.concat([part for _, part in both.parts(4)])
    pd.testing.assert_frame_equal(parts, expected, check_index_type=False)
    assert both.frame([2], ["text"]).columns.tolist() == ["text"]
    assert both.digest() != StackedRows(lazy_rows(first, "a"), lazy_rows(second, "b")).digest()
