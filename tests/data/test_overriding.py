"""One method of one object is replaced; its class and all other objects stay as they are."""

import pytest

from clx.ml.data.overriding import copy_overriding, overriding


class Greeter:
    def __init__(self, name):
        self.name = name

    def __call__(self, greeting="hello", **more):
        return f"{greeting} {self.name}"


class Polite(Greeter):
    def __call__(self, *args, **more):
        return "dear: " + super().__call__(*args, **more)


def shouting(greeter, inherited, /, *args, **kwargs):
    return f"{inherited(*args, **kwargs).upper()} ({type(greeter).__name__})"


@pytest.mark.parametrize("kind", [Greeter, Polite])
def test_a_copy_has_the_method_and_the_original_does_not(kind):
    original = kind("Ann")
    copied = copy_overriding(original, "__call__", shouting)
    assert copied("bye", tokenize=True) == f"{original('bye').upper()} ({kind.__name__})"
    assert copied.name == "Ann"
    assert type(original) is kind


def test_the_class_passes_for_the_original_one():
    kind = type(copy_overriding(Polite("Ann"), "__call__", shouting))
    assert issubclass(kind, Polite)
    assert (kind.__name__, kind.__qualname__, kind.__module__) == ("Polite", "Polite", __name__)


def test_copies_of_copies_call_one_another():
    copied = copy_overriding(Greeter("Ann"), "__call__", lambda _, call, *args: f"<{call(*args)}>")
    assert copy_overriding(copied, "__call__", shouting)("hi") == "<HI ANN> (Greeter)"


def test_a_method_patched_on_the_class_afterwards_is_the_one_that_is_called(monkeypatch):
    copied = copy_overriding(Greeter("Ann"), "__call__", shouting)
    monkeypatch.setattr(Greeter, "__call__", lambda self: "patched")
    assert copied() == "PATCHED (Greeter)"


def test_the_object_itself_has_the_method_until_the_block_ends():
    greeter = Greeter("Ann")
    with overriding(greeter, "__call__", shouting):
        assert greeter() == "HELLO ANN (Greeter)"
    assert greeter() == "hello Ann"
    assert type(greeter) is Greeter


def test_the_method_is_back_after_an_error():
    greeter = Greeter("Ann")
    with pytest.raises(KeyError), overriding(greeter, "__call__", shouting):
        raise KeyError
    assert greeter() == "hello Ann"
