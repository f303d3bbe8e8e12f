"""Keyword arguments of ``predict``: those of the task, those of the pipeline, and unknown ones.

The pipelines of transformers pass keywords that they do not know to the tokenizer, which ignores
them: a misspelt argument would have no effect, silently.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any

from clx.errors import PluginError, UnknownArgumentError
from clx.ml.task.guesses import argument_hint
from clx.ml.task.options import accepted_options
from clx.problems import did_you_mean, raise_problems

if TYPE_CHECKING:
    from transformers import Pipeline

    from clx.ml.task.task import Task

OF_PREDICT = ("batch_size", "backend")
"""The arguments of ``predict`` itself."""

STEPS = ("preprocess", "_forward", "postprocess")
"""The methods that get the dicts that ``_sanitize_parameters`` returns, in its order."""

TOKENIZER_METHODS = (
    "__call__",
    "_encode_plus",
    "_batch_encode_plus",
    "pad",
    "prepare_for_model",
    "prepare_for_tokenization",
)
"""The methods of tokenizers that read keyword arguments of a call."""

FROM_THE_DATA = {"self", "inputs", "text", "text_pair", "text_target", "text_pair_target"}


def of_the_task(task: Task) -> list[str]:
    """Return the keyword-only arguments that a task's ``post_process_prediction`` declares."""
    code = _code(type(task).post_process_prediction)
    return list(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount])


def divided(task: Task, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of the pipeline, and those of ``post_process_prediction``."""
    own = set(of_the_task(task))
    return (
        {name: value for name, value in arguments.items() if name not in own},
        {name: value for name, value in arguments.items() if name in own},
    )


def refuse_unknown(task: Task, pipe: Pipeline, given: Mapping[str, Any]) -> None:
    """Raise if a call of ``predict`` or the task's ``predict_args`` have an argument without effect.

    Args:
        task: the run.
        pipe: its pipeline.
        given: the caller's keyword arguments.

    Raises:
        UnknownArgumentError: the message says for each of the caller's arguments what to write.
        PluginError: an entry of ``predict_args`` has no effect.
    """
    known = [*of_the_task(task), *_named(pipe)]
    unknown = {
        name: value
        for name, value in {**task.predict_args, **given}.items()
        if name not in known and not _is_read(pipe, name, value)
    }
    if not unknown:
        return
    others = _of_tokenizer(pipe.tokenizer) | _of_generation(pipe.model)
    words = sorted({*known, *OF_PREDICT, *others} - FROM_THE_DATA)
    options, kind = accepted_options(type(task)), type(pipe).__name__
    raise_problems(
        UnknownArgumentError,
        "predict() was called with arguments that have no effect:",
        [
            f"there is no argument {name!r}{argument_hint(name, given, words, options)}"
            for name in unknown
            if name in given
        ],
        f"Besides batch_size and backend, predict() takes what post_process_prediction() of the task "
        f"{task.name!r} declares, and what its {kind} and tokenizer know.",
    )
    raise_problems(
        PluginError,
        f"The task {task.name!r} has predict_args that have no effect:",
        [f"{kind} has no argument {name!r}{did_you_mean(name, words)}" for name in unknown],
        "Its author has to correct this.",
    )


def _named(pipe: Pipeline) -> list[str]:
    """Return the arguments that a pipeline's call and ``_sanitize_parameters`` declare or mention."""
    methods = (type(pipe).__call__, *_sanitizers(type(pipe)))
    found = [name for method in methods for name in _parameters(method)]
    return [name for name in found if name not in FROM_THE_DATA]


def _is_read(pipe: Any, name: str, value: Any) -> bool:
    """Return whether a step of a pipeline reads an argument that nothing declares."""
    definitions = _sanitizers(type(pipe))
    if not all(map(_takes_any, definitions)):
        return False
    # Pipelines ask for an argument by its name: if "targets" in kwargs.
    if any(name in method.__code__.co_consts for method in definitions):
        return True
    try:
        with_it, without = pipe._sanitize_parameters(**{name: value}), pipe._sanitize_parameters()
    except Exception:
        # The call of the pipeline raises it too.
        return True
    for step, one, other in zip(STEPS, with_it, without, strict=True):
        if name in one and name not in other:
            if _step_reads(pipe, step, name):
                return True
        elif one.keys() != other.keys():
            # It has an effect under another name.
            return True
    return False


def _step_reads(pipe: Any, step: str, name: str) -> bool:
    method = getattr(type(pipe), step)
    if name in _parameters(method):
        return True
    if not _takes_any(method):
        return False
    if not str(method.__module__).startswith("transformers."):
        # A step that the author overrides may use any argument.
        return True
    if step == "preprocess":
        return name in _of_tokenizer(pipe.tokenizer)
    return step == "postprocess" or name in _of_model(pipe.model)


def _of_tokenizer(tokenizer: Any) -> set[str]:
    kinds = () if tokenizer is None else type(tokenizer).__mro__
    return {
        name
        for kind in kinds
        for method in TOKENIZER_METHODS
        if method in vars(kind)
        for name in _parameters(vars(kind)[method])
    }


def _of_model(model: Any) -> set[str]:
    return {*_parameters(type(model).forward), *_of_generation(model)}


def _of_generation(model: Any) -> set[str]:
    if not (hasattr(model, "can_generate") and model.can_generate()):
        return set()
    from transformers import GenerationConfig

    names = {*GenerationConfig().to_dict(), *vars(GenerationConfig())}
    return {*names, *_parameters(type(model).generate), "tokenizer", "assistant_model"}


def _sanitizers(kind: type) -> list[Any]:
    """Return the definitions of ``_sanitize_parameters`` that a call reaches."""
    found = []
    for each in kind.__mro__:
        method: Any = vars(each).get("_sanitize_parameters")
        if not hasattr(method, "__code__"):
            continue
        found.append(method)
        if "super" not in method.__code__.co_names:
            break
    return found


def _parameters(method: Any) -> Collection[str]:
    code = _code(method)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _takes_any(method: Any) -> bool:
    return bool(_code(method).co_flags & inspect.CO_VARKEYWORDS)


def _code(method: Any) -> CodeType:
    """Return the code of a method. A call of ``predict`` would notice the time of a signature."""
    code: CodeType = getattr(inspect.unwrap(method), "__code__", _takes_anything.__code__)
    return code


def _takes_anything(*args: Any, **arguments: Any) -> None:
    """Stand for a callable without code, which may take any argument."""
