"""A user with a terminal of 80 columns saw headings, paths, and labels cut in the middle of a word, a
warning as one line of 600 characters, and a progress bar of two characters."""

import json
import warnings

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.errors import DataWarning
from clx.ml import training_run
from clx.ml.data.check.findings import check_data
from clx.ml.data.check.labeled_texts import LabeledTexts
from clx.ml.results.ending import end_in_words

LABELS = ("fruit of a tree", "an animal on a farm")


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def named(trained, own_data_dir):
    (own_data_dir / "runs").mkdir()
    trained.rename(own_data_dir / "runs" / "a-run-with-a-name-of-some-length")
    return "a-run-with-a-name-of-some-length"


def test_no_command_cuts_a_word(cli, named, fruit, tmp_path):
    data = tmp_path / "fruit.csv"
    fruit.to_csv(data, index=False)
    commands = {
        "evaluate": [named, data],
        "compare": [named, named, data],
        "predict": [named, "a red apple and a green pear " * 8, "--all-scores"],
        "show": [named, "--all"],
        "labels": [named],
        "decisions": [named],
        "runs": [],
        "tasks": [],
        "plugins": [],
    }
    for command, arguments in commands.items():
        wide = cli.on_terminal(command, *arguments, width=400)
        assert wide.status == 0, wide.err
        # Durations are measured again by each command.
        known = set(wide.out.split())
        narrow = cli.on_terminal(command, *arguments, width=80).out
        lines = narrow.splitlines()
        cut = {word for word in narrow.split() if word.strip("─")} - known
        assert all(word.replace(".", "").isdigit() for word in cut - {"…"}), (command, cut)
        long = [line for line in lines if len(line) > 80]
        assert all(len(max(line.split(), key=len)) > 40 for line in long), (command, long)


def test_show_begins_with_the_results_and_leaves_defaults_out(cli, named):
    short = cli.on_terminal("show", named, width=80).out
    assert short.startswith(("Metrics\n", "Training\n"))
    assert "training_args" in short
    assert "label_names" in short
    for default in ("tokenize_args", "strict_data", "window_pooling", "learned", "Trained with"):
        assert default not in short, default
        assert default in cli.on_terminal("show", named, "--all", width=80).out
    piped = dict(cli("show", named).lines)
    assert "config.tokenize_args" not in piped
    assert list(piped).index("results.steps") < list(piped).index("path")
    assert dict(cli("show", named, "--all").lines)["config.tokenize_args"] == "{}"
    assert json.loads(cli("show", named, "--json").out)["config"]["tokenize_args"] == {}


def test_findings_are_a_wrapped_list_with_three_examples_and_what_to_do():
    texts = [f"a text of ten words that is in the data {n // 2}" for n in range(40)]
    check = check_data(LabeledTexts(texts, ["a", "b"] * 20), LabeledTexts(texts[:9], ["a"] * 9))
    lines = str(check).splitlines()
    assert max(map(len, lines)) <= 80
    starts = [line for line in lines if line.startswith("  - ")]
    assert len(starts) == len(check.findings) > 2
    assert all(line.startswith("    ") for line in lines[1:] if line not in starts)
    for finding in check.findings:
        assert finding.remedy
        assert finding.message.endswith(finding.remedy)
        # Wrapped, so that its lines may break anywhere between words.
        assert finding.remedy in " ".join(str(check).split())
        assert len(finding.rows) <= 5
    leaked = next(finding for finding in check.findings if finding.kind == "leaked_texts")
    assert leaked.message.count("train_data row") == 3
    assert "and 6 more" in leaked.message
    assert check.to_dict()["findings"][0]["remedy"]


def test_the_same_in_python(tiny_model, tmp_path):
    rows = pd.DataFrame({"text": ["an apple", "a cow"] * 6, "label": ["fruit", "animal"] * 6})
    run = training_run(
        "classification", "r", run_dir_parent=tmp_path, base_model_name=str(tiny_model)
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", DataWarning)
        run.train(rows, fine_tune=False)
    (message,) = [str(each.message) for each in found if each.category is DataWarning]
    assert max(map(len, message.splitlines())) <= 80
    assert message.count("\n  - ") == 1


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (
            {"kept_model": 1.0, "stopped": "early_stopping", "steps": 120, "epochs": 4.0},
            "ended by early stopping at step 120 of 300, epoch 4; kept epoch 1",
        ),
        (
            {"kept_model": 2.0, "stopped": "time_budget", "steps": 300, "epochs": 2.0},
            "ended by the time budget at step 300, epoch 2; kept epoch 2",
        ),
        ({"kept_model": 3.0, "stopped": None, "steps": 300, "epochs": 5.0}, "kept epoch 3"),
        ({"kept_model": 5.0, "stopped": None, "steps": 300, "epochs": 5.0}, None),
    ],
)
def test_the_end_of_a_training_in_words(results, words):
    assert end_in_words(results, 300, 5.0) == words


def test_a_training_says_what_ended_it_and_what_it_kept(cli, fruit, tiny_model, tmp_path):
    path = tmp_path / "fruit.csv"
    fruit.to_csv(path, index=False)
    options = ["--base-model", tiny_model, "--eval", path, "--runs-dir", tmp_path]
    for value in ("num_train_epochs=7", "learning_rate=0.0"):
        options += ["--set", f"training_args.{value}"]
    assert cli("train", "classification", "still", path, *options).status == 0
    said = [line for line in cli.err.splitlines() if line.startswith("train: ")]
    assert len(said) == 1
    assert said[0].startswith("train: ended by early stopping at step ")
    assert "; kept " in said[0]
    options += ["--set", "training_args.disable_tqdm=true", "--overwrite"]
    assert cli("train", "classification", "still", path, *options).status == 0
    assert "train: " not in cli.err
