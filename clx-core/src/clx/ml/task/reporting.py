"""``report_to``: the trackers of a training, named as an option of the run or in ``training_args``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from clx.errors import MissingDependencyError
from clx.problems import cell, did_you_mean, names

TRACKERS = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}
"""The trackers that clx itself logs to → the modules; each tracker needs one of its modules."""

NONE = "none"
ALL = "all"

_MODULES = {"azure_ml": "azureml", "flyte": "flytekit"}
_PACKAGES = {"azure_ml": "azureml-core", "comet_ml": "comet-ml", "flyte": "flytekit"}


def shape_problems(option: Any, where: str = "report_to") -> list[str]:
    """Return what is wrong with the type of a ``report_to``; whether the names exist is not checked."""
    items = [option] if option is None or isinstance(option, str) else option
    is_list = isinstance(items, list | tuple)
    if option is None or (is_list and all(isinstance(each, str) and each for each in items)):
        return []
    return [
        f"{where} must be the name of a tracker such as 'tensorboard', or a list of names, but is "
        f"{cell(option)}"
    ]


def contradiction_problems(option: Any, argument: Any) -> list[str]:
    """Return a problem if the option and the entry of ``training_args`` name different trackers."""
    if option is None or argument is None or shape_problems(option) or shape_problems(argument):
        return []
    if set(_listed(option)) == set(_listed(argument)):
        return []
    return [
        f"report_to is {cell(option)}, but training_args has report_to={cell(argument)}: keep one of "
        f"them"
    ]


def settled(option: Any, argument: Any) -> tuple[str, ...]:
    """Return the names of the trackers of a training, ``()`` for none.

    Args:
        option: the option of the run; None leaves the choice to the argument.
        argument: the entry of the training arguments, None if there is none.
    """
    chosen = _listed(argument if option is None else option)
    return tuple(dict.fromkeys(_installed() if chosen == [ALL] else chosen))


def trackers_of(reporters: Sequence[str]) -> tuple[str, ...]:
    """Return the trackers among the names that clx logs to itself."""
    return tuple(name for name in reporters if name in TRACKERS)


def integrations_of(reporters: Sequence[str]) -> tuple[str, ...]:
    """Return the names that the Trainer's own callbacks serve."""
    return tuple(name for name in reporters if name not in TRACKERS)


def name_problems(reporters: Sequence[Any], where: str = "report_to") -> list[str]:
    """Return the problems of names that are not trackers, or cannot be used here, as sentences.

    A tracker whose package is missing has no problem here: see :func:`require_packages`.
    """
    others = [name for name in reporters if name not in (*TRACKERS, NONE, ALL)]
    if not others:
        return []
    from transformers.integrations import integration_utils as reporting

    integrations, problems = reporting.INTEGRATION_TO_CALLBACK, []
    known = dict.fromkeys([*TRACKERS, *sorted(integrations)])
    for name in others:
        if name not in integrations:
            problems.append(
                f"{where} has {cell(name)}, which is not a tracker ({names(known)})"
                f"{did_you_mean(str(name), known)}"
            )
        elif not _missing(name):
            try:
                integrations[name]()
            except Exception as error:
                said = " ".join(str(error).split()) or type(error).__name__
                problems.append(f"{where} {name!r} cannot be used: {said}")
    return problems


def require_packages(reporters: Sequence[str]) -> None:
    """Raise unless a package of each tracker is installed; nothing is imported.

    Raises:
        MissingDependencyError: packages are missing; the message has the ``pip install`` line.
    """
    missing = [name for name in reporters if _missing(name)]
    if missing:
        packages = " ".join(_PACKAGES.get(name, name) for name in missing)
        raise MissingDependencyError(
            f"report_to needs a package that is not installed, for {names(missing)}: "
            f"pip install {packages}"
        )


def _listed(value: Any) -> list[str]:
    listed = [] if value is None else [value] if isinstance(value, str) else list(value)
    return [name for name in listed if name != NONE]


def _missing(name: str) -> bool:
    modules = TRACKERS.get(name, (_MODULES.get(name, name),))
    return name not in (NONE, ALL) and all(find_spec(module) is None for module in modules)


def _installed() -> list[str]:
    from transformers.integrations import get_available_reporting_integrations

    # The names of transformers depend on its own tests of what is installed.
    ours = [name for name in TRACKERS if not _missing(name)]
    return [*ours, *integrations_of(get_available_reporting_integrations())]
