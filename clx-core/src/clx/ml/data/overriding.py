"""Replace one method of one object, such as the call of a tokenizer, and keep its class otherwise.

transformers checks what a tokenizer or a pipeline is with ``isinstance``, and saves the name of its
class. Python looks up ``__call__`` on the class, never on the object. So the object gets a subclass of
its own class, under the name of that class.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

Method = Callable[..., Any]
"""Called with the object, the method that it replaces, bound to the object, and the arguments."""


def copy_overriding(original: T, name: str, method: Method) -> T:
    """Return a shallow copy of an object on which ``method`` replaces the method ``name``.

    Classes are in reference cycles. A ``method`` that refers to a model therefore keeps the model in
    memory until the next full garbage collection; the object, its first argument, does not.
    """
    copied = copy.copy(original)
    copied.__class__ = _overriding_class(type(original), name, method)
    return copied


@contextlib.contextmanager
def overriding(target: Any, name: str, method: Method) -> Iterator[None]:
    """Replace the method ``name`` of the object itself until the block ends."""
    original = type(target)
    target.__class__ = _overriding_class(original, name, method)
    try:
        yield
    finally:
        target.__class__ = original


def _overriding_class(original: type, name: str, method: Method) -> Any:
    class Overriding(original):  # type: ignore[misc]
        pass

    def override(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return method(self, getattr(super(Overriding, self), name), *args, **kwargs)

    setattr(Overriding, name, override)
    for attribute in ("__name__", "__qualname__", "__module__"):
        setattr(Overriding, attribute, getattr(original, attribute))
    return Overriding
