"""Load the tokenizer and model of a saved run exactly as they were saved, or not at all.

A run directory may come from a stranger or from a broken disk. If any library cannot use a file,
the error is a ``RunDirError`` that says what is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import ModelError, RunDirError
from clx.ml.machine.finite import not_finite
from clx.ml.model.loading import load_model, load_tokenizer
from clx.ml.model.saved_weights import weight_problems
from clx.ml.run_directory.safe_model import OF_THE_BASE
from clx.ml.run_directory.safety import REMEDY
from clx.problems import examples, raise_problems
from clx_runtime.files import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task

READERS = frozenset(
    ["accelerate", "huggingface_hub", "json", "safetensors", "tokenizers", "torch", "transformers"]
)
"""The packages that read the files: an exception from them is about the files."""

CONFIG = "config"


def load_saved_tokenizer(task: Task, folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a trained run.

    Raises:
        RunDirError: its files cannot be used.
    """
    with _damage_named(folder, "tokenizer"):
        tokenizer = load_tokenizer(task, folder)
        side = tokenizer.init_kwargs.get("padding_side")
    if side is not None:
        # The side that the model was trained with, whichever side an author's load_tokenizer sets.
        tokenizer.padding_side = side
    return tokenizer


def load_saved_model(
    task: Task, folder: Path, tokenizer: PreTrainedTokenizerBase
) -> PreTrainedModel:
    """Return the model of a trained run, exactly as it was saved.

    Raises:
        RunDirError: weights are missing, are not finite, or do not fit the labels or the tokenizer.
    """
    stored = task.model_args
    task.model_args = {key: value for key, value in stored.items() if key not in OF_THE_BASE}
    try:
        with _damage_named(folder, "model"):
            model = load_model(task, folder, tokenizer)
    except KeyError as error:
        if error.args != (CONFIG,):
            raise
        raise RunDirError(
            f"load_model() of the task {task.name!r} reads model_args['{CONFIG}'], which describes the "
            f"base model and is not there for a saved model: where it is missing, load the folder that "
            f"is given, such as with from_pretrained(model_name, **self.model_args)"
        ) from error
    finally:
        task.model_args = stored
    problems = [*_weight_problems(model, folder), *_label_problems(model, folder)]
    raise_problems(RunDirError, f"The model in {folder} cannot be used:", problems, REMEDY)
    return model


@contextlib.contextmanager
def _damage_named(folder: Path, what: str) -> Iterator[None]:
    try:
        yield
    except RunDirError:
        raise
    except ModelError as error:
        raise RunDirError(f"The {what} in {folder} cannot be used: {error}\n{REMEDY}") from error
    except (Exception, MemoryError) as error:
        if not _raised_by_a_reader(error):
            raise
        said = (str(error).strip().splitlines() or ["no message"])[0][:300]
        raise RunDirError(
            f"The {what} in {folder} cannot be loaded ({type(error).__name__}: {said}). {REMEDY}"
        ) from error


def _raised_by_a_reader(error: BaseException) -> bool:
    trace, package = error.__traceback__, ""
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        trace = trace.tb_next
    return package in READERS


def _weight_problems(model: PreTrainedModel, folder: Path) -> Iterator[str]:
    yield from weight_problems(model, folder)
    infinite = not_finite(model)
    if infinite:
        yield f"its weights {examples(infinite)} are not finite numbers"


def _label_problems(model: PreTrainedModel, folder: Path) -> Iterator[str]:
    """Yield a problem if the task's labels are not those that the model was saved with."""
    saved = read_json(folder / "config.json").get("id2label")
    wanted = model.config.id2label
    if not isinstance(saved, dict) or not wanted:
        return
    said = {str(number): str(name) for number, name in saved.items()}
    unnamed = all(name == f"LABEL_{number}" for number, name in said.items())
    if len(said) != len(wanted):
        yield f"it has {len(said)} labels, and the run's config has {len(wanted)}"
    elif not unnamed and said != {str(number): str(name) for number, name in wanted.items()}:
        yield (
            f"its labels are {examples(list(said.values()))}, and those of the run's config are "
            f"{examples(list(map(str, wanted.values())))}"
        )
