"""Export a trained model to ONNX, and report how closely its predictions match those of torch."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, ExportError
from clx.ml.data.equal_lengths import needs_equal_lengths
from clx.ml.data.lengths import input_limit
from clx.ml.data.no_tokens import stand_in
from clx.ml.machine.torch_defaults import torch_defaults
from clx.ml.prediction.export_texts import (
    checked_texts,
    default_texts,
    learned_share,
    warn_of_texts,
)
from clx.ml.prediction.exported import decision_settings
from clx.ml.prediction.onnx_check import BackendCheck, Expected
from clx.ml.prediction.onnx_pipelines import ExpectedOfPipeline, pipeline_outputs
from clx.ml.prediction.openvino_export import openvino_checks
from clx.ml.results.cards import Card, card_html, rows_table
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import ONNX, RunDir
from clx.ml.run_directory.staging import added_folder
from clx.ml.task.windows import windows_of
from clx.problems import cell
from clx_runtime.exports import SAME_DECISIONS, export_in
from clx_runtime.sessions import installed
from clx_runtime.settings import FILES, REPORT, SETTINGS, TOKENIZER, Settings

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class ExportReport:
    """What :meth:`TrainingRun.export` wrote and how it compares; also in ``onnx/report.json``.

    Attributes:
        folder: the folder of the exported files; of a static student, that of the file that was written.
        checks: backend → how it compares with torch.
        tried: quantization that was tried → share of equal decisions.
        texts: the number of texts that were compared.
        own_texts: whether they are the caller's.
        learned: about which share of them the run was trained on, None if it is not known.
        default: the backend that ``clx_runtime.load`` takes on this machine: the fastest with enough
            equal decisions.
    """

    folder: Path
    checks: dict[str, BackendCheck]
    tried: dict[str, float] = field(default_factory=dict)
    texts: int = 0
    own_texts: bool = True
    default: str = "onnx"
    learned: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the folder as plain values for JSON."""
        return {
            "texts": self.texts,
            "own_texts": self.own_texts,
            "learned": self.learned,
            "checks": {name: asdict(check) for name, check in self.checks.items()},
            "tried": self.tried,
            "default": self.default,
        }

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        columns = ["Backend", "Weights", "Equal decisions", "Largest difference", "MB"]
        cells = [
            (name, c.how, f"{100 * c.equal_decisions:.4g} %", c.largest_difference, c.megabytes)
            for name, c in self.checks.items()
        ]
        whose = "" if self.own_texts else " of Python's documentation"
        facts = {"Compared with torch on": f"{self.texts:,} texts{whose}", "Folder": self.folder}
        if self.learned is not None:
            facts["Of these in the training data"] = f"about {self.learned:.0%}"
        facts["Default without torch"] = self.default
        if len(self.tried) > 1:
            facts["Tried"] = ", ".join(
                f"{name} ({100 * v:.4g} %)" for name, v in self.tried.items()
            )
        return Card("ONNX", "Export", facts, [rows_table(columns, cells)])


@dataclass(frozen=True)
class Reference:
    """The trained model in torch: what is exported, and what the export is compared with.

    Attributes:
        pipe: the run's pipeline.
        tokenizer: the run's tokenizer, without the default arguments of the pipeline's copy.
    """

    pipe: Pipeline
    tokenizer: PreTrainedTokenizerBase


def check_export_kind(kind: Any) -> None:
    """Refuse anything but ``"onnx"``.

    Raises:
        ConfigError: runs cannot be exported to this format.
    """
    if kind != "onnx":
        raise ConfigError(f"A run can be exported as 'onnx', not as {cell(kind)}")


def export_run(
    task: Task,
    reference: Reference,
    directory: RunDir,
    texts: Iterable[Any] | None = None,
    int8: bool = True,
) -> ExportReport:
    """Export a trained run; see ``TrainingRun.export``. The caller holds the run's lock."""
    settings = _settings(task, reference)
    has_own_texts = texts is not None
    rows = default_texts(task) if texts is None else checked_texts(task, texts)
    with added_folder(directory, ONNX) as folder:
        expected = _expected(task, reference, settings, rows)
        with torch_defaults():
            _write_fp32(task, reference, settings, rows, folder)
        checks = {"onnx": expected.compare(folder, "onnx", "fp32")}
        expected.refuse(checks["onnx"])
        tried: dict[str, float] = {}
        if int8:
            checks["onnx-int8"], tried = _write_best_int8(folder, expected)
        in_openvino, also_tried = openvino_checks(folder, expected, int8)
        checks, tried = checks | in_openvino, tried | also_tried
        learned = learned_share(directory, rows) if has_own_texts else None
        report = ExportReport(
            directory.path / ONNX, checks, tried, len(rows), has_own_texts, learned=learned
        )
        write_json(folder / REPORT, report.to_dict())
        default = export_in(folder).best_backend(installed(FILES))
        report = replace(report, default=default)
        write_json(folder / REPORT, report.to_dict())
    warn_of_texts(has_own_texts, report.learned)
    return report


def _settings(task: Task, reference: Reference) -> Settings:
    """Return what the pipeline knows besides weights and vocabulary.

    Raises:
        ExportError: only torch can run this kind of pipeline or tokenizer.
    """
    pipe, tokenizer = reference.pipe, reference.tokenizer
    _refuse_pipeline(task, pipe, tokenizer)
    outputs = {} if _is_stock(pipe) else {n: list(a) for n, a in task.onnx_outputs.items()}
    config, scoring = pipe.model.config, {} if outputs else pipe._postprocess_params
    function = scoring.get("function_to_apply")
    accepted = inspect.signature(pipe.model.forward).parameters
    return Settings(
        inputs=[name for name in tokenizer.model_input_names if name in accepted],
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
            "top_k": scoring.get("top_k", 1),
            "legacy": scoring.get("_legacy", True),
            "function": None if function is None else function.value,
        },
        batch_size=pipe._batch_size,
        window_pooling=task.window_pooling if task.long_text == "window" else None,
        equal_lengths=needs_equal_lengths(pipe.model),
        stand_in=stand_in(tokenizer),
        task=task.name,
        text_columns=list(task.text_columns),
        strict_length=bool(task.strict_length),
        outputs=outputs,
        **decision_settings(task),
    )


def _refuse_pipeline(task: Task, pipe: Pipeline, tokenizer: PreTrainedTokenizerBase) -> None:
    why = None
    if not _is_stock(pipe) and not task.onnx_outputs:
        why = (
            f"its pipeline is {type(pipe).__name__}, and only text-classification, or a task with "
            f"onnx_outputs, can be exported"
        )
    elif getattr(tokenizer, "backend_tokenizer", None) is None:
        why = f"{type(tokenizer).__name__} is not a fast tokenizer, so it runs in transformers only"
    elif _is_stock(pipe) and pipe._preprocess_params:
        why = (
            f"its pipeline passes {cell(pipe._preprocess_params)} to the tokenizer (use "
            f"tokenize_args instead)"
        )
    if why is not None:
        raise ExportError(f"The run {task.run_name!r} cannot be exported to ONNX: {why}")


def _is_stock(pipe: Pipeline) -> bool:
    from transformers import TextClassificationPipeline

    return type(pipe) is TextClassificationPipeline


def _expected(
    task: Task, reference: Reference, settings: Settings, texts: Sequence[str]
) -> Expected:
    from clx.ml.prediction.pipe_engine import torch_engine

    pipe, tokenizer = reference.pipe, reference.tokenizer
    if settings.outputs:
        outputs = pipeline_outputs(task, pipe, tokenizer, texts)
        return ExpectedOfPipeline(task, texts, outputs, pipe, tokenizer)
    return Expected(task, texts, torch_engine(task, pipe, tokenizer, None)(texts, {"top_k": None}))


def _write_fp32(
    task: Task, reference: Reference, settings: Settings, texts: Sequence[str], folder: Path
) -> None:
    """Write the settings, the tokenizer and the model."""
    from clx.ml.prediction.onnx_files import write_onnx

    pipe, tokenizer = reference.pipe, reference.tokenizer
    write_json(folder / SETTINGS, settings.to_dict())
    windows = windows_of(task.long_text, task.window_pooling, task.tokenize_args, tokenizer)
    # A real call sets up truncation as tokenize_args request it, and the saved file keeps that.
    arguments = {**(windows.arguments if windows is not None else {}), "padding": True}
    encoded = pipe.tokenizer(list(texts[:2]) * 2, return_tensors="pt", **arguments)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.save(str(folder / TOKENIZER))
    inputs = {name: encoded[name].cpu() for name in settings.inputs}
    write_onnx(pipe.model, inputs, folder / FILES["onnx"], settings.outputs or None)


def _write_best_int8(folder: Path, expected: Expected) -> tuple[BackendCheck, dict[str, float]]:
    """Write the 8-bit model; return how it compares, and the shares of equal decisions of all tried.

    The first quantization with enough equal decisions is kept, else the best one.
    """
    from clx.ml.prediction.onnx_files import QUANTISATIONS, write_int8

    target, kept = folder / FILES["onnx-int8"], folder / "best"
    checks: list[BackendCheck] = []
    for how in QUANTISATIONS:
        write_int8(folder / FILES["onnx"], target, how)
        check = expected.compare(folder, "onnx-int8", how)
        if all(check.equal_decisions > other.equal_decisions for other in checks):
            shutil.copyfile(target, kept)
        checks.append(check)
        if check.equal_decisions >= SAME_DECISIONS:
            break
    kept.replace(target)
    best = max(checks, key=lambda check: check.equal_decisions)
    return best, {check.how: check.equal_decisions for check in checks}
