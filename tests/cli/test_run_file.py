"""The TOML file of clx train: what it may hold, what overrides it, and what --init writes."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from cli_helpers import Cli
from clx.cli.new_run_file import Given, run_file_text, toml_value
from clx.cli.run_file import data_beside, read_run_file
from clx.errors import ConfigError
from clx.ml import task_registry, training_run
from clx.ml.task.options import OPTIONS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recorded(monkeypatch):
    """What a command makes and trains, without doing it."""
    calls = {}

    class Recorder:
        def __init__(self, *arguments, **options):
            calls["made"] = arguments, options

        def train(self, *arguments, **options):
            calls["trained"] = arguments, options
            raise ConfigError("that is all")

    monkeypatch.setattr("clx.ml.training_run", Recorder)
    return calls


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


RUN = """
task = "classification"
run-name = "fruit"
train_data = "train.csv"
eval_data = "eval.csv"
time_budget = "10m"
separator = ";"
text-column = "body"
label_names = ["fruit", "animal"]

[training_args]
max_steps = 7
seed = 5
learning_rate = 1e-4
"""


def test_a_file_says_everything(cli, recorded, folder):
    write(folder / "run.toml", RUN)
    assert cli("train", "--config", "run.toml").status == 2
    arguments = {"max_steps": 7, "seed": 5, "learning_rate": 1e-4}
    options = {"text_column": "body", "label_names": ["fruit", "animal"]}
    assert recorded["made"] == (
        ("classification", "fruit"),
        {**options, "training_args": arguments},
    )
    data, call = recorded["trained"]
    assert data == ("train.csv", "eval.csv")
    assert (call["time_budget"], call["separator"], call["header"]) == ("10m", ";", True)
    assert "fine_tune" not in call


def test_the_command_line_overrides_the_file(cli, recorded, folder):
    write(folder / "run.toml", RUN)
    words = ["multilabel", "other", "more.csv", "--eval", "0.2", "--epochs", "3", "--seed", "1"]
    words += ["--set", "training_args.warmup_steps=2", "--label-names", "a,b", "--separator", ","]
    words += ["--time-budget", "90", "--no-fine-tune", "--header", "none", "--text-column", "x"]
    assert cli("train", *words, "--config", "run.toml").status == 2
    # The Trainer would stop after max_steps, whatever the epochs are.
    arguments = {"num_train_epochs": 3, "seed": 1, "learning_rate": 1e-4, "warmup_steps": 2}
    options = {"text_column": "x", "label_names": ["a", "b"], "training_args": arguments}
    assert recorded["made"] == (("multilabel", "other"), options)
    data, call = recorded["trained"]
    assert data == ("more.csv", 0.2)
    assert (call["time_budget"], call["separator"], call["header"]) == (90, ",", False)
    assert call["fine_tune"] is False


def test_all_positional_arguments_or_none(cli, recorded, folder):
    write(folder / "run.toml", RUN)
    assert cli("train", "classification", "x", "--config", "run.toml").status == 2
    assert "Missing argument 'TRAIN'. Give TASK, NAME and TRAIN, or leave all to" in cli.err
    assert cli("train").status == 2
    assert "Missing argument 'TASK'." in cli.err
    write(folder / "run.toml", 'task = "classification"')
    assert cli("train", "--config", "run.toml").status == 2
    assert "lacks the key train_data" in cli.err
    assert not recorded


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("epochs = 3", "'epochs'; write num_train_epochs below the line [training_args]"),
        ("val_size = 0.2", "'val_size'; write eval_data"),
        ("df = 1", "'df'; write train_data"),
        ("model = 'x'", "'model'; write base_model_name"),
        ("base_model_nam = 'x'", "'base_model_nam'; did you mean 'base_model_name'?"),
        ("time_buget = '5m'", "'time_buget'; did you mean 'time_budget'?"),
        ("num_labels = 3", "'num_labels'; leave it out"),
        ("schema_version = 1", "'schema_version': clx writes it"),
        ("temperature = 1.5", "'temperature': clx writes it"),
        ("overwrite = true", "'overwrite': write --overwrite on the command line"),
        ("run_name = 3", "run_name must be text in quotes, but is 3"),
        ("fine_tune = 'no'", "fine_tune must be true or false, but is 'no'"),
        ("eval_data = true", "eval_data must be data, or a share"),
        ("group_column = 1", "group_column must be the name of a column, but is 1"),
        ("min_score = 2024-01-01", "min_score is a date or a time: put it in quotes"),
        ("[training_args]\neval_data = 1", "eval_data stands below [training_args]"),
        ("[tokenize_args]\ntext_column = 'a'", "text_column stands below [tokenize_args]"),
        ("label-names = ['a', 'b']\nlabel_names = []", "the key label_names twice"),
        ("a =", "not a TOML file: Invalid value (at line 4"),
    ],
)
def test_a_mistake_in_a_file_is_named(folder, line, said):
    text = f'train_data = "t.csv"\ntask = "classification"\n\n{line}\n'
    path = write(folder / "mine.toml", text)
    with pytest.raises(ConfigError) as caught:
        read_run_file(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_entries_of_tables_may_be_called_like_options(folder):
    table = "[training_args]\nreport_to = 'none'\nrun_name = 'x'\nlabel_names = ['labels']\n"
    assert read_run_file(write(folder / "a.toml", "task = 'classification'\n" + table))


def test_all_mistakes_are_listed_at_once(folder):
    path = write(folder / "run.toml", "task = 'classification'\nlr = 1\nrun_name = 1\nx = 2\n")
    with pytest.raises(ConfigError) as caught:
        read_run_file(path)
    assert str(caught.value).count("  - ") == 3


def test_a_wrong_value_of_an_option_names_the_file(cli, folder):
    write(folder / "run.toml", RUN.replace("learning_rate", "learning_rat"))
    assert cli("train", "--config", "run.toml").status == 2
    assert "did you mean 'learning_rate'?" in cli.err
    assert "The options are from run.toml and the command line." in cli.err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("run.tml", None, "did you mean 'run.toml'?"),
        ("config.json", '{"task": "classification"}', "it seems to be JSON"),
        ("folder", None, "Is a directory"),
        ("bytes.toml", b"\xff\xfe", "is not a TOML file"),
    ],
)
def test_what_is_no_file_of_this_kind(cli, folder, name, text, said):
    write(folder / "run.toml", RUN)
    (folder / "folder").mkdir()
    if text is not None:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert cli("train", "--config", name).status == 2
    assert said in cli.err


def test_a_file_of_an_editor_on_windows(folder):
    path = folder / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf" + RUN.replace("\n", "\r\n").encode())
    assert read_run_file(path).values["run_name"] == "fruit"


def test_paths_begin_at_the_folder_of_the_file(folder):
    for name in ("sub/train.csv", "sub/models/own/config.json", "here/x.csv"):
        write(folder / name, "{}")
    options = 'base_model_name = "models/own"\ntokenizer_name = "./tok"\nrun_dir_parent = "runs"\n'
    path = write(
        folder / "sub" / "run.toml",
        f'task = "classification"\ntrain_data = "train.csv"\neval_data = "../here"\n{options}',
    )
    found = read_run_file(path.relative_to(folder))
    assert found.values["train_data"] == "sub/train.csv"
    assert found.values["eval_data"] == "sub/../here"
    assert found.options["base_model_name"] == "sub/models/own"
    assert found.options["tokenizer_name"] == "sub/tok"
    assert found.options["run_dir_parent"] == "sub/runs"
    write(path, 'task = "classification"\nbase_model_name = "small"\nmetrics = ["f1"]\n')
    assert read_run_file(path).options == {"base_model_name": "small", "metrics": ["f1"]}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("rows.csv", "sub/rows.csv"),
        ("rows/*.csv", "sub/rows/*.csv"),
        ("book.xlsx#Two", "sub/book.xlsx#Two"),
        ("/data/rows.csv", "/data/rows.csv"),
        ("~/rows.csv", "~/rows.csv"),
        ("s3://bucket/rows.csv", "s3://bucket/rows.csv"),
        ("sqlite:///f.db?query=select 1", "sqlite:///f.db?query=select 1"),
        ("someone/reviews", "someone/reviews"),
        ("here", "sub/here"),
    ],
)
def test_data_that_a_file_in_a_folder_names(folder, name, found):
    (folder / "here").mkdir()
    assert data_beside(Path("sub"), name) == found
    assert data_beside(Path(), name) == name


# ---- --init --------------------------------------------------------------------------------------

LINE = re.compile(r"# (\w+) = (?=[^ ])")


@pytest.mark.parametrize("task", ["classification", "multilabel", "token-classification", "mlm"])
def test_the_file_has_every_option_with_its_default(task, folder):
    text = run_file_text(Path("run.toml"), task_registry[task], Given())
    written = set(re.findall(r"^(?:# )?(\w+) =|^\[(\w+)\]", text, re.MULTILINE))
    keys = {key or table for key, table in written}
    own = set(training_run(task, "x").config) & set(task_registry[task].add_config_attrs)
    assert {option.name for option in OPTIONS} | own <= keys

    before = read_run_file(write(folder / "a.toml", text), task)
    assert before.options == {"tokenize_args": {}, "model_args": {}, "training_args": {}}
    bare = "\n".join(LINE.sub(r"\1 = ", line) for line in text.splitlines())
    assert bare != text
    uncommented = read_run_file(write(folder / "b.toml", bare), task)
    assert len(uncommented.options) > 10
    made = [training_run(task, "x", **file.options) for file in (before, uncommented)]
    assert {**made[0].config} == {**made[1].config}


def test_a_task_says_what_its_own_options_do():
    text = run_file_text(Path("run.toml"), task_registry["classification"], Given())
    assert "# The score below which the run abstains." in text


def test_the_file_trains_as_it_stands(cli, folder, fruit, tiny_model, own_data_dir):
    fruit.to_csv("train.csv", index=False)
    assert cli("train", "--init").status == 0
    assert dict(cli.lines) == {"written": "run.toml", "next": "clx train --config run.toml"}
    quick = ["--base-model", tiny_model, "--no-fine-tune", "--set", "pooling=mean"]
    assert cli("train", "--config", "run.toml", *quick, "--json").status == 0
    document = json.loads(cli.out)
    assert document["run_dir"] == str(own_data_dir / "runs" / "my-run")
    assert document["rows"]["train"] == 40


def test_what_the_command_line_says_is_filled_in(cli, recorded, folder):
    words = [
        "multilabel",
        "topics",
        "rows.csv",
        "--eval",
        "0.2",
        "--epochs",
        "3",
        "--header",
        "a,b",
    ]
    words += ["--set", 'class_weights={"a b": 2}', "--set", "tokenize_args.max_length=9"]
    words += ["--learning-rate", "1e-4", "--no-fine-tune", "--device", "cpu"]
    assert cli("train", "--init", *words, "--config", "mine.toml", "--json").status == 0
    assert json.loads(cli.out) == {"written": "mine.toml"}
    cli("train", *words)
    expected = dict(recorded)
    cli("train", "--config", "mine.toml")
    made, options = recorded["made"]
    assert made == expected["made"][0]
    assert {key: value for key, value in options.items() if value} == expected["made"][1]
    assert recorded["trained"] == expected["trained"]


def test_a_file_in_another_folder_names_data_from_there(cli, folder):
    write(folder / "rows.csv", "text,label\n")
    (folder / "sub").mkdir()
    words = ["classification", "x", "rows.csv", "--runs-dir", "mine", "--config", "sub/r.toml"]
    assert cli("train", "--init", *words).status == 0
    found = read_run_file(folder / "sub" / "r.toml")
    assert Path(found.values["train_data"]).resolve() == folder / "rows.csv"
    assert Path(found.options["run_dir_parent"]).resolve() == folder / "mine"
    assert 'train_data = "../rows.csv"' in (folder / "sub" / "r.toml").read_text()


def test_a_file_is_never_replaced(cli, folder):
    write(folder / "run.toml", "mine")
    assert cli("train", "--init").status == 2
    assert "run.toml exists, and --init replaces nothing" in cli.err
    assert (folder / "run.toml").read_text() == "mine"
    assert cli("train", "--init", "--config", "no/run.toml").status == 2
    assert "cannot be written" in cli.err
    assert cli("train", "--init", "--config", "b.toml", "--overwrite", "--resume").status == 2
    assert "drop --resume, --overwrite" in cli.err
    assert not (folder / "b.toml").exists()


@pytest.mark.parametrize(
    "value",
    [True, 3, 1e-05, 2.0, "a", 'q"\\\n\t\x7f\x01 é', [1, "b"], [], {"a b": [1], "c": {}}, {}],
)
def test_values_survive_the_file(value):
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_the_example_of_the_page_is_a_training(cli, recorded, folder):
    (example,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    write(folder / "run.toml", example)
    assert cli("train", "--config", "run.toml").status == 2
    assert cli.err == "error: that is all\n"
    run = training_run(*recorded["made"][0], **recorded["made"][1])
    assert run.training_args["num_train_epochs"] == 3
