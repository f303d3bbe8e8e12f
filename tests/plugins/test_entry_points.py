"""Entry points from metadata alone, in small pure steps over fabricated distributions."""

from types import SimpleNamespace

import pytest
from importlib_metadata import EntryPoint, PathDistribution

from clx.ml.plugins import entry_points
from clx.ml.plugins.entry_points import (
    FIRST_PARTY,
    Plugin,
    allowed,
    by_name,
    canonical,
    read,
    unique,
)

GROUP = "clx.tasks"


def plugin(name, distribution="acme", value="acme:Task", version="1.0"):
    return Plugin(name, value, distribution, version)


def distribution(name, *points, version="1.0", group=GROUP):
    """Return what importlib-metadata would give for a distribution; points are (name, value)."""
    return SimpleNamespace(
        metadata={"Name": name},
        version=version,
        read_text=lambda file: f"[{group}]\n" if file == "entry_points.txt" else None,
        entry_points=[EntryPoint(point, value, group) for point, value in points],
    )


def on_disk(folder, name, text, version="1.0"):
    """Return the distribution of a dist-info folder with this ``entry_points.txt``."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    if text is not None:
        (info / "entry_points.txt").write_text(text)
    return PathDistribution(info)


# ---- read --------------------------------------------------------------------------------------------


def test_read_keeps_the_points_of_the_group_with_their_distribution():
    found, failures = read(
        [
            distribution("Acme_Tasks", ("one", "acme.a:One"), ("two", "acme.b:Two"), version="3.1"),
            distribution("other", ("script", "other:main"), group="console_scripts"),
        ],
        GROUP,
    )
    assert found == [
        Plugin("one", "acme.a:One", "acme-tasks", "3.1"),
        Plugin("two", "acme.b:Two", "acme-tasks", "3.1"),
    ]
    assert failures == []


def test_read_real_metadata_and_none(tmp_path):
    text = "[console_scripts]\nx = a:b\n\n[clx.tasks]\nmy-task = my_package.sub:MyRun\n"
    found, failures = read(
        [
            on_disk(tmp_path, "my_package", text, "2.0"),
            on_disk(tmp_path, "plain", None),
            on_disk(tmp_path, "empty", ""),
        ],
        GROUP,
    )
    assert found == [Plugin("my-task", "my_package.sub:MyRun", "my-package", "2.0")]
    assert failures == []


@pytest.mark.parametrize("text", ["[clx.tasks]\nthis is no entry point\n", "[clx.tasks]\nname\n"])
def test_malformed_metadata_harms_nobody_else(tmp_path, text):
    good = on_disk(tmp_path, "good", "[clx.tasks]\nfine = good:Task\n")
    found, failures = read([on_disk(tmp_path, "bad", text), good], GROUP)
    assert [point.name for point in found] == ["fine"]
    assert [failure.origin for failure in failures] == ["bad"]
    assert isinstance(failures[0].cause, Exception)


def test_metadata_malformed_in_another_group_is_not_even_looked_at(tmp_path):
    found, failures = read([on_disk(tmp_path, "bad", "[console_scripts]\nnonsense\n")], GROUP)
    assert (found, failures) == ([], [])


def test_distribution_without_a_name_is_a_failure_that_says_where(tmp_path):
    good = on_disk(tmp_path, "good", "[clx.tasks]\nfine = good:Task\n")
    nameless = on_disk(tmp_path, "nameless", "[clx.tasks]\nx = y:Z\n")
    (tmp_path / "nameless-1.0.dist-info" / "METADATA").unlink()
    found, failures = read([nameless, good], GROUP)
    assert [point.name for point in found] == ["fine"]
    assert len(failures) == 1
    assert "nameless" in failures[0].origin


def test_read_text_that_raises_is_a_failure():
    def refuse(file):
        raise PermissionError(file)

    broken = distribution("broken", ("a", "b:C"))
    broken.read_text = refuse
    found, failures = read([broken, distribution("good", ("fine", "good:Task"))], GROUP)
    assert [point.name for point in found] == ["fine"]
    assert [(f.origin, type(f.cause)) for f in failures] == [("broken", PermissionError)]


# ---- unique, allowed, by_name ------------------------------------------------------------------------


def test_one_distribution_found_twice_is_one():
    twice = [distribution("acme", ("task", "acme:Task")) for _ in range(2)]
    found, _ = read(twice, GROUP)
    assert unique(found) == [plugin("task")]


def test_of_two_versions_of_one_distribution_the_first_on_the_path_counts():
    # An editable install and an old wheel: importing takes the first, so must we.
    found, _ = read(
        [
            distribution("acme", ("task", "acme.new:Task"), version="2.0"),
            distribution("Acme", ("task", "acme:Task"), ("gone", "acme:Gone"), version="1.0"),
        ],
        GROUP,
    )
    assert unique(found) == [plugin("task", value="acme.new:Task", version="2.0")]


def test_two_distributions_with_one_name_are_both_kept():
    both = [plugin("task"), plugin("task", "other", "other:Task")]
    assert unique(both) == both
    assert by_name(both) == {"task": tuple(both)}


def test_one_distribution_that_declares_a_name_twice_is_a_conflict_not_a_choice():
    both = [plugin("task"), plugin("task", value="acme:Other")]
    assert len(by_name(unique(both))["task"]) == 2


def test_by_name_sorts():
    assert list(by_name([plugin("b"), plugin("a"), plugin("c")])) == ["a", "b", "c"]


PLUGINS = [
    plugin("classification", "clx-tasks-classification"),
    plugin("mine", "my-plugin"),
    plugin("yours", "your-plugin"),
]


@pytest.mark.parametrize(
    ("allow", "names"),
    [
        (None, ["classification", "mine", "yours"]),
        ("", ["classification"]),
        (" , ", ["classification"]),
        ("my-plugin", ["mine"]),
        ("My_Plugin", ["mine"]),
        (" my.plugin , YOUR--plugin ", ["mine", "yours"]),
        ("clx_tasks_classification,my-plugin", ["classification", "mine"]),
        ("not-installed", []),
    ],
)
def test_allowed(allow, names):
    assert [point.name for point in allowed(PLUGINS, allow)] == names


def test_first_party_names_are_canonical():
    assert {canonical(name) for name in FIRST_PARTY} == FIRST_PARTY
    assert "clx-tasks-classification" in FIRST_PARTY


@pytest.mark.parametrize("spelling", ["my-plugin", "My_Plugin", "my.plugin", "MY-_.PLUGIN"])
def test_canonical(spelling):
    assert canonical(spelling) == "my-plugin"


# ---- load, distribution_of ---------------------------------------------------------------------------


def test_load_imports_the_attribute():
    assert plugin("x", value="collections:OrderedDict.fromkeys").load()("a") == {"a": None}
    assert plugin("x", value="json").load().__name__ == "json"


def test_origin_names_distribution_and_version():
    assert plugin("x", version="1.2").origin == "acme 1.2"
    assert plugin("x", version="").origin == "acme"


@pytest.fixture
def installed(monkeypatch):
    """Return a function that makes distributions the installed ones."""

    def set_to(*distributions):
        monkeypatch.setattr(entry_points, "installed_distributions", lambda: distributions)
        entry_points.distribution_of.cache_clear()

    yield set_to
    entry_points.distribution_of.cache_clear()


def test_distribution_of_a_module(installed):
    installed(
        distribution("acme-a", ("a", "acme_a:Run"), version="1.1"),
        distribution("acme-b", ("b", "acme_b.run:Run"), version="1.2"),
    )
    assert entry_points.distribution_of("acme_a.run") == ("acme-a", "1.1")
    assert entry_points.distribution_of("acme_b") == ("acme-b", "1.2")
    assert entry_points.distribution_of("acme") == (None, None)
    assert entry_points.distribution_of("__main__") == (None, None)


def test_distribution_of_a_module_in_a_namespace_that_others_share(installed):
    installed(
        distribution("acme-a", ("a", "acme.a:Run")),
        distribution("acme-b", ("b", "acme.b:Run")),
    )
    assert entry_points.distribution_of("acme.b.run")[0] == "acme-b"
    assert entry_points.distribution_of("acme.a")[0] == "acme-a"
