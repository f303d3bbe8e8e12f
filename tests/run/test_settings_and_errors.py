"""Where things are kept, what errors inherit from, and how messages are made."""

import inspect
import pickle
from pathlib import Path

import pytest

import clx.settings
from clx import errors
from clx.errors import ClxError
from clx.problems import cell, closest, did_you_mean, examples, names, raise_problems, report

# DESIGN.md 4: each leaf is the builtin that a caller would expect, too.
BUILTIN = {
    "TaskNotFoundError": KeyError,
    "PluginError": Exception,
    "DuplicateTaskError": errors.PluginError,
    "ConfigError": ValueError,
    "UnknownArgumentError": TypeError,
    "UnknownAttributeError": AttributeError,
    "DataFormatError": ValueError,
    "RunDirError": OSError,
    "RunNotFoundError": FileNotFoundError,
    "RunExistsError": FileExistsError,
    "RunBusyError": errors.RunDirError,
    "DiskFullError": errors.RunDirError,
    "TrainingError": RuntimeError,
    "OutOfMemoryError": MemoryError,
    "ExportError": RuntimeError,
    "CascadeError": ValueError,
    "UnfinishedError": RuntimeError,
    "NotPublishedError": ValueError,
    "NotTrainedError": RuntimeError,
    "ResumeError": RuntimeError,
    "ModelNotFoundError": OSError,
    "ModelError": ValueError,
    "HubError": OSError,
    "MissingDependencyError": ImportError,
}


# ---- LOCAL_DATA_DIR ----------------------------------------------------------------------------------


def test_the_variable_is_read_at_each_access(tmp_path, monkeypatch):
    for name in ("one", "two"):
        monkeypatch.setenv("LOCAL_DATA_DIR", str(tmp_path / name))
        from clx.settings import LOCAL_DATA_DIR

        assert tmp_path / name == LOCAL_DATA_DIR == clx.settings.LOCAL_DATA_DIR
        assert clx.settings.runs_dir() == tmp_path / name / "runs"
    assert list(tmp_path.iterdir()) == []


def test_it_is_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_DATA_DIR", "here/there")
    assert tmp_path / "here" / "there" == clx.settings.LOCAL_DATA_DIR
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCAL_DATA_DIR", "~/mine")
    assert tmp_path / "mine" == clx.settings.LOCAL_DATA_DIR
    assert isinstance(clx.settings.LOCAL_DATA_DIR, Path)


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_it_is_the_platforms_folder(monkeypatch, value):
    import platformdirs

    monkeypatch.delenv("LOCAL_DATA_DIR")
    if value is not None:
        monkeypatch.setenv("LOCAL_DATA_DIR", value)
    assert Path(platformdirs.user_data_dir("clx", appauthor=False)) == clx.settings.LOCAL_DATA_DIR
    assert clx.settings.LOCAL_DATA_DIR.is_absolute()


def test_there_is_nothing_else_in_settings():
    with pytest.raises(AttributeError, match="OTHER"):
        _ = clx.settings.OTHER


# ---- Errors ------------------------------------------------------------------------------------------


def leaves():
    kinds = vars(errors).values()
    return [
        k for k in kinds if isinstance(k, type) and issubclass(k, ClxError) and k is not ClxError
    ]


def test_every_error_is_in_the_table():
    assert {kind.__name__ for kind in leaves()} == set(BUILTIN)
    assert len(BUILTIN) == 24


@pytest.mark.parametrize("name", BUILTIN)
def test_errors_are_also_what_a_caller_would_catch(name):
    kind = getattr(errors, name)
    assert issubclass(kind, ClxError)
    assert issubclass(kind, BUILTIN[name])
    with pytest.raises(BUILTIN[name]):
        raise kind("message")


@pytest.mark.parametrize("name", ["ClxError", *BUILTIN])
def test_messages_are_shown_as_they_are(name):
    kind = getattr(errors, name)
    message = "There is no 'x'.\n  - one\n  - two"
    assert str(kind(message)) == message
    assert f"{kind(message)}" == message
    assert str(kind()) == ""
    copy = pickle.loads(pickle.dumps(kind(message)))
    assert (type(copy), str(copy)) == (kind, message)


@pytest.mark.parametrize("kind", [ClxError, errors.ClxWarning, *leaves()])
def test_the_docstring_is_the_remedy(kind):
    doc = vars(kind)["__doc__"]
    assert doc == inspect.cleandoc(doc)
    assert len(doc) > 40
    assert doc.endswith(".")


def test_warnings_are_user_warnings():
    assert issubclass(errors.ClxWarning, UserWarning)
    assert not issubclass(errors.ClxWarning, ClxError)


# ---- Messages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("lerning_rate", ["learning_rate", "weight_decay"], "learning_rate"),
        ("Learning-Rate", ["learning_rate"], "learning_rate"),
        ("fruits", ["fruit", "animal"], "fruit"),
        ("zzz", ["fruit", "animal"], None),
        ("x", [], None),
        ("", ["a"], None),
    ],
)
def test_closest(name, candidates, expected):
    assert closest(name, candidates) == expected
    hint = did_you_mean(name, candidates)
    assert hint == ("" if expected is None else f"; did you mean {expected!r}?")


def test_cells_are_their_repr_cut_short():
    assert cell("a") == "'a'"
    assert cell("x" * 58) == repr("x" * 58)
    assert len(cell("x" * 59)) == 60
    assert cell("x" * 5000).endswith("x…'")
    # Between two words, if that leaves more than half.
    assert cell(f"{'some words ' * 5}and more words") == f"'{'some words ' * 5}…'"
    assert cell(f"a {'x' * 5000}").endswith("x…'")
    assert len(cell(list(range(500)))) <= 60
    assert "\n" not in cell("a\nb")
    assert cell("\ud800").isascii()


def test_examples_are_at_most_five():
    assert examples([1, 2]) == "1, 2"
    assert examples(range(5)) == "0, 1, 2, 3, 4"
    assert examples(range(8)) == "0, 1, 2, 3, 4 and 3 more"
    assert examples([]) == ""


def test_names_say_when_there_is_none():
    assert names(["a", "b"]) == "a, b"
    assert names([]) == "(none)"


def test_reports_list_at_most_ten_problems_and_the_remedy():
    assert report("Wrong:", ["a", "b"], "Do this.") == "Wrong:\n  - a\n  - b\nDo this."
    long = report("Wrong:", [str(i) for i in range(12)])
    assert long.splitlines()[-2:] == ["  - 9", "  … and 2 more problems"]
    assert "more problems" not in report("Wrong:", [str(i) for i in range(10)])


def test_problems_are_raised_together_or_not_at_all():
    raise_problems(errors.ConfigError, "Wrong:", [])
    with pytest.raises(errors.ConfigError) as caught:
        raise_problems(errors.ConfigError, "Wrong:", ["a", "b"], "Do this.")
    assert str(caught.value) == "Wrong:\n  - a\n  - b\nDo this."
