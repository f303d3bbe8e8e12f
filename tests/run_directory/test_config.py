"""The options of a run: checked together when it is made, kept in the config, read back."""

import json
from pathlib import Path

import numpy as np
import pytest

from clx.errors import ConfigError, PluginError, RunDirError
from clx.ml import TrainingRun, training_run
from clx.ml.plugins.registry import TaskRegistry
from clx.ml.run_directory.config import (
    SCHEMA_VERSION,
    read_config,
    run_name_problems,
)
from clx.ml.task.json_values import json_problems
from clx.settings import runs_dir
from clx_tasks_classification import ClassificationRun


class Task(TrainingRun):
    name = "config-test"
    pipeline_args = {"task": "text-classification"}

    def validate_data_format(self, data):
        pass

    def load_model(self, model_name=None):
        pass


class WithoutInit(Task):
    add_config_attrs = ["my-config-attr", "other_attr", "listed"]
    listed = [1]


class WithInit(Task):
    add_config_attrs = ["my-config-attr"]

    def __init__(self, run_name=None, *, my_config_attr=3, not_kept=None, **options):
        super().__init__(run_name, **options)
        self.my_config_attr = my_config_attr
        self.not_kept = not_kept


class SetsBefore(Task):
    add_config_attrs = ["my-config-attr"]

    def __init__(self, run_name=None, my_config_attr=3, **options):
        self.my_config_attr = my_config_attr
        super().__init__(run_name, **options)


class Narrow(Task):
    add_config_attrs = ["my-config-attr"]

    def __init__(self, run_name=None):
        super().__init__(run_name)


def said_of(make, *args, **options):
    with pytest.raises(ConfigError) as caught:
        make(*args, **options)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


# ---- All problems at once ----------------------------------------------------------------------------


def test_all_wrong_options_are_in_one_error():
    said = said_of(
        training_run,
        "classification",
        "../x",
        label_names=["a", "a"],
        label_type="float",
        tokenize_args=5,
        model_args=["x"],
        training_args={"learning_rate": -1, "seed": "x"},
        device=3,
        tokeniser_name="x",
    )
    assert said.count("\n  - ") == 9
    for name in "label_names label_type tokenize_args model_args learning_rate seed device".split():
        assert name in said
    assert "'tokeniser_name'; did you mean 'tokenizer_name'?" in said
    assert "'../x'" in said
    assert "'classification'" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("run_dir_parent", 5),
        ("base_model_name", None),
        ("base_model_name", 5),
        ("base_model_name", ""),
        ("tokenizer_name", 5),
        ("tokenize_args", "x"),
        ("tokenize_args", {"a": {1}}),
        ("tokenize_args", {1: "a"}),
        ("model_args", ["x"]),
        ("model_args", {"dtype": np.float32}),
        ("model_args", {"trust_remote_code": True}),
        ("device", 0),
        ("trust_remote_code", "no"),
        ("trust_remote_code", 1),
        ("label_names", {"a", "b"}),
        ("label_names", b"ab"),
        ("label_names", "fruit"),
        ("label_names", ["a"]),
        ("label_names", ["a", "a"]),
        ("label_type", "category"),
    ],
)
def test_wrong_options_are_config_errors_beside_others(option, value):
    said = said_of(ClassificationRun, "x", **{option: value}, unknown_one=1)
    assert said.count("\n  - ") == 2
    assert option in said
    assert "unknown_one" in said


def test_label_type_has_to_fit_the_label_names():
    said = said_of(ClassificationRun, "x", label_names=["fruit", "animal"], label_type="int")
    assert "label_type" in said
    for names, kind in ((["1", "-2"], "int"), ([True, False], "bool"), (["1", "b"], "str")):
        assert ClassificationRun("x", label_names=names, label_type=kind).label_type == kind


def test_unknown_options_have_the_closest_name():
    assert "did you mean 'base_model_name'?" in said_of(Task, "x", base_model_nam="y")
    assert "write base_model_name='y'" in said_of(Task, "x", base_model="y")
    assert "did you mean 'my_config_attr'?" in said_of(WithoutInit, "x", my_config_atr=1)
    assert "did you mean 'label_names'?" in said_of(training_run, "classification", labels_names=[])
    assert "did you mean" not in said_of(Task, "x", zzzzzz=1)


def test_training_run_without_task_or_load_says_what_there_is():
    assert "classification" in said_of(training_run)
    assert "load=" in said_of(training_run, None, "name")
    assert "5" in said_of(training_run, 5)
    assert "verify" in said_of(training_run, "classification", "x", verify=True)


def test_the_base_class_makes_no_run():
    assert "base class" in said_of(TrainingRun, "x")


def test_a_class_that_is_no_task_makes_no_run():
    class Unfinished(TrainingRun):
        name = "unfinished"

    with pytest.raises(PluginError, match=r"(?s)validate_data_format.*load_model"):
        Unfinished("x")


def test_init_that_forgets_super_is_the_authors_fault_and_says_so():
    class Forgets(Task):
        def __init__(self, run_name=None):
            pass

    with pytest.raises(PluginError, match="super"):
        Forgets("x")


# ---- Names and places --------------------------------------------------------------------------------

GOOD_NAMES = ["a", "my run", "é" * 100, "x" * 200, "日本", "a.b", "-x", "2020-01-01", "a=b&c"]
BAD_NAMES = {
    "": "non-empty",
    " ": "non-empty",
    ".": "dot",
    "..": "dot",
    ".hidden": "dot",
    "a/b": "separator",
    "/abs": "separator",
    "a\\b": "separator",
    "../x": "separator (use run_dir_parent for the folder) and starts with a dot",
    "a\nb": "control",
    "a\0": "control",
    "a\x7f": "control",
    "a\x85b": "control",
    "a\x9b2J": "control",
    "a\ud800": "not valid Unicode",
    "x" * 201: "200 bytes",
    "é" * 101: "200 bytes",
}


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_run_names(name):
    assert run_name_problems(name) == []
    assert Task(name).run_dir == runs_dir() / name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_run_names(name):
    assert BAD_NAMES[name] in said_of(Task, name)


@pytest.mark.parametrize("name", [5, b"x", ["x"], Path("x")])
def test_run_names_of_other_types(name):
    assert "run_name must be a non-empty str" in said_of(Task, name)


def test_no_name_makes_one_of_task_and_time():
    name = Task().run_name
    assert name.startswith("config-test-2")
    assert run_name_problems(name) == []


def test_place_follows_the_environment_and_run_dir_parent(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path / "one"))
    assert Task("x").run_dir == tmp_path / "one" / "runs" / "x"
    assert Task("x", run_dir_parent=str(tmp_path / "two")).run_dir == tmp_path / "two" / "x"
    monkeypatch.chdir(tmp_path)
    assert Task("x", run_dir_parent="three").run_dir == tmp_path / "three" / "x"
    assert list(tmp_path.iterdir()) == []


# ---- add_config_attrs --------------------------------------------------------------------------------


def test_attributes_without_an_init_of_their_own():
    run = WithoutInit("x", my_config_attr={"a": [1]}, other_attr=2)
    assert (run.my_config_attr, run.other_attr, run.listed) == ({"a": [1]}, 2, [1])
    assert run.config["my_config_attr"] == {"a": [1]}
    assert "my-config-attr" not in run.config
    assert WithoutInit("x").my_config_attr is None
    WithoutInit("x").listed.append(2)
    assert WithoutInit.listed == [1]


@pytest.mark.parametrize("task", [WithInit, SetsBefore])
def test_attributes_with_an_init_of_their_own(task):
    assert task("x").config["my_config_attr"] == 3
    assert task("x", my_config_attr=5, device="cpu").config["my_config_attr"] == 5
    assert "not_kept" not in task("x").config


def test_init_that_takes_nothing_else_accepts_nothing_else():
    assert Narrow("x").config["my_config_attr"] is None
    assert "no option 'device'" in said_of(Narrow, "x", device="cpu")


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, float("nan"), float("inf"), np.int64(1), {1: 2}, b"x", Task]
)
@pytest.mark.parametrize("task", [WithoutInit, WithInit, SetsBefore])
def test_values_that_json_cannot_keep_are_refused_by_name(task, value):
    assert "my_config_attr = " in said_of(task, "x", my_config_attr=value)


@pytest.mark.parametrize("value", [None, 1, 1.5, "é", True, [1, [2]], {"a": {"b": None}}, (1, 2)])
def test_values_that_json_keeps(value):
    assert json_problems({"x": value}) == []
    assert json.loads(json.dumps(dict(WithInit("x", my_config_attr=value).config)))


def test_values_that_json_would_change_are_problems():
    for value in ({1: "a"}, {True: 1}, {None: 1}, {"a": {2: 3}}):
        (problem,) = json_problems({"x": value})
        assert "would come back" in problem


@pytest.mark.parametrize(
    "attr",
    ["run_name", "training-args", "model", "pipe", "train", "task", "schema_version", "clx-version",
     "device", "config", "name"],
)  # fmt: skip
def test_attributes_that_shadow_the_base_are_refused(attr):
    body = dict(vars(Task)) | {"add_config_attrs": [attr]}
    task = type(TrainingRun)("Shadow", (TrainingRun,), body)
    with pytest.raises(PluginError, match="is a name of the base class"):
        TaskRegistry(lambda: TrainingRun, list, lambda: None).register(task)
    with pytest.raises(PluginError, match="is a name of the base class"):
        task("x")


@pytest.mark.parametrize("attr", ["_transaction", "_clx_state", "_loaded", "-own"])
def test_attributes_of_clxs_own_kind_are_refused(attr):
    body = dict(vars(Task)) | {"add_config_attrs": [attr]}
    task = type(TrainingRun)("Private", (TrainingRun,), body)
    with pytest.raises(PluginError, match="begins with an underscore"):
        task("x")


# ---- The config of a run -----------------------------------------------------------------------------


def test_config_has_every_key_and_is_read_only():
    config = Task("x", tokenize_args={"max_length": 5}).config
    keys = "schema_version clx_version task task_distribution task_version run_name base_model_name"
    keys += " tokenizer_name tokenize_args model_args training_args report_to device metrics text_column"
    keys += " label_column weight_column strict_data"
    keys += " head_init pooling class_weights label_texts calibrate lora lora_merge"
    keys += " long_text window_pooling strict_length tokenize_lazily learned"
    assert list(config) == keys.split()
    with pytest.raises(TypeError):
        config["task"] = "other"
    assert "trust_remote_code" not in Task("x", trust_remote_code=True).config


def test_what_the_caller_passed_is_not_shared_with_the_config():
    given = {"max_length": 5}
    run = Task("x", tokenize_args=given)
    run.config["tokenize_args"]["max_length"] = 7
    assert run.tokenize_args == given == {"max_length": 5}


def test_read_config_of_version_0_with_hyphens_and_unknown_keys():
    text = json.dumps({"task": "t", "run_name": "r", "my-config-attr": 1, "from-the-future": [2]})
    config = read_config(text, "here")
    assert config["my_config_attr"] == 1
    assert config["from_the_future"] == [2]
    assert config["schema_version"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "holds a list"),
        ("5", "holds a int"),
        ("{}", "names no task"),
        ('{"task": "t"}', "not the config of a clx run"),
        ('{"model_type": "bert"}', "base_model_name"),
        ('{"task": 5, "run_name": "r"}', "which is not a task name"),
        ('{"task": "t", "schema_version": "1"}', "which is not a number"),
        ('{"task": "t", "schema_version": true}', "which is not a number"),
        ('{"task": "t", "schema_version": -1}', "which is not a number"),
        ('{"task": "t", "schema_version": 1.5}', "which is not a number"),
        (f'{{"task": "t", "schema_version": {SCHEMA_VERSION + 1}}}', "pip install --upgrade"),
    ],
)
def test_read_config_refuses(text, said):
    with pytest.raises(RunDirError, match=said) as caught:
        read_config(text, "/runs/x/config.json")
    assert "/runs/x/config.json" in str(caught.value)


# ---- Opening with load= ------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A directory with the config of a run, and a model of nothing."""
    folder = tmp_path / "saved"
    folder.mkdir()
    run = ClassificationRun("made-as", label_names=["b", "a"], tokenize_args={"max_length": 9})
    (folder / "config.json").write_text(json.dumps(dict(run.config)))
    (folder / "manifest.json").write_text('{"files": {}}')
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "model" / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return folder


def test_load_takes_place_and_options_from_the_directory(saved):
    run = training_run(load=saved)
    assert (run.run_name, run.run_dir) == ("saved", saved)
    assert run.label_names == ["b", "a"]
    assert run.tokenize_args == {"max_length": 9}
    assert run.config["run_name"] == "saved"


def test_what_says_the_same_or_belongs_to_the_opening_may_stand_beside_load(saved):
    run = training_run(
        "classification", "saved", load=str(saved), label_names=("b", "a"), device="cpu",
        verify=True, trust_remote_code=True,
    )  # fmt: skip
    assert (run.device, run.trust_remote_code) == ("cpu", True)
    assert "trust_remote_code" not in run.config


def test_all_contradictions_are_in_one_error(saved):
    said = said_of(
        training_run,
        "other",
        "name",
        load=saved,
        label_names=["a", "b"],
        tokenize_args={},
        labels=1,
    )
    assert said.count("\n  - ") == 5
    assert "label_names is ['b', 'a'] in the saved run, not ['a', 'b']" in said
    assert "tokenize_args is {'max_length': 9} in the saved run, not {}" in said
    assert "a run of the task 'classification', not 'other'" in said
    assert "it is called 'saved', not 'name'" in said
    assert str(saved) in said


@pytest.mark.parametrize(
    "beside",
    [{"device": 5}, {"verify": "yes"}, {"trust_remote_code": "no"}, {"run_dir_parent": "x"}],
)
def test_wrong_values_beside_load(saved, beside):
    assert next(iter(beside)) in said_of(training_run, load=saved, **beside)


@pytest.mark.parametrize("load", [5, ["x"], b"x"])
def test_load_must_be_a_path_or_a_name(load):
    assert "load must be a path or the name of a run" in said_of(training_run, load=load)


@pytest.mark.parametrize("name", ["_state", "_loaded", "_components", "_engine", "_run"])
def test_an_author_may_have_private_names(name, tiny_model, fruit):
    class Own(WithInit):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            setattr(self, name, {})

    options = {"base_model_name": tiny_model, "training_args": {"max_steps": 1}}
    assert getattr(Own("own", **options), name) == {}


@pytest.mark.parametrize("name", ["_transaction", "_predict", "_clx_engine"])
def test_a_private_name_of_clx_is_refused_by_name(name):
    class Shadowing(WithInit):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            setattr(self, name, {})

    with pytest.raises(PluginError, match=f"sets {name}, which is private to clx"):
        Shadowing("shadowing")


def test_there_is_no_option_called_options():
    with pytest.raises(ConfigError, match="there is no option 'options'"):
        training_run("classification", "x", options={"a": 1})


def test_a_path_of_any_kind_is_a_folder_of_runs(tmp_path):
    class Place:
        def __fspath__(self):
            return str(tmp_path)

    run = training_run("classification", "x", run_dir_parent=Place(), tokenizer_name="")
    assert run.run_dir == tmp_path / "x"
