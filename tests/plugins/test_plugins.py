"""Hooks: who is called with what, which result counts, and what a broken plugin does."""

import inspect
import sys
import types
import warnings
from types import SimpleNamespace

import pytest
from importlib_metadata import EntryPoint

from clx.errors import ClxWarning, DataFormatError, PluginError
from clx.ml import hookimpl
from clx.ml.data import Reading
from clx.ml.plugins import Plugins, hookspecs
from clx.ml.plugins.manager import BUILT_IN, GROUP

HOOKS = {
    "clx_resolve_base_model": {"name": "x/y"},
    "clx_open_data": {"source": "somewhere", "reading": Reading()},
    "clx_training_arguments": {"run": None, "rows": 5, "has_eval": True},
    "clx_before_training": {"run": None, "train_data": 1, "eval_data": None},
    "clx_trainer_callbacks": {"run": None, "work_dir": None},
    "clx_after_training": {"run": None, "result": None},
    "clx_after_evaluation": {"run": None, "evaluation": None},
    "clx_after_prediction": {"run": None, "texts": ["a"], "predictions": [1]},
    "clx_report_sections": {"run": None, "evaluation": None},
    "clx_commands": {},
}
FIRST_RESULT = {"clx_resolve_base_model", "clx_open_data"}


class Giving:
    """A plugin that answers one hook, and keeps what it was called with."""

    def __init__(self, hook, value):
        self.calls = []

        # pluggy looks at the names of the arguments: a function of exactly those is made.
        names = ", ".join(HOOKS[hook])
        pairs = ", ".join(f"{name}={name}" for name in HOOKS[hook])
        answer = eval(f"lambda {names}: called({pairs})", {"called": self.called})
        self.value = value
        answer.__name__ = hook
        setattr(self, hook, hookimpl(answer))

    def called(self, **arguments):
        self.calls.append(arguments)
        return self.value


def none_installed(built_in=()):
    return Plugins(distributions=[], built_in=built_in)


def distribution(name, *points, version="1.0"):
    return SimpleNamespace(
        metadata={"Name": name},
        version=version,
        read_text=lambda file: f"[{GROUP}]\n",
        entry_points=[EntryPoint(point, value, GROUP) for point, value in points],
    )


@pytest.fixture
def module(monkeypatch):
    """Return a function that makes a plugin importable as a module."""

    def add(name, plugin):
        fake = types.ModuleType(name)
        for key, value in vars(plugin).items():
            if key.startswith("clx_"):
                setattr(fake, key, value)
        monkeypatch.setitem(sys.modules, name, fake)

    return add


def test_the_table_above_has_every_hook():
    specs = {name for name in vars(hookspecs) if name.startswith("clx_")}
    assert specs == set(HOOKS) == set(hookspecs.DOING)
    for name in specs:
        assert len(inspect.getdoc(getattr(hookspecs, name))) > 80, name


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_gives_what_its_plugins_return(hook):
    plugins = none_installed()
    first, second = Giving(hook, ["one"]), Giving(hook, ["two"])
    plugins.register(first)
    plugins.register(second)
    result = plugins.call(hook, **HOOKS[hook])
    if hook in FIRST_RESULT:
        assert result == ["two"]
        assert (first.calls, second.calls) == ([], [HOOKS[hook]])
    else:
        assert sorted(result) == [["one"], ["two"]]
        assert (first.calls, second.calls) == ([HOOKS[hook]], [HOOKS[hook]])


@pytest.mark.parametrize("hook", HOOKS)
def test_none_leaves_it_to_others(hook):
    plugins = none_installed()
    assert plugins.call(hook, **HOOKS[hook]) in (None, [])
    plugins.register(Giving(hook, ["kept"]))
    plugins.register(Giving(hook, None))
    expected = ["kept"] if hook in FIRST_RESULT else [["kept"]]
    assert plugins.call(hook, **HOOKS[hook]) == expected


def test_core_is_asked_last(tmp_path):
    plugins = none_installed(BUILT_IN)
    (tmp_path / "data.csv").write_text("text,label\na,b\n")
    source = str(tmp_path / "data.csv")
    assert plugins.call("clx_open_data", source=source, reading=Reading())["text"].tolist() == ["a"]
    plugins.register(Giving("clx_open_data", "theirs"))
    assert plugins.call("clx_open_data", source=source, reading=Reading()) == "theirs"
    plugins.register(Giving("clx_resolve_base_model", "their folder"))
    default = "sentence-transformers/all-MiniLM-L6-v2"
    assert plugins.call("clx_resolve_base_model", name=default) == "their folder"


def test_built_in_modules_load():
    plugins = none_installed(BUILT_IN)
    assert plugins.failures == []
    assert len(BUILT_IN) == 4


# ---- Finding -----------------------------------------------------------------------------------------


def test_entry_points_are_loaded_and_restricted(module):
    module("acme_hooks", Giving("clx_open_data", "acme"))
    module("zeta_hooks", Giving("clx_open_data", "zeta"))
    both = [distribution("acme", ("a", "acme_hooks")), distribution("zeta", ("z", "zeta_hooks"))]
    for allow, expected in (("acme", "acme"), ("Zeta", "zeta"), ("", None)):
        plugins = Plugins(distributions=both, built_in=(), allow=allow)
        assert plugins.call("clx_open_data", source="x", reading=Reading()) == expected
    assert Plugins(both, built_in=()).call("clx_open_data", source="x", reading=Reading()) in (
        "acme",
        "zeta",
    )


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("no_such_module_at_all", ModuleNotFoundError),
        ("json:nothing", AttributeError),
        ("", Exception),
        ("exits_at_import", SystemExit),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_left_out(tmp_path, monkeypatch, module, value, cause):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "exits_at_import.py").write_text("import sys; sys.exit(3)")
    module("fine_hooks", Giving("clx_open_data", "fine"))
    bad = distribution("acme", version="1.5")
    bad.entry_points = [SimpleNamespace(name="bad", value=value, group=GROUP)]
    with pytest.warns(ClxWarning, match=r"'bad' of acme 1\.5 is left out") as caught:
        plugins = Plugins([bad, distribution("good", ("fine", "fine_hooks"))], built_in=())
    assert len(caught) == 1
    assert [(f.origin, f.what) for f in plugins.failures] == [("acme 1.5", "bad")]
    assert isinstance(plugins.failures[0].cause, cause)
    assert plugins.call("clx_open_data", source="x", reading=Reading()) == "fine"


def test_two_distributions_may_call_their_plugin_the_same(module):
    module("acme_hooks", Giving("clx_trainer_callbacks", ["acme"]))
    module("zeta_hooks", Giving("clx_trainer_callbacks", ["zeta"]))
    both = [
        distribution("acme", ("hooks", "acme_hooks")),
        distribution("z", ("hooks", "zeta_hooks")),
    ]
    plugins = Plugins(both, built_in=())
    result = plugins.call("clx_trainer_callbacks", run=None, work_dir=None)
    assert sorted(result) == [["acme"], ["zeta"]]


def test_the_same_distribution_twice_is_loaded_once(module):
    module("acme_hooks", Giving("clx_trainer_callbacks", ["acme"]))
    twice = [distribution("acme", ("a", "acme_hooks")) for _ in range(2)]
    plugins = Plugins(twice, built_in=())
    assert plugins.call("clx_trainer_callbacks", run=None, work_dir=None) == [["acme"]]


def test_unreadable_metadata_is_a_failure_that_harms_nobody(module):
    module("fine_hooks", Giving("clx_open_data", "fine"))
    garbled = distribution("garbled")
    del garbled.entry_points
    plugins = Plugins([garbled, distribution("good", ("fine", "fine_hooks"))], built_in=())
    assert [failure.origin for failure in plugins.failures] == ["garbled"]
    assert plugins.call("clx_open_data", source="x", reading=Reading()) == "fine"


# ---- Wrong hooks -------------------------------------------------------------------------------------


class Misspelt:
    @hookimpl
    def clx_open_date(self, source):
        return "wrong"


class UnknownArgument:
    @hookimpl
    def clx_open_data(self, source, colour):
        return "wrong"


@pytest.mark.parametrize(
    ("plugin", "said"), [(Misspelt(), "clx_open_date"), (UnknownArgument(), "colour")]
)
def test_wrong_hooks_are_refused_when_registered(plugin, said):
    plugins = none_installed()
    plugins.register(Giving("clx_open_data", "fine"))
    with pytest.raises(PluginError, match=said):
        plugins.register(plugin, name="acme")
    assert plugins.call("clx_open_data", source="x", reading=Reading()) == "fine"
    plugins.register(Giving("clx_open_data", None))  # nothing of the wrong one is left pending


def test_registering_an_object_twice_keeps_it_once():
    plugins = none_installed()
    plugin = Giving("clx_trainer_callbacks", ["one"])
    plugins.register(plugin)
    with pytest.raises(PluginError, match="already registered"):
        plugins.register(plugin)
    assert plugins.call("clx_trainer_callbacks", run=None, work_dir=None) == [["one"]]


def test_unregister():
    plugins = none_installed()
    plugin = Giving("clx_open_data", "here")
    plugins.register(plugin)
    plugins.unregister(plugin)
    assert plugins.call("clx_open_data", source="x", reading=Reading()) is None


# ---- Hooks that raise --------------------------------------------------------------------------------


class Raises:
    def __init__(self, error):
        self.error = error

    @hookimpl
    def clx_open_data(self, source):
        def deeper():
            raise self.error

        deeper()


def test_a_hook_that_raises_names_plugin_distribution_and_hook(module):
    error = RuntimeError("boom")

    @hookimpl
    def clx_open_data(source):
        raise error

    module("acme_hooks", SimpleNamespace(clx_open_data=clx_open_data))
    plugins = Plugins([distribution("acme", ("ours", "acme_hooks"), version="1.5")], built_in=())
    plugins.register(Giving("clx_resolve_base_model", "innocent"))
    with pytest.raises(PluginError) as caught:
        plugins.call("clx_open_data", source="x", reading=Reading())
    assert (
        "'ours' of acme 1.5 raised RuntimeError in clx_open_data: boom (while opening the data)"
        in str(caught.value)
    )
    assert caught.value.__cause__ is error


def test_the_culprit_is_told_from_its_neighbours():
    plugins = none_installed()
    plugins.register(Raises(ZeroDivisionError("no")), name="guilty")
    plugins.register(Giving("clx_open_data", None), name="innocent")
    with pytest.raises(PluginError, match="'guilty' of this process raised ZeroDivisionError"):
        plugins.call("clx_open_data", source="x", reading=Reading())


def test_an_error_of_clx_reaches_the_user_as_it_is():
    error = DataFormatError("row 3 is odd")
    plugins = none_installed()
    plugins.register(Raises(error))
    with pytest.raises(DataFormatError) as caught:
        plugins.call("clx_open_data", source="x", reading=Reading())
    assert caught.value is error


def test_a_hook_that_exits_does_not_end_its_host():
    plugins = none_installed()
    plugins.register(Raises(SystemExit(3)), name="rude")
    with pytest.raises(PluginError, match="'rude' of this process raised SystemExit"):
        plugins.call("clx_open_data", source="x", reading=Reading())


def test_plugin_by_plugin_in_pluggys_order_with_who_said_what():
    plugins = none_installed()

    class First:
        @hookimpl(tryfirst=True)
        def clx_report_sections(self):
            return ["first"]

    class Last:
        @hookimpl(trylast=True)
        def clx_report_sections(self, run):
            return ["last"]

    plugins.register(Last, "last")
    plugins.register(First, "first")
    plugins.register(Giving("clx_report_sections", ["middle"]), "middle")
    plugins.register(Giving("clx_report_sections", None), "silent")
    results = list(plugins.each("clx_report_sections", list, run=None, evaluation=None))
    assert [result for _, result in results] == [["first"], ["middle"], ["last"]]
    assert [plugin.name for plugin, _ in results] == ["'first'", "'middle'", "'last'"]


def test_a_result_of_another_type_names_its_plugin(module):
    module("acme_hooks", Giving("clx_training_arguments", [1]))
    plugins = Plugins([distribution("acme", ("ours", "acme_hooks"), version="1.5")], built_in=())
    with pytest.raises(PluginError, match=r"'ours' of acme 1\.5 must return a dict from clx_tr"):
        list(plugins.each("clx_training_arguments", dict, **HOOKS["clx_training_arguments"]))


def test_what_raises_when_called_by_turns_names_its_plugin():
    plugins = none_installed()

    class Guilty:
        @hookimpl
        def clx_commands(self):
            raise LookupError("gone")

    plugins.register(Giving("clx_commands", []), "innocent")
    plugins.register(Guilty, "guilty")
    with pytest.raises(PluginError, match=r"'guilty' of this process raised LookupError.*ands"):
        list(plugins.each("clx_commands", list))


def test_what_is_loaded(module):
    module("acme_hooks", Giving("clx_open_data", "acme"))
    both = [distribution("acme", ("ours", "acme_hooks"), version="1.5")]
    plugins = Plugins(distributions=both, built_in=BUILT_IN)
    plugins.register(Giving("clx_commands", []), "mine")
    found = {plugin.name: plugin for plugin in plugins.loaded()}
    assert list(found) == [*BUILT_IN, "ours", "'mine'"]
    assert (found["ours"].distribution, found["ours"].version) == ("acme", "1.5")
    assert found["ours"].hooks == ("clx_open_data",)
    assert (found["'mine'"].distribution, found["'mine'"].hooks) == (None, ("clx_commands",))
    assert found[BUILT_IN[0]].distribution == "clx-core"
    plugins.unregister("mine")
    assert [plugin.name for plugin in plugins.loaded()] == [*BUILT_IN, "ours"]


def test_an_object_without_hooks_is_refused():
    plugins = none_installed()
    with pytest.raises(PluginError, match=r"has no hook.*@hookimpl"):
        plugins.register(object(), name="empty")
    assert plugins.loaded() == []


def test_registering_in_the_process_from_the_facade():
    from clx.ml import register_plugin, unregister_plugin
    from clx.ml.data import to_frame
    from clx.ml.plugins import plugins

    for version in ("one", "two"):  # as a notebook cell that is run twice

        @register_plugin
        class Constants:
            text = version

            @hookimpl
            def clx_open_data(self, source):
                import pandas as pd

                return pd.DataFrame({"text": [self.text]}) if source == "constant:" else None

        assert isinstance(Constants, type)
        assert to_frame("constant:")["text"].tolist() == [version]
    mine = [plugin for plugin in plugins().loaded() if plugin.distribution is None]
    assert len(mine) == 1
    unregister_plugin(Constants)
    with pytest.raises(PluginError, match="not registered"):
        unregister_plugin(Constants)
    with pytest.raises(DataFormatError):
        to_frame("constant:")


def test_the_process_has_one_set_of_plugins():
    from clx.ml.plugins import plugins

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClxWarning)
        assert plugins() is plugins()
