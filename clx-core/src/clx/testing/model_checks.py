"""Checks of tokenising, training and metrics, on one training of a tiny model."""

from __future__ import annotations

import json
import math
import traceback
from pathlib import Path
from typing import Any

from clx.errors import ClxError
from clx.ml.data.dataset import ROW_OF_RESULT, to_dataset
from clx.ml.run.run import TrainingRun
from clx.testing.data_checks import refusal
from clx.testing.results import CheckWarningError, NotReachedError, check
from clx.testing.subject import Subject, fail, quiet, same
from clx.testing.tiny_model import MAX_TOKENS

LONG = 60
LIMIT = 48
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npy", ".ckpt")


@check(
    "Training on the sample lowers the loss.",
    "A model that learns nothing is published as if it had.",
    "tokenize load_model load_data_collator trainer_class",
    trains=True,
)
def learns(subject: Subject) -> None:
    """Train a tiny model for some steps and compare its loss on the same rows before and after."""
    try:
        run, _ = subject.train_once()
    except Exception as error:
        raise fail(_raised(error)) from error
    log = run.run_dir / "logs" / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = [line["eval_loss"] for line in lines if "eval_loss" in line]
    if len(losses) < 2:
        raise fail("there is no loss on the eval data: tokenize has to return labels for it")
    if any(loss is None or not math.isfinite(loss) for loss in losses):
        raise fail("the loss is not a finite number")
    if not losses[-1] < 0.999 * losses[0]:
        raise fail(
            f"the loss on the {len(subject.sample)} rows of the sample is {losses[0]:.5f} before and "
            f"{losses[-1]:.5f} after {subject.steps} steps on them"
        )


def _raised(error: BaseException) -> str:
    """Return what a user sees of an exception: its text, its notes, and the last line of ours."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/clx/" not in f.filename]
    own = next((f for f in reversed(frames) if "site-packages" not in f.filename), None)
    where = f" (raised from {Path(own.filename).name}:{own.lineno})" if own else ""
    notes = " ".join(getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {str(error)[:400]} {notes}{where}".strip()


@check(
    "The user's tokenize_args hold, and long texts are cut or read in windows.",
    "A text that is longer than the model takes ends a training with a tensor error, and a limit that "
    "the user sets for speed or memory does nothing.",
    "tokenize",
    trains=True,
)
def tokenize_args(subject: Subject) -> None:
    """Tokenise long texts with and without a limit."""
    examples = _long_examples(subject)
    for arguments, limit in (({}, MAX_TOKENS), ({"max_length": LIMIT}, LIMIT)):
        run = subject.opened()
        run.tokenize_args = {**run.tokenize_args, **arguments}
        longest = max(len(ids) for ids in _tokenised(run, examples)["input_ids"])
        if subject.base_model_is_tiny and longest > limit:
            said = (
                f"tokenize_args={arguments}" if arguments else f"a model that takes {limit} tokens"
            )
            raise fail(f"with {said}, a text of some hundred words becomes {longest} tokens")


def _long_examples(subject: Subject) -> dict[str, list[Any]]:
    """Return the sample with long texts: with the labels as they are, or as long as the texts."""
    for columns in (subject.text_columns, list(subject.sample.columns)):
        sample = subject.sample
        for name in columns:
            sample[name] = [_longer(value) for value in sample[name]]
        if refusal(subject, sample) is None:
            return {str(name): sample[name].tolist() for name in sample.columns}
    raise NotReachedError("no text of the sample can be made longer without making it wrong")


def _longer(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value} " * LONG
    return value * LONG if isinstance(value, list) else value


def _tokenised(run: TrainingRun, examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
    try:
        with quiet():
            return {key: list(values) for key, values in run.tokenize(examples).items()}
    except Exception as error:
        raise fail(_raised(error)) from error


@check(
    "A row becomes the same model inputs in whatever company it is.",
    "Figures depend on how the data happens to be cut in pieces, and padding costs time and memory.",
    "tokenize",
    trains=True,
)
def rows_alone(subject: Subject) -> None:
    """Tokenise all rows together, and one by one."""
    sample, run = subject.sample, subject.opened()
    together = _rows(_tokenised(run, {str(n): sample[n].tolist() for n in sample.columns}))
    alone: list[list[dict[str, Any]]] = []
    for row in range(len(sample)):
        one = {str(name): sample[name].tolist()[row : row + 1] for name in sample.columns}
        alone += _rows(_tokenised(run, one))
    for number, (one_row, same_row) in enumerate(zip(together, alone, strict=False)):
        if not same(_unpadded(one_row), _unpadded(same_row)):
            raise fail(f"row {number} is {one_row} among the others, and {same_row} alone")
    if not same(together, alone):
        raise CheckWarningError(
            "tokenize pads: the collator pads each batch as far as that batch needs, which is faster"
        )


def _rows(columns: dict[str, list[Any]]) -> list[list[dict[str, Any]]]:
    """Return the results of each row of the data."""
    names = [name for name in columns if name != ROW_OF_RESULT]
    count = len(columns[names[0]]) if names else 0
    of_row = columns.get(ROW_OF_RESULT) or list(range(count))
    rows: dict[int, list[dict[str, Any]]] = {}
    for result, row in enumerate(of_row):
        rows.setdefault(int(row), []).append({n: _plain(columns[n][result]) for n in names})
    return list(rows.values())


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _unpadded(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    unpadded = []
    for result in results:
        kept = result.get("attention_mask")
        if isinstance(kept, list):
            result = {
                key: [v for v, keep in zip(value, kept, strict=True) if keep]
                if isinstance(value, list) and len(value) == len(kept)
                else value
                for key, value in result.items()
            }
        unpadded.append(result)
    return unpadded


@check(
    "The model is fed labels, one for each row or token, of numbers it knows.",
    "Without labels there is no loss; with shifted ones the model learns something else.",
    "tokenize dataset_cols",
    trains=True,
)
def labels(subject: Subject) -> None:
    """Look at the labels of the tokenised sample."""
    run = subject.opened()
    with quiet():
        dataset = to_dataset(subject.sample, run.tokenize, run.dataset_cols, progress=False)
    missing = [name for name in ("input_ids", "labels") if name not in dataset.column_names]
    if missing:
        raise fail(
            f"the model is fed {', '.join(dataset.column_names)}, and not {', '.join(missing)}: "
            f"tokenize has to return them, and dataset_cols to name them"
        )
    config = json.loads((subject.run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    classes = len(config.get("id2label") or {})
    for row in dataset:
        values = row["labels"] if isinstance(row["labels"], list) else [row["labels"]]
        per_token = run.pipeline_args["task"] == "token-classification"
        if per_token and len(values) != len(row["input_ids"]):
            raise fail(f"a row of {len(row['input_ids'])} tokens has {len(values)} labels")
        wrong = [v for v in values if isinstance(v, int) and v != -100 and not 0 <= v < classes]
        if classes > 1 and wrong:
            raise fail(f"the label id {wrong[0]} for a model with {classes} labels")


@check(
    "compute_metrics gives numbers, the same each time.",
    "An evaluation ends in an error after hours of training, or cannot be repeated.",
    "compute_metrics",
    trains=True,
)
def metrics(subject: Subject) -> None:
    """Evaluate the sample twice."""
    run = subject.opened()
    try:
        with quiet():
            first, second = run.evaluate(subject.sample), run.evaluate(subject.sample)
    except Exception as error:
        raise fail(_raised(error)) from error
    for name, value in first.metrics.items():
        if not math.isfinite(value):
            raise fail(f"the metric {name} is {value}")
        if not same(value, second.metrics.get(name), 1e-6):
            raise fail(
                f"{name} is {value} for one evaluation and {second.metrics.get(name)} for the next"
            )
    json.dumps(first.to_dict())
    if not set(first.metrics) - {"loss"}:
        raise CheckWarningError(
            "run.evaluate(data).metrics has the loss only: nobody can tell what it means"
        )


@check(
    "The saved model is the trained one.",
    "What is evaluated while training is not what answers afterwards.",
    "load_model load_tokenizer",
    trains=True,
)
def saved_is_trained(subject: Subject) -> None:
    """Compare the figures at the end of the training with those of the saved run."""
    during = subject.trained[1].metrics
    with quiet():
        after = subject.opened().evaluate(subject.sample).metrics
    for name, value in during.items():
        if not same(value, after.get(name), 1e-3):
            raise fail(
                f"{name} is {value} at the end of the training, and {after.get(name)} when the run is "
                f"opened"
            )


@check(
    "model_args reach the model.",
    "A user sets a dropout or a dtype, and it is dropped without a word.",
    "load_model",
    trains=True,
)
def model_args(subject: Subject) -> None:
    """Load the model with a dropout of its own."""
    run = subject.opened()
    if "hidden_dropout_prob" not in run.model.config.to_dict():
        return
    changed = subject.opened()
    changed.model_args = {**changed.model_args, "hidden_dropout_prob": 0.375}
    found = changed.model.config.hidden_dropout_prob
    if found != 0.375:
        raise fail(f"model_args={{'hidden_dropout_prob': 0.375}} gives a model with {found}")


@check(
    "The model folder is read by plain transformers.",
    "Whoever has no clx, such as an inference server, gets an error or a random head.",
    "load_model",
    trains=True,
)
def plain_transformers(subject: Subject) -> None:
    """Load model/ by the class that its config names."""
    import transformers

    folder = subject.run_dir / "model"
    config = transformers.AutoConfig.from_pretrained(folder)
    names = config.architectures or ["(none)"]
    cls = getattr(transformers, names[0], None)
    if cls is None:
        raise fail(f"transformers has no class {names[0]}, which model/config.json names")
    model, info = cls.from_pretrained(folder, output_loading_info=True)
    if info["missing_keys"]:
        raise fail(
            f"{names[0]}.from_pretrained finds no weights for {sorted(info['missing_keys'])[:3]}"
        )
    ours = subject.opened().model
    if type(model) is not type(ours):
        raise fail(f"the model is a {type(ours).__name__}, but the folder says {names[0]}")


@check(
    "The labels survive saving.",
    "A user gets LABEL_0 instead of a name, or the names in another order.",
    "load_model post_process_prediction",
    trains=True,
)
def labels_survive(subject: Subject) -> None:
    """Look at id2label in the saved model, and for LABEL_ in what a user gets."""
    config = json.loads((subject.run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    saved = [config["id2label"][key] for key in sorted(config.get("id2label") or {}, key=int)]
    run = subject.opened()
    names = getattr(run, "label_names", None)
    if len(saved) > 1 and saved == [f"LABEL_{number}" for number in range(len(saved))]:
        raise fail(f"the saved model calls its labels {', '.join(saved)}")
    if isinstance(names, list) and len(names) == len(saved) and names != saved:
        raise fail(f"label_names is {names}, and the saved model says {saved}")
    if "LABEL_" in json.dumps(subject.predictions, default=str):
        raise fail(f"a prediction is {subject.predictions[0]!r}")


@check(
    "Training leaves the class as it was.",
    "A second run in the same process, of other data, is mixed up with the first.",
    "infer_config load_model",
    trains=True,
)
def class_untouched(subject: Subject) -> None:
    """Look for what a run has written on its class."""
    before = subject.class_before
    run = subject.trained[0]
    after = subject.class_state()
    changed = [name for name in after if name not in before or before[name] != after[name]]
    if changed:
        raise fail(
            f"after run {run.run_name!r} was trained, {subject.task.__name__}.{changed[0]} is "
            f"{after[changed[0]]}: the next run begins with that"
        )


@check(
    "A training that was interrupted is resumed to the same model.",
    "A machine goes away after a day of training, and the day is lost.",
    "infer_config trainer_class",
    trains=True,
)
def resumes(subject: Subject) -> None:
    """Interrupt a training half way, resume it, and compare with one that went through."""
    from transformers import TrainerCallback

    half = subject.steps // 2

    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == half:
                raise InterruptedError

    whole = subject.predictions
    try:
        subject.train("resumed", callbacks=[Stop()])
    except InterruptedError:
        pass
    else:
        raise fail(f"the training was over before its step {half} of {subject.steps}")
    try:
        run, result = subject.train("resumed", resume=True)
    except ClxError as error:
        raise fail(f"train(…, resume=True): {_raised(error)}") from error
    if result.steps != subject.steps:
        raise fail(f"the resumed training made {result.steps} of {subject.steps} steps")
    resumed = subject.predict(run, subject.inputs)
    if not same(whole, resumed, 1e-2):
        row = next(
            i for i, (a, b) in enumerate(zip(whole, resumed, strict=True)) if not same(a, b, 1e-2)
        )
        raise fail(
            f"row {row} is {whole[row]!r} after a whole training, {resumed[row]!r} after a resumed one"
        )


@check(
    "The run directory holds nothing that has to be unpickled.",
    "Whoever opens a run of somebody else's would run that person's code.",
    "save_extra",
    trains=True,
)
def no_pickle(subject: Subject) -> None:
    """Look at the names and first bytes of all files."""
    for path in sorted(subject.run_dir.rglob("*")):
        if path.is_file():
            start = path.read_bytes()[:2]
            if path.suffix in PICKLED or (
                start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")
            ):
                raise fail(f"{path.relative_to(subject.run_dir)} is a pickle")
