"""The options of every task, each declared once.

Checks, the keys of ``config.json``, the names that a task's own options cannot take, the help of
``clx train`` and ``docs/reference/arguments.md`` follow from :data:`OPTIONS`. The signature of
``TrainingRun`` is written out; a test compares it with the table.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from clx.ml.task import lora_options
from clx.ml.task import option_checks as check
from clx.ml.task.author_code import author_code
from clx.ml.task.conversions import names_as_str, plain_path
from clx.ml.task.json_values import json_problems
from clx.ml.task.lazy_check import tokenize_lazily
from clx.ml.task.names import attribute_name
from clx.ml.task.option import Option

if TYPE_CHECKING:
    from clx.ml.task.task import Task

DEFAULT_BASE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

BY_TASK = object()
"""The default is the task's class attribute of that name."""


OPTIONS = (
    Option(
        "run_dir_parent",
        None,
        'The folder of run directories, by default `LOCAL_DATA_DIR / "runs"`.',
        check.run_dir_parent,
        kept=False,
        anew=True,
    ),
    Option(
        "base_model_name",
        DEFAULT_BASE_MODEL,
        "The model to fine-tune: a local folder, a preset (`small`, `fast`, `best`, `multilingual`), "
        "the name or directory of a trained run, or a Hub id, in this order.",
        check.model_name,
        convert=plain_path,
    ),
    Option(
        "tokenizer_name",
        None,
        "The tokenizer, named like `base_model_name`. By default it is the base model's.",
        check.model_name,
        convert=plain_path,
    ),
    Option(
        "tokenize_args",
        {},
        "Arguments of the tokenizer's call, in training and in prediction, such as "
        '`{"max_length": 128}`.',
        check.tokenize_args,
    ),
    Option(
        "model_args",
        {},
        'Arguments of `from_pretrained`, such as `{"hidden_dropout_prob": 0.2}`.',
        check.model_args,
    ),
    # Checked when a run is made, not when one is opened: another transformers may have saved it.
    Option(
        "training_args",
        {},
        "Arguments of `transformers.TrainingArguments`; names of transformers 4.57 are translated.",
        anew=True,
    ),
    Option(
        "report_to",
        None,
        'Where to log a training: `"tensorboard"`, `"mlflow"`, `"wandb"`, another integration of '
        'transformers, or a list of them. `"none"` and the default log nothing.',
        check.report_to,
        anew=True,
    ),
    Option(
        "device",
        None,
        'Where to train and predict, such as `"cpu"` or `"cuda:1"`; by default the best '
        "available device.",
        check.device,
        anew=True,
    ),
    Option(
        "metrics",
        None,
        "Additional metrics: names of `evaluate` metrics (a local script or the Hub), or objects with "
        "`compute(predictions=, references=)`. The config keeps only their names; a loaded run does "
        "not compute them, because loading a metric runs its code.",
        check.metrics,
        anew=True,
    ),
    Option(
        "text_column",
        None,
        "The column of texts in the data of this run, by default the task's own, such as `text`. Only "
        "for tasks with one text column.",
        check.text_column,
        anew=True,
    ),
    Option(
        "label_column",
        None,
        "The column of labels in the data of this run, by default the task's own, such as `label`.",
        check.label_column,
        anew=True,
    ),
    Option(
        "weight_column",
        None,
        "The column of row weights; a row of weight 0 does not count. Eval data may lack the column.",
        check.weight_column,
        anew=True,
    ),
    Option(
        "strict_data",
        False,
        "Stop before the training if the check of the data finds anything, instead of warning.",
        check.boolean,
        anew=True,
    ),
    Option(
        "head_init",
        BY_TASK,
        "`\"probe\"` fits the model's last layer to the base model's features before the "
        'fine-tuning; `"random"` leaves the layer as it was loaded.',
        check.head_init,
        anew=True,
    ),
    Option(
        "pooling",
        BY_TASK,
        'How tokens become the vector that the head reads: `"mean"`, `"cls"` (the first token), '
        '`"model"` (the pooling of the model\'s class), or `"auto"` (the pooling that the checkpoint '
        "names, or else the best one by validation).",
        check.pooling,
    ),
    Option(
        "class_weights",
        None,
        'The weights of labels in the loss: `"balanced"`, or `{label: weight}`.',
        check.class_weights,
        convert=names_as_str,
        anew=True,
    ),
    Option(
        "label_texts",
        "names",
        'Texts that describe the labels, used as examples. `"names"` uses the label names if they are '
        "words and fit the rows; `{label: text or list of texts}` sets descriptions; None uses no "
        "texts. Only for tasks with one text column.",
        check.label_texts,
        convert=names_as_str,
        anew=True,
    ),
    Option(
        "calibrate",
        BY_TASK,
        "With eval data, divide the scores by the temperature that fits that data best.",
        check.boolean,
        anew=True,
    ),
    Option(
        "lora",
        False,
        "Fine-tune a LoRA adapter of PEFT and the head instead of all weights: true, or entries of its "
        'configuration, such as `{"r": 16, "target_modules": "all-linear"}`. Needs `clx-core[peft]`.',
        lora_options.lora,
        anew=True,
    ),
    Option(
        "lora_merge",
        True,
        "With `lora`, publish only the merged model; false also keeps the adapter's own files, in "
        "`adapter/`.",
        check.boolean,
        anew=True,
    ),
    Option(
        "long_text",
        "truncate",
        'What happens to texts that are longer than the model reads: `"truncate"` truncates them; '
        '`"window"` reads them as windows, which overlap by `tokenize_args={"stride": ...}` tokens '
        "(by default an eighth of a window). Evaluation and prediction pool the logits of the windows. "
        "`run.pipe` always truncates long texts.",
        check.long_text,
    ),
    Option(
        "window_pooling",
        "length",
        'How the logits of windows are pooled: `"length"` (the mean, weighted by tokens), `"mean"`, or '
        '`"max"`.',
        check.window_pooling,
    ),
    Option(
        "strict_length",
        False,
        "Raise an error for texts that would be truncated, instead of warning.",
        check.boolean,
        anew=True,
    ),
    Option(
        "tokenize_lazily",
        False,
        "Leave training rows on disk and tokenize them when a batch needs them.",
        tokenize_lazily,
        anew=True,
    ),
    Option(
        "trust_remote_code",
        False,
        "Run the Python code that comes with a base model. Never kept in the config.",
        check.boolean,
        kept=False,
    ),
)

KEPT = tuple(option.name for option in OPTIONS if option.kept)
"""The options of every task that the config keeps, in the order of the config."""

ANEW = tuple(option.name for option in OPTIONS if option.anew)
"""The options of every task that a continued training may set."""


def argument_docs(indent: int) -> str:
    """Return the ``Args:`` entries of a docstring, one per option."""
    margin = " " * indent
    entries = []
    for option in OPTIONS:
        text = f"{option.name}: {option.doc}".replace("`", "``")
        entries.append(
            textwrap.fill(text, 100, initial_indent=margin, subsequent_indent=margin + "    ")
        )
    return "\n".join(entries)


def option_names(task: Any) -> tuple[str, ...]:
    """Return the names of the options that a task or its class keeps in the config."""
    return (*KEPT, *map(attribute_name, task.add_config_attrs))


def options_of_task(task: Task) -> dict[str, Any]:
    """Return the values of the options that the config keeps."""
    return {name: getattr(task, name) for name in option_names(task)}


def option_problems(task: Task) -> list[str]:
    """Return everything that is wrong with a task's options, as sentences."""
    problems = []
    for option in OPTIONS:
        if option.check is not None:
            problems += option.check(task, option.name)
    with author_code(task, "check_config"):
        problems += task.check_config()
    unnamed = {
        name: value
        for name, value in options_of_task(task).items()
        if name != "training_args" and not any(said.startswith(name) for said in problems)
    }
    return problems + json_problems(unnamed)


def accepted_options(task_class: Any) -> set[str]:
    """Return the names that a task class takes as keyword arguments."""
    names = {attribute_name(attr) for attr in task_class.add_config_attrs}
    for klass in task_class.__mro__:
        if "__init__" not in vars(klass):
            continue
        parameters = list(inspect.signature(klass.__init__).parameters.values())[1:]
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            # No argument reaches the classes above; config attributes are set in any case.
            return names
    return names
