"""``run.export``: write the model for another runtime, and say how equal its answers are."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, ConfigError, ExportError
from clx.ml.data.texts import as_text_rows, as_texts, check_texts
from clx.ml.prediction.onnx_model import FILES, REPORT, SETTINGS, TOKENIZER, OnnxModel, Settings
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import ONNX, RunDir
from clx.ml.run_directory.staging import added_folder
from clx.ml.task.task import Task
from clx.ml.task.windows import windows_of
from clx.problems import cell

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase


CHECKED_TEXTS = 500
"""How many of the caller's texts are checked at most."""

SAME_DECISIONS = 0.99
"""The share of equal decisions with which a quantisation is taken without trying a finer one."""

LARGEST_DIFFERENCE = 1e-3
"""Between scores of torch and of ONNX in fp32; more means that something else is computed."""


@dataclass(frozen=True)
class BackendCheck:
    """How an exported model answers, against torch on the same texts.

    Attributes:
        largest_difference: between two scores of one text and label.
        equal_decisions: share of the texts for which the same is decided.
        megabytes: size of the file.
        how: what was done to the weights.
    """

    largest_difference: float
    equal_decisions: float
    megabytes: float
    how: str = "fp32"


@dataclass(frozen=True)
class ExportReport:
    """What :meth:`TrainingRun.export` wrote, and how equal it is; also in ``onnx/report.json``.

    Attributes:
        folder: where the files are.
        checks: backend → how it answers.
        tried: what was tried for eight bits → share of equal decisions.
        texts: how many texts were compared.
        own_texts: whether the caller gave them.
    """

    folder: Path
    checks: dict[str, BackendCheck]
    tried: dict[str, float] = field(default_factory=dict)
    texts: int = 0
    own_texts: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the folder as plain values for JSON."""
        return {
            "texts": self.texts,
            "own_texts": self.own_texts,
            "checks": {name: asdict(check) for name, check in self.checks.items()},
            "tried": self.tried,
        }


@dataclass(frozen=True)
class Reference:
    """The trained model in torch, which is exported and compared with.

    Attributes:
        pipe: the run's pipeline.
        tokenizer: the run's tokenizer, without the pipeline's bound arguments.
    """

    pipe: Pipeline
    tokenizer: PreTrainedTokenizerBase


def check_export_kind(kind: Any) -> None:
    """Refuse anything but ``"onnx"``.

    Raises:
        ConfigError: a run cannot be exported as that.
    """
    if kind != "onnx":
        raise ConfigError(f"a run can be exported as 'onnx', not as {cell(kind)}")


def export_run(
    task: Task,
    reference: Reference,
    directory: RunDir,
    texts: Iterable[Any] | None = None,
    int8: bool = True,
) -> ExportReport:
    """Export a trained run; see ``TrainingRun.export``. The caller holds the run's lock."""
    settings = _settings(task, reference)
    rows = _texts(task, texts)
    with added_folder(directory, ONNX) as folder:
        report = _write(task, reference, folder, settings, rows, int8, texts is not None)
        write_json(folder / REPORT, report.to_dict())
    if texts is None:
        warnings.warn(
            "The export was compared with torch on sentences of Python's documentation: pass "
            "texts= of your own to know how equal it decides on them",
            ClxWarning,
            stacklevel=3,
        )
    return ExportReport(
        directory.path / ONNX, report.checks, report.tried, report.texts, report.own_texts
    )


def _settings(task: Task, reference: Reference) -> Settings:
    """Return what the pipeline knows beside weights and vocabulary.

    Raises:
        ExportError: the pipeline or tokenizer is of a kind that only torch can run.
    """
    from transformers import TextClassificationPipeline

    from clx.ml.data.lengths import input_limit

    pipe, tokenizer = reference.pipe, reference.tokenizer
    why = None
    if type(pipe) is not TextClassificationPipeline:
        why = f"its pipeline is {type(pipe).__name__}, and only text-classification can be exported"
    elif getattr(tokenizer, "backend_tokenizer", None) is None:
        why = f"{type(tokenizer).__name__} is no fast tokenizer, and needs transformers to run"
    elif pipe._preprocess_params:
        why = (
            f"its pipeline gives the tokenizer {cell(pipe._preprocess_params)} (use tokenize_args)"
        )
    if why is not None:
        raise ExportError(f"The run {task.run_name!r} cannot be exported to ONNX: {why}")
    config, own = pipe.model.config, pipe._postprocess_params
    function = own.get("function_to_apply")
    return Settings(
        inputs=[name for name in tokenizer.model_input_names if name in _taken(pipe.model)],
        fill={
            "input_ids": tokenizer.pad_token_id,
            "attention_mask": 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        },
        side=tokenizer.padding_side,
        limit=input_limit(task, tokenizer),
        labels=[config.id2label[number] for number in range(config.num_labels)],
        problem_type=config.problem_type,
        configured=getattr(config, "function_to_apply", None),
        scoring={
            "top_k": own.get("top_k", 1),
            "legacy": own.get("_legacy", True),
            "function": None if function is None else function.value,
        },
        batch_size=pipe._batch_size,
        window_pooling=task.window_pooling if task.long_text == "window" else None,
    )


def _taken(model: Any) -> set[str]:
    import inspect

    return set(inspect.signature(model.forward).parameters)


def _texts(task: Task, texts: Iterable[Any] | None) -> list[str]:
    if texts is not None:
        rows = as_texts(as_text_rows(texts, task.text_columns))
        some = check_texts(row for _, row in zip(range(CHECKED_TEXTS), rows, strict=False))
        if not some:
            raise ConfigError("export() needs at least one text to compare on, or texts=None")
        return some
    from pydoc_data.topics import topics

    found = [
        " ".join(paragraph.split())
        for topic in topics.values()
        for paragraph in re.split(r"\n\s*\n", topic)
    ]
    sentences = [text for text in dict.fromkeys(found) if len(text.split()) > 3]
    step = max(1, len(sentences) // 300)
    columns = len(task.text_columns)
    chosen = sentences[::step][:300]
    if columns == 1:
        return chosen
    return check_texts(
        as_text_rows([(text, *chosen[-columns + 1 :]) for text in chosen], task.text_columns)
    )


def _write(
    task: Task,
    reference: Reference,
    folder: Path,
    settings: Settings,
    texts: Sequence[str],
    int8: bool,
    own_texts: bool,
) -> ExportReport:
    from clx.ml.prediction.onnx_files import QUANTISATIONS, write_int8, write_onnx
    from clx.ml.prediction.pipe_engine import torch_engine

    pipe, tokenizer = reference.pipe, reference.tokenizer
    windows = windows_of(task.long_text, task.window_pooling, task.tokenize_args, tokenizer)
    write_json(folder / SETTINGS, settings.to_dict())
    answers = torch_engine(task, pipe, tokenizer, None)(texts, {"top_k": None})
    # A real call sets up truncation as tokenize_args want it; the file keeps that.
    more = {**(windows.arguments if windows is not None else {}), "padding": True}
    encoded = pipe.tokenizer(list(texts[:2]) * 2, return_tensors="pt", **more)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.save(str(folder / TOKENIZER))
    write_onnx(
        pipe.model, {name: encoded[name].cpu() for name in settings.inputs}, folder / FILES["onnx"]
    )
    checks = {"onnx": _compared(task, folder, "onnx", texts, answers, "fp32")}
    _refuse_unequal(checks["onnx"])
    tried: dict[str, float] = {}
    if int8:
        target, best = folder / FILES["onnx-int8"], folder / "best"
        for how in QUANTISATIONS:
            write_int8(folder / FILES["onnx"], target, how)
            check = _compared(task, folder, "onnx-int8", texts, answers, how)
            if not tried or check.equal_decisions > max(tried.values()):
                checks["onnx-int8"] = check
                shutil.copyfile(target, best)
            tried[how] = check.equal_decisions
            if check.equal_decisions >= SAME_DECISIONS:
                break
        best.replace(target)
    return ExportReport(folder, checks, tried, len(texts), own_texts)


def _compared(
    task: Task,
    folder: Path,
    backend: str,
    texts: Sequence[str],
    answers: list[Any],
    how: str,
) -> BackendCheck:
    from clx.ml.prediction.onnx_engine import OnnxEngine

    model = OnnxModel(folder, backend, "cpu")
    outputs = OnnxEngine(model, None)(texts, {"top_k": None})
    largest = 0.0
    equal = 0
    for ours, theirs in zip(outputs, answers, strict=True):
        scores = {entry["label"]: entry["score"] for entry in theirs}
        largest = max(largest, *(abs(e["score"] - scores[e["label"]]) for e in ours))
        equal += _decision(task, ours) == _decision(task, theirs)
    size = (folder / FILES[backend]).stat().st_size / 1e6
    return BackendCheck(float(largest), equal / len(texts), round(size, 3), how)


def _decision(task: Task, output: list[dict[str, Any]]) -> Any:
    """Return what the run decides; the best label for a task that decides nothing."""
    if type(task).decide is Task.decide:
        return output[0]["label"]
    return task.decide(task.post_process_prediction([dict(entry) for entry in output]))


def _refuse_unequal(check: BackendCheck) -> None:
    if not check.largest_difference <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"The exported model answers differently: scores differ by up to "
            f"{check.largest_difference:.3g}, and {check.equal_decisions:.1%} of the decisions are "
            f"equal. Nothing was written; backend='torch' predicts with this model"
        )
