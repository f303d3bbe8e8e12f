"""The task registry with fabricated distributions and modules: nothing is installed here."""

import sys
import types
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from importlib_metadata import EntryPoint

from clx.errors import ClxError, DuplicateTaskError, PluginError, TaskNotFoundError
from clx.ml import TrainingRun
from clx.ml.plugins.registry import GROUP, TaskRegistry


def make_task(name, aliases=(), qualname="Task", module="fake_tasks", **attributes):
    """Return a valid task class, or one with some attributes wrong."""
    body = {
        "__module__": module,
        "__qualname__": qualname,
        "name": name,
        "aliases": aliases,
        "pipeline_args": {"task": "text-classification"},
        "validate_data_format": lambda self, data: None,
        "load_model": lambda self, model_name=None: None,
    }
    return type(qualname, (TrainingRun,), body | attributes)


def distribution(name, *points, version="1.0"):
    return SimpleNamespace(
        metadata={"Name": name},
        version=version,
        read_text=lambda file: f"[{GROUP}]\n",
        entry_points=[EntryPoint(point, value, GROUP) for point, value in points],
    )


def registry(*distributions, allow=None):
    return TaskRegistry(
        base=lambda: TrainingRun, distributions=lambda: distributions, allow=lambda: allow
    )


@pytest.fixture
def module(monkeypatch):
    """A module ``fake_tasks`` that is importable, to be given attributes."""
    fake = types.ModuleType("fake_tasks")
    monkeypatch.setitem(sys.modules, "fake_tasks", fake)
    return fake


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Return a function that writes an importable module with this source."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


# ---- A mapping ---------------------------------------------------------------------------------------


def test_names_are_known_and_nothing_is_imported(write_module):
    write_module("explodes", "raise AssertionError('imported')")
    tasks = registry(distribution("acme", ("b", "explodes:B"), ("a", "explodes:A")))
    assert list(tasks) == ["a", "b"]
    assert len(tasks) == 2
    assert "a" in tasks
    assert "c" not in tasks
    assert 5 not in tasks
    assert tasks.entry("a").origins == ("acme 1.0 (explodes:A)",)
    assert "a, b" in repr(tasks)
    assert list(tasks.keys()) == ["a", "b"]
    assert "explodes" not in sys.modules


def test_class_is_imported_checked_and_kept_when_asked_for(module):
    module.Task = make_task("mine")
    tasks = registry(distribution("acme", ("mine", "fake_tasks:Task")))
    assert tasks["mine"] is module.Task
    del module.Task
    assert tasks["mine"].name == "mine"
    assert dict(tasks.items()) == {"mine": tasks["mine"]}


def test_it_is_a_read_only_mapping():
    tasks = registry()
    assert isinstance(tasks, Mapping)
    with pytest.raises(TypeError):
        tasks["x"] = make_task("x")
    with pytest.raises(TypeError):
        del tasks["x"]
    assert not hasattr(tasks, "update")
    assert not hasattr(tasks, "pop")


def test_get_has_its_default_for_unknown_names_and_not_for_broken_ones(module):
    tasks = registry(distribution("acme", ("broken", "fake_tasks:Missing")))
    assert tasks.get("unknown") is None
    assert tasks.get("unknown", 5) == 5
    with pytest.raises(PluginError):
        tasks.get("broken")


def test_refresh_sees_what_was_installed_meanwhile(module):
    installed = []
    tasks = TaskRegistry(lambda: TrainingRun, lambda: installed, lambda: None)
    assert list(tasks) == []
    installed.append(distribution("acme", ("new", "fake_tasks:Task")))
    assert list(tasks) == []
    tasks.refresh()
    assert list(tasks) == ["new"]


# ---- Conflicts ---------------------------------------------------------------------------------------


def test_two_distributions_with_one_name_are_an_error_that_names_both(module):
    module.One, module.Two, module.Fine = (
        make_task("same", qualname="One"),
        make_task("same", qualname="Two"),
        make_task("fine", qualname="Fine"),
    )
    for order in (1, -1):
        both = [
            distribution("acme", ("same", "fake_tasks:One"), ("fine", "fake_tasks:Fine")),
            distribution("zeta", ("same", "fake_tasks:Two"), version="2.0"),
        ][::order]
        tasks = registry(*both)
        with pytest.raises(DuplicateTaskError) as caught:
            tasks["same"]
        assert "acme 1.0" in str(caught.value)
        assert "zeta 2.0" in str(caught.value)
        assert "CLX_PLUGINS" in str(caught.value)
        assert tasks["fine"] is module.Fine
        assert "same" in tasks
        assert len(tasks) == 2


def test_a_conflict_is_named_as_one_even_if_a_claimant_is_broken(write_module):
    write_module("explodes", "raise AssertionError('imported')")
    tasks = registry(
        distribution("acme", ("same", "explodes:One")),
        distribution("zeta", ("same", "no.such:Two")),
    )
    with pytest.raises(DuplicateTaskError, match=r"acme.*zeta"):
        tasks["same"]


def test_the_same_distribution_twice_is_no_conflict(module):
    module.Task = make_task("mine")
    twice = [distribution("acme", ("mine", "fake_tasks:Task")) for _ in range(2)]
    assert registry(*twice)["mine"] is module.Task


def test_naming_one_distribution_solves_the_conflict(module):
    module.One, module.Two = make_task("same", qualname="One"), make_task("same", qualname="Two")
    both = (
        distribution("acme", ("same", "fake_tasks:One")),
        distribution("zeta", ("same", "fake_tasks:Two")),
    )
    assert registry(*both, allow="zeta")["same"] is module.Two


# ---- Broken plugins ----------------------------------------------------------------------------------

BROKEN = {
    "import_error": ("import no_such_module_at_all", ImportError),
    "syntax_error": ("def broken(:\n", SyntaxError),
    "system_exit": ("import sys; sys.exit(0)", SystemExit),
    "runtime_error": ("raise RuntimeError('boom')", RuntimeError),
    "no_attribute": ("Other = 5", AttributeError),
    "key_error": ("{}['x']", KeyError),
}


def test_broken_plugins_break_their_own_names_alone(write_module, module):
    module.Task = make_task("fine")
    points = [("fine", "fake_tasks:Task"), ("empty", ""), ("no_module", "no_such_module_at_all:X")]
    for name, (source, _) in BROKEN.items():
        write_module(f"broken_{name}", source)
        points.append((name, f"broken_{name}:Task"))
    # As on disk: importlib-metadata refuses an empty value where it is made, or where it is loaded.
    raw = distribution("acme", version="1.5")
    raw.entry_points = [SimpleNamespace(name=n, value=v, group=GROUP) for n, v in points]
    tasks = registry(raw)
    causes = {name: cause for name, (_, cause) in BROKEN.items()} | {
        "empty": Exception,
        "no_module": ModuleNotFoundError,
    }
    assert set(tasks) == {"fine", *causes}
    assert len(causes) == 8
    for name, cause in causes.items():
        with pytest.raises(PluginError) as caught:
            tasks[name]
        assert isinstance(caught.value.__cause__, cause), name
        assert repr(name) in str(caught.value)
        assert "acme 1.5" in str(caught.value)
        assert type(caught.value.__cause__).__name__ in str(caught.value)
        assert not isinstance(caught.value, KeyError)
    assert tasks["fine"] is module.Task


def test_ctrl_c_in_a_plugin_is_not_swallowed(write_module):
    write_module("interrupted", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry(distribution("acme", ("x", "interrupted:Task")))["x"]


def test_unreadable_metadata_is_kept_and_told_with_unknown_names(module):
    broken = distribution("broken", ("x", "y:Z"))
    del broken.entry_points
    module.Task = make_task("fine")
    tasks = registry(broken, distribution("acme", ("fine", "fake_tasks:Task")))
    assert list(tasks) == ["fine"]
    assert tasks["fine"] is module.Task
    assert [failure.origin for failure in tasks.unreadable] == ["broken"]
    with pytest.raises(TaskNotFoundError, match="broken: its metadata cannot be read"):
        tasks["unknown"]


# ---- Unknown names -----------------------------------------------------------------------------------


def test_unknown_name_lists_tasks_suggests_and_tells_what_is_broken(module):
    module.Task = make_task("sentiment")
    tasks = registry(
        distribution("acme", ("sentiment", "fake_tasks:Task"), version="2.3"),
        distribution("zeta", ("shaky", "fake_tasks:Missing")),
    )
    with pytest.raises(TaskNotFoundError) as caught:
        tasks["sentimant"]
    message = str(caught.value)
    assert "no task 'sentimant'. Did you mean 'sentiment'?" in message
    assert "sentiment (acme 2.3 (fake_tasks:Task))" in message
    assert "Plugins that do not work" in message
    assert "AttributeError" in message
    assert "pip install" not in message
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("classification", "clx-tasks-classification"),
        ("Clasification", "clx-tasks-classification"),
        ("multi-label-classification", "clx-tasks-multilabel"),
        ("multi_label_classification", "clx-tasks-multilabel"),
        ("multilabel", "clx-tasks-multilabel"),
        ("ner", "clx-tasks-tokens"),
        ("mlm", "clx-tasks-pretraining"),
    ],
)
def test_known_tasks_that_are_absent_have_their_pip_line(name, package):
    with pytest.raises(TaskNotFoundError) as caught:
        registry()[name]
    assert f"pip install {package}" in str(caught.value)
    assert "No tasks are installed" in str(caught.value)


def test_tasks_hidden_by_clx_plugins_are_said_to_be_hidden():
    package = "clx-tasks-classification"
    tasks = registry(distribution(package, ("classification", "x:Y")), allow="acme")
    assert list(tasks) == []
    with pytest.raises(TaskNotFoundError, match="Hidden by CLX_PLUGINS: classification") as caught:
        tasks["classification"]
    assert "pip install" not in str(caught.value)


def test_names_that_are_no_strings_are_not_found():
    for name in (5, None, ("a", "b")):
        with pytest.raises(TaskNotFoundError):
            registry()[name]
        assert name not in registry()


def test_errors_are_clx_errors_and_not_quoted():
    with pytest.raises(ClxError) as caught:
        registry()["x"]
    assert str(caught.value).startswith("There is no task")


# ---- Classes that are no tasks -----------------------------------------------------------------------

PRIVATE = "_set_options"


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (5, "not a class"),
        (lambda: None, "not a class"),
        (int, "not a subclass of clx.ml.TrainingRun"),
        (TrainingRun, "it has no name"),
        (make_task(""), "it has no name"),
        (make_task(None), "it has no name"),
        (make_task("other"), "registered as 'mine', but its name is 'other'"),
        (make_task("a b"), "'a b' is not made of letters"),
        (make_task("../x"), "is not made of letters"),
        (make_task(5), "is not made of letters"),
        (make_task("mine", aliases="short"), "aliases must be a tuple"),
        (make_task("mine", pipeline_args={}), "pipeline_args must be a dict"),
        (make_task("mine", pipeline_args={"task": 5}), "pipeline_args must be a dict"),
        (
            make_task("mine", predict_args=property(lambda self: {"top_k": 1})),
            "but is a property: it has to be a class attribute with a plain value",
        ),
        (
            make_task("mine", predict_args=lambda self: {}),
            "predict_args must be a dict, but is a function: it has to be a class attribute",
        ),
        (make_task("mine", predict_args=None), "predict_args must be a dict"),
        (make_task("mine", dataset_cols="labels"), "dataset_cols must be a list"),
        (make_task("mine", dataset_cols=[]), "dataset_cols must be a list"),
        (make_task("mine", add_config_attrs="x"), "add_config_attrs must be a list"),
        (make_task("mine", add_config_attrs=["a b"]), "'a b' is not a valid attribute"),
        (make_task("mine", add_config_attrs=["1st"]), "'1st' is not a valid attribute"),
        (make_task("mine", add_config_attrs=["run-name"]), "'run-name' is a name of the base"),
        (make_task("mine", add_config_attrs=["predict"]), "'predict' is a name of the base"),
        (make_task("mine", add_config_attrs=["load"]), "'load' is a name of"),
        (make_task("mine", add_config_attrs=["verify"]), "'verify' is a name of"),
        (make_task("mine", load_model=TrainingRun.load_model), "not implement load_model"),
        (
            make_task("mine", validate_data_format=TrainingRun.validate_data_format),
            "not implement validate_data_format",
        ),
        (make_task("mine", **{PRIVATE: lambda self: None}), f"overrides {PRIVATE}"),
    ],
)
def test_wrong_classes_are_refused_at_first_use(module, candidate, said):
    module.Task, module.Fine = candidate, make_task("fine", qualname="Fine")
    tasks = registry(distribution("acme", ("mine", "fake_tasks:Task"), ("fine", "fake_tasks:Fine")))
    assert list(tasks) == ["fine", "mine"]
    with pytest.raises(PluginError) as caught:
        tasks["mine"]
    assert said in str(caught.value)
    assert "The task 'mine' of acme 1.0 (fake_tasks:Task)" in str(caught.value)
    assert tasks["fine"] is module.Fine


def test_all_faults_of_a_class_are_listed_at_once(module):
    module.Task = make_task(
        "mine",
        pipeline_args=[],
        dataset_cols=None,
        add_config_attrs=["a b", "model-args"],
        load_model=TrainingRun.load_model,
    )
    with pytest.raises(PluginError) as caught:
        registry(distribution("acme", ("mine", "fake_tasks:Task")))["mine"]
    faults = [line for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert len(faults) == 5


def test_a_class_of_five_definitions_is_a_task(module):
    class Minimal(TrainingRun):
        name = "minimal"
        pipeline_args = {"task": "text-classification"}

        def validate_data_format(self, data):
            pass

        def load_model(self, model_name=None):
            pass

        def tokenize(self, examples):
            pass

    assert registry().register(Minimal) is Minimal


# ---- Aliases -----------------------------------------------------------------------------------------


def test_alias_with_an_entry_point_of_its_own(module):
    module.Task = make_task("full-name", aliases=("short",))
    points = ("full-name", "fake_tasks:Task"), ("short", "fake_tasks:Task")
    tasks = registry(distribution("acme", *points))
    assert tasks["short"] is tasks["full-name"] is module.Task
    assert list(tasks) == ["full-name", "short"]


def test_alias_that_only_the_class_declares(module):
    module.Task = make_task("full-name", aliases=["short"])
    module.Other = make_task("other", qualname="Other")
    tasks = registry(
        distribution("acme", ("full-name", "fake_tasks:Task"), ("other", "fake_tasks:Other")),
        distribution("zeta", ("broken", "fake_tasks:Missing")),
    )
    assert tasks["short"] is module.Task
    assert list(tasks) == ["broken", "full-name", "other"]


def test_alias_that_two_classes_declare_is_a_conflict(module):
    module.One = make_task("one", aliases=("x",), qualname="One")
    module.Two = make_task("two", aliases=("x",), qualname="Two")
    tasks = registry(
        distribution("acme", ("one", "fake_tasks:One")),
        distribution("zeta", ("two", "fake_tasks:Two")),
    )
    with pytest.raises(DuplicateTaskError, match="fake_tasks:One and by fake_tasks:Two"):
        tasks["x"]
    assert tasks["one"] is module.One


def test_a_full_name_wins_over_somebodys_alias(module):
    module.One = make_task("one", aliases=("two",), qualname="One")
    module.Two = make_task("two", qualname="Two")
    tasks = registry(
        distribution("acme", ("one", "fake_tasks:One")),
        distribution("zeta", ("two", "fake_tasks:Two")),
    )
    assert tasks["two"] is module.Two


# ---- register ----------------------------------------------------------------------------------------


def test_register_as_a_call_and_as_a_decorator():
    tasks = registry()
    task = make_task("mine", aliases=("m",))
    assert tasks.register(task) is task
    assert tasks["mine"] is tasks["m"] is task
    assert list(tasks) == ["m", "mine"]

    @tasks.register
    class Decorated(TrainingRun):
        name = "decorated"
        pipeline_args = {"task": "text-classification"}
        validate_data_format = load_model = lambda self, *args: None

    assert tasks["decorated"] is Decorated
    assert tasks.entry("decorated").registered is Decorated


def test_registering_the_same_module_and_name_again_replaces(module):
    tasks = registry()
    first, second = make_task("mine"), make_task("mine")
    tasks.register(first)
    assert tasks["mine"] is first
    tasks.register(second)
    assert tasks["mine"] is second
    assert len(tasks) == 1


def test_registering_again_takes_away_what_the_class_no_longer_claims():
    tasks = registry()
    tasks.register(make_task("mine", aliases=("old",)))
    assert tasks["old"].name == "mine"
    tasks.register(make_task("mine", aliases=("new",)))
    assert list(tasks) == ["mine", "new"]
    with pytest.raises(TaskNotFoundError):
        tasks["old"]


def test_another_class_with_a_taken_name_or_alias_is_refused():
    tasks = registry()
    first = tasks.register(make_task("mine", aliases=("m",)))
    for name, aliases in (("mine", ()), ("m", ()), ("other", ("m",))):
        with pytest.raises(DuplicateTaskError, match="fake_tasks:Task"):
            tasks.register(make_task(name, aliases, qualname="Another"))
    assert tasks["mine"] is first
    assert list(tasks) == ["m", "mine"]


def test_registered_class_and_a_distribution_with_its_name_conflict(module):
    module.Task = make_task("mine")
    tasks = registry(distribution("acme", ("mine", "fake_tasks:Task")))
    tasks.register(make_task("mine", qualname="Another"))
    with pytest.raises(DuplicateTaskError) as caught:
        tasks["mine"]
    assert "acme 1.0" in str(caught.value)
    assert "fake_tasks:Another" in str(caught.value)


def test_class_of_a_distribution_may_be_edited_in_a_notebook(module):
    module.Task = make_task("mine")
    tasks = registry(distribution("acme", ("mine", "fake_tasks:Task")))
    assert tasks["mine"] is module.Task
    edited = tasks.register(make_task("mine"))
    assert tasks["mine"] is edited


@pytest.mark.parametrize("candidate", [5, int, make_task("mine", pipeline_args={}), TrainingRun])
def test_register_refuses_what_is_no_task(candidate):
    tasks = registry()
    with pytest.raises(PluginError, match="is not a valid task"):
        tasks.register(candidate)
    assert len(tasks) == 0


def test_unregister_takes_the_name_and_its_aliases_away():
    tasks = registry()
    tasks.register(make_task("mine", aliases=("m",)))
    assert tasks["mine"] is tasks["m"]
    tasks.unregister("m")
    assert list(tasks) == []
    for name in ("mine", "m"):
        with pytest.raises(TaskNotFoundError):
            tasks[name]
    with pytest.raises(TaskNotFoundError, match="No task 'mine'"):
        tasks.unregister("mine")
