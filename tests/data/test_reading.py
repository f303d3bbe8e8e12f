"""Reading options: clx checks the arguments of a call and passes them to the hook."""

import pytest

from clx.errors import ConfigError
from clx.ml import hookimpl, register_plugin, training_run, unregister_plugin
from clx.ml.data import Reading, to_frame
from clx.ml.data.reading import reading_of
from conftest import fruit_frame


@pytest.mark.parametrize(
    ("arguments", "reading"),
    [
        ({}, Reading()),
        ({"separator": ";", "encoding": "CP1252"}, Reading(";", "CP1252")),
        ({"separator": "\t", "header": False}, Reading("\t", header=False)),
        ({"header": ["a", "b"]}, Reading(header=("a", "b"))),
    ],
)
def test_arguments_of_a_call_become_one_value(arguments, reading):
    assert reading_of(**arguments) == reading
    hash(reading_of(**arguments))


@pytest.mark.parametrize(
    "wrong",
    [
        {"separator": ""},
        {"separator": ";;"},
        {"separator": '"'},
        {"separator": "\n"},
        {"separator": "¦"},
        {"separator": 1},
        {"encoding": "utf-9"},
        {"encoding": "hex"},
        {"encoding": "utf-8\0"},
        {"encoding": ""},
        {"encoding": 1252},
        {"header": "a,b"},
        {"header": []},
        {"header": ["a", "a"]},
        {"header": ["a", ""]},
        {"header": ["a", 1]},
        {"header": None},
        {"header": 0},
    ],
)
def test_wrong_arguments_are_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError) as error:
        reading_of(**wrong)
    assert f"{name} must be" in str(error.value)
    assert repr(value) in str(error.value)


def test_all_wrong_arguments_are_listed_together():
    with pytest.raises(ConfigError) as error:
        reading_of(";;", "utf-9", "a,b")
    assert all(
        f"{name} must be" in str(error.value) for name in ("separator", "encoding", "header")
    )


@pytest.fixture
def opened():
    """What two plugins were asked to open, the second of them written for an earlier clx."""
    asked = []
    rows = fruit_frame(24)

    class New:
        @hookimpl
        def clx_open_data(self, source, reading):
            asked.append(reading)
            return rows if source == "new:" else None

    class Old:
        @hookimpl
        def clx_open_data(self, source):
            return rows if source == "old:" else None

    for plugin in (New, Old):
        register_plugin(plugin)
    yield asked
    for plugin in (New, Old):
        unregister_plugin(plugin)


def test_plugins_with_and_without_the_parameter_open_data(opened):
    reading = Reading(";")
    assert len(to_frame("old:", reading=reading)) == 24
    assert opened == []
    assert len(to_frame("new:", reading=reading)) == 24
    assert opened == [reading]


HOW = {"separator": ";", "encoding": "cp1252", "header": ["text", "label"]}


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        lambda run, how: run.evaluate("new:", **how),
        lambda run, how: run.compare(run, "new:", **how),
        lambda run, how: run.report(None, "new:", **how),
        lambda run, how: run.check("new:", "new:", **how),
        lambda run, how: run.find_label_errors("new:", folds=2, **how),
        lambda run, how: run.predict_frame("new:", **how),
        lambda run, how: run.train("new:", "new:", overwrite=True, fine_tune=False, **how),
    ],
    ids=["evaluate", "compare", "report", "check", "find_label_errors", "predict_frame", "train"],
)
def test_every_verb_passes_it_on(opened, trained, call, wrong):
    run = training_run(load=trained)
    if wrong:
        with pytest.raises(ConfigError, match="separator must be"):
            call(run, {"separator": ";;"})
        assert opened == []
        return
    call(run, HOW)
    assert set(opened) == {Reading(";", "cp1252", ("text", "label"))}


def test_file_without_a_heading_in_another_encoding(trained, tmp_path):
    run, frame = training_run(load=trained), fruit_frame(12)
    frame["note"] = "für"
    columns = list(frame)
    path = tmp_path / "a.csv"
    frame.to_csv(path, sep=";", encoding="cp1252", header=False, index=False)
    how = {"separator": ";", "encoding": "cp1252", "header": columns}
    assert run.evaluate(path, **how).metrics == run.evaluate(frame).metrics
    assert run.predict_frame(path, **how).equals(run.predict_frame(frame))
    assert to_frame(path, reading=reading_of(**how)).equals(to_frame(frame).astype(str))
