"""The model card, for readers who get only the model: what it is, how good, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx import __version__
from clx.ml.report.words import without_intervals
from clx.ml.results.ending import PROBE, kept_in_words
from clx.ml.results.json_tables import is_finite_number, object_or_empty, table_from_json
from clx.ml.results.row_split import split_sentence
from clx.ml.run_directory.config import BASE_RUN, CONTINUED_FROM, STUDENT_OF
from clx.ml.task.lora_options import lora_settings, uses_lora
from clx.ml.task.presets import PRESETS
from clx_runtime.static_files import STATIC

if TYPE_CHECKING:
    from clx.ml.task.task import Task

FOLDER = "path/to/this/folder"
"""What a card calls the model's place if it is not on the Hub."""

MAX_LABELS = 200
"""The most labels to list."""

FINGERPRINT_DIGITS = 16


def model_card(
    task: Task,
    config: Mapping[str, Any],
    results: Mapping[str, Any],
    place: str | None = None,
    license: str | None = None,
) -> str:
    """Return a Hugging Face model card in Markdown, with metadata that the Hub reads.

    Args:
        task: the run.
        config: the content of ``config.json``.
        results: the content of ``results.json``.
        place: the repository on the Hub, ``owner/name``; None for a local folder.
        license: the license, as the Hub spells it; None leaves it out.
    """
    base = _base(config)
    name = place.partition("/")[2] if place else str(config.get("run_name") or task.run_name)
    static = _is_static(config)
    lines = [
        "---",
        *_metadata(task, base, results, name, license, static),
        "---",
        "",
        f"# {name}",
        "",
    ]
    lines += [*_what(task, base, config, results), *_evaluation(results), *_labels(config, results)]
    lines += [*_limits(config, results), *_use(task, config, place)]
    return "\n".join(lines) + "\n"


def _is_static(config: Mapping[str, Any]) -> bool:
    return object_or_empty(config.get(STUDENT_OF)).get("kind") == STATIC


def _base(config: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the name of the base model, and whether it is on the Hub."""
    # The path of a local folder means nothing on another machine: the card has only its name.
    base = str(config.get("base_model_name") or "an unknown model")
    base = PRESETS.get(base, base)
    is_local = BASE_RUN in config or Path(base).is_dir()
    return (Path(base).name, False) if is_local else (base, base.count("/") == 1)


def _metadata(
    task: Task,
    base: tuple[str, bool],
    results: Mapping[str, Any],
    name: str,
    license: str | None,
    is_static: bool,
) -> Iterator[str]:
    pipeline_task = task.pipeline_args["task"]
    yield f"library_name: {'clx' if is_static else 'transformers'}"
    if license is not None:
        yield f"license: {json.dumps(license)}"
    if base[1]:
        yield f"base_model: {json.dumps(base[0])}"
    yield f"pipeline_tag: {pipeline_task}"
    yield f"tags: {json.dumps(['clx', task.name])}"
    metrics = [
        {
            "type": metric,
            "value": value,
            "name": f"{metric} (95%: {interval})" if interval else metric,
        }
        for metric, value, interval in _metrics(results)
    ]
    if metrics:
        rows = object_or_empty(results.get("rows")).get("eval", 0)
        result = {
            "task": {"type": pipeline_task},
            "dataset": {"name": f"{rows} rows of the eval data", "type": "private"},
            "metrics": metrics,
        }
        yield f"model-index: {json.dumps([{'name': name, 'results': [result]}])}"


def _what(
    task: Task, base: tuple[str, bool], config: Mapping[str, Any], results: Mapping[str, Any]
) -> Iterator[str]:
    earlier = object_or_empty(config.get(CONTINUED_FROM)).get("run_name")
    continued = f" It continues the training of `{earlier}`." if earlier else ""
    teacher = object_or_empty(config.get(STUDENT_OF)).get("run_name")
    if teacher is not None:
        continued = f" It is a student of `{teacher}`, whose answers it learned to give faster."
    # The version of the training, which does not change when the run is edited.
    version = config.get("clx_version") or __version__
    how = "with one vector per token, made from" if _is_static(config) else "fine-tuned from"
    yield f"A `{task.name}` model, {how} {base[0]} with clx {version}.{continued}"
    yield ""
    rows = object_or_empty(results.get("rows")).get("train", 0)
    yield (
        f"Trained on {rows} rows in {results.get('steps', 0)} steps"
        f" ({results.get('epochs') or 0:g} epochs)."
    )
    kept = kept_in_words(results)
    if kept is not None:
        yield from ("", f"The published model is {kept}.")
    if uses_lora(task) and results.get("kept_model") != PROBE:
        rank = lora_settings(task)["r"]
        yield from ("", f"A LoRA adapter of rank {rank} was trained and merged into the weights.")
    digests = [
        f"{part} `{value[:FINGERPRINT_DIGITS]}`"
        for part, value in object_or_empty(results.get("data")).items()
        if isinstance(value, str)
    ]
    if digests:
        yield from ("", f"Fingerprint of the data: {', '.join(digests)}.")


def _evaluation(results: Mapping[str, Any]) -> Iterator[str]:
    metrics = _metrics(results)
    if not metrics:
        return
    rows = object_or_empty(results.get("rows")).get("eval", 0)
    yield from ("", f"## Evaluation on {rows} rows", "")
    split = object_or_empty(results.get("split"))
    if split:
        yield from (split_sentence(split), "")
    yield from ("| metric | value | 95% interval |", "|---|---|---|")
    for name, value, interval in metrics:
        yield f"| {name} | {value:.4f} | {interval} |"
    tables = object_or_empty(object_or_empty(results.get("evaluation")).get("tables"))
    table = table_from_json(tables.get("per_label"))
    if table is None or not len(table):
        return
    yield from ("", "## Metrics per label", "")
    yield "| label | " + " | ".join(map(str, table.columns)) + " |"
    yield "|---" * (1 + len(table.columns)) + "|"
    for label, row in list(zip(table.index, table.to_numpy().tolist(), strict=True))[:MAX_LABELS]:
        yield "| " + " | ".join([_cell(label), *map(_number, row)]) + " |"


def _labels(config: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    names = config.get("label_names")
    names = names if isinstance(names, list) else []
    thresholds = config.get("thresholds")
    by_label = dict(thresholds) if isinstance(thresholds, dict) else {}
    if isinstance(thresholds, int | float):
        by_label = dict.fromkeys(names, thresholds)
    if names:
        yield from ("", f"## Labels ({len(names)})", "")
        for name in names[:MAX_LABELS]:
            limit = by_label.get(name)
            suffix = f": from a score of {limit:.4f}" if isinstance(limit, int | float) else ""
            yield f"- {json.dumps(name, ensure_ascii=False)}{suffix}"
        if len(names) > MAX_LABELS:
            yield f"- and {len(names) - MAX_LABELS} more"
    least, temperature = config.get("min_score"), config.get("temperature")
    if not names and any(isinstance(each, int | float) for each in (least, temperature)):
        yield from ("", "## Scores")
    # No score is below 0.
    if isinstance(least, int | float) and least > 0:
        yield from ("", f"Below a score of {least:.4f}, clx gives no label.")
    if isinstance(temperature, int | float):
        how = "The scores are calibrated on the eval data"
        yield from ("", f"{how} (temperature {temperature:.3f}, part of the weights).")


def _limits(config: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Limits", "")
    if config.get("label_names"):
        yield "- It knows only the labels above, and gives their scores for any text."
    if _metrics(results):
        yield (
            "- The metrics hold for texts like those of the eval data. Measure it on your own texts "
            "before you rely on it."
        )
    else:
        yield "- It was not evaluated. Measure it on your own texts before you rely on it."
    if config.get("long_text") == "window":
        yield (
            "- It reads long texts whole."
            if _is_static(config)
            else "- clx reads long texts in windows. Plain transformers truncates them."
        )
    else:
        yield "- Texts longer than the input limit are truncated."
    has_limits = config.get("thresholds") or isinstance(config.get("min_score"), int | float)
    if has_limits and not _is_static(config):
        yield "- Only clx applies the thresholds above. Plain transformers returns scores."


def _use(task: Task, config: Mapping[str, Any], place: str | None) -> Iterator[str]:
    pipeline_task = task.pipeline_args["task"]
    model = json.dumps(place or FOLDER)
    yield from ("", "## Use", "")
    if place:
        install = "pip install clx-core"
        distribution = config.get("task_distribution")
        install += f" {distribution}" if distribution not in (None, "clx-core") else ""
        yield f"With clx (`{install}`):"
        yield from ("", "```python", "from clx.ml import training_run", "")
        yield f'run = training_run(load="hf://{place}")'
        yield from ('run.predict_labels(["some text"])', "```")
        if _is_static(config):
            return
        yield from ("", "With transformers alone:", "")
    elif _is_static(config):
        yield from ("Without torch (`pip install clx-runtime`):", "")
        yield from ("```python", "from clx_runtime import load", "")
        yield 'load("path/to/the/run").predict_labels(["some text"])'
        yield "```"
        return
    yield from ("```python", "from transformers import pipeline", "")
    yield f'pipe = pipeline("{pipeline_task}", model={model})'
    yield from ('pipe("some text", truncation=True)', "```")


def _metrics(results: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Return name, value and interval in words of each metric that has a value."""
    metrics = object_or_empty(results.get("metrics"))
    numbers = {name: value for name, value in metrics.items() if is_finite_number(value)}
    shown = []
    for name in without_intervals(numbers):
        low, high = numbers.get(f"{name}_low"), numbers.get(f"{name}_high")
        interval = "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
        shown.append((name, numbers[name], interval))
    return shown


def _number(value: Any) -> str:
    if not is_finite_number(value):
        return "" if value is None else _cell(value)
    return str(int(value)) if float(value).is_integer() and abs(value) > 1 else f"{value:.4f}"


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", r"\|")
