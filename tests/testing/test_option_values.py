"""How the kit finds values for a task's own options."""

from types import SimpleNamespace

from clx.testing.option_values import change_options


def make_run(scale=1.0, mode="fast", size=3, learned=None):
    """Return a run that ignores ``size`` and accepts only two modes."""
    if mode not in ("fast", "a"):
        raise ValueError(mode)
    return SimpleNamespace(scale=scale, mode=mode, size=3, learned=learned)


def untrained():
    raise RuntimeError("no training here")


def test_values_differ_from_the_defaults_and_lost_ones_are_named():
    changed = change_options(["scale", "mode", "size"], {}, make_run, untrained)
    assert changed.values == {"scale": 0.5, "mode": "a"}
    assert changed.lost == ["size"]
    assert changed.not_found == []


def test_options_that_accept_only_their_default_are_named():
    def strict(mode="only"):
        if mode != "only":
            raise ValueError(mode)
        return SimpleNamespace(mode=mode)

    changed = change_options(["mode"], {}, strict, untrained)
    assert (changed.values, changed.lost, changed.not_found) == ({}, [], ["mode"])


def test_what_the_author_gives_and_what_training_learns_come_first():
    changed = change_options(
        ["scale", "learned"],
        {"scale": 7.0},
        make_run,
        lambda: SimpleNamespace(learned=["from", "data"]),
    )
    assert changed.values == {"scale": 7.0, "learned": ["from", "data"]}
    assert change_options(["size"], {"size": 9}, make_run, untrained).lost == ["size"]
