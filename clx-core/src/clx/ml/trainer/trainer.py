"""The Hugging Face Trainer as clx runs it, for training and for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import EvalPrediction, Trainer, TrainingArguments

from clx.errors import PluginError
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.trainer.heap import GiveBack
from clx.ml.trainer.loss_guard import GuardedLoss
from clx.ml.trainer.progress import use_our_progress
from clx.ml.trainer.row_order import trainer_type
from clx.ml.trainer.sampling import restored, sorted_by_length
from clx.problems import cell

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Fitting:
    """What a Trainer needs to train; one that only evaluates does without.

    Attributes:
        train_set: tokenized rows.
        eval_set: tokenized rows to evaluate on between epochs, None for none.
        compute_metrics: gives their metrics, None for the loss alone.
        callbacks: of the training.
    """

    train_set: Dataset | None = None
    eval_set: Dataset | None = None
    compute_metrics: Callable[[EvalPrediction], dict[str, float]] | None = None
    callbacks: Sequence[Any] = ()


def make_trainer(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    arguments: Mapping[str, Any],
    output_dir: Path,
    fitting: Fitting = Fitting(),
) -> Trainer:
    """Return a Trainer of the task's class.

    The losses of transformers' classification models are means that ignore how many rows are
    accumulated, but their ``forward`` takes any keyword, from which the Trainer (5.23) concludes
    that they do not, and multiplies loss and gradients by accumulation steps × processes. Saying
    ``accepts_loss_kwargs = False`` mends it.
    """
    if not hasattr(type(model), "accepts_loss_kwargs"):
        model.accepts_loss_kwargs = False
    arguments = dict(arguments)
    strategy = arguments.pop("train_sampling_strategy", "group_by_length")
    grouped = strategy == "group_by_length"
    if not grouped:
        arguments["train_sampling_strategy"] = strategy
    callbacks = list(fitting.callbacks)
    if trains_on_cpu(task.device, arguments):
        arguments["use_cpu"] = True
        callbacks.append(GiveBack())
    trainer: Trainer = trainer_type(task.trainer_class, grouped, GuardedLoss)(
        model=model,
        args=TrainingArguments(output_dir=str(output_dir), **arguments),
        train_dataset=fitting.train_set,
        eval_dataset=fitting.eval_set,
        data_collator=task.load_data_collator(),
        processing_class=tokenizer,
        compute_metrics=fitting.compute_metrics,
        callbacks=callbacks,
    )
    use_our_progress(trainer, "evaluate", arguments.get("disable_tqdm"))
    return trainer


@contextmanager
def own_forward(model: PreTrainedModel) -> Iterator[None]:
    """Leave a model the ``forward`` that it had, whatever Trainers do with it.

    For bf16 and fp16 accelerate wraps it in autocast, once more for each evaluation and training; its
    way of unwrapping takes the decorators of the model's own class along.
    """
    before = model.__dict__.get("forward")
    try:
        yield
    finally:
        for name in ("forward", "_original_forward"):
            model.__dict__.pop(name, None)
        if before is not None:
            model.forward = before


def same_random_numbers(trainer: Trainer) -> AbstractContextManager[None]:
    """Return a context after which random numbers go on as if it had not been."""
    device = trainer.args.device
    context: AbstractContextManager[None] = torch.random.fork_rng(
        devices=[device] if device.type == "cuda" else []
    )
    return context


def predict_before_training(trainer: Trainer, dataset: Dataset) -> dict[str, float]:
    """Return the metrics of the model as it is, without a trace in what is then trained.

    Outside of a training ``bf16_full_eval`` would turn the model itself into half precision.
    """
    trainer.is_in_train = True
    try:
        with same_random_numbers(trainer):
            return dict(trainer.predict(dataset, metric_key_prefix="eval").metrics or {})
    finally:
        trainer.is_in_train = False


def forget_model(trainer: Trainer) -> None:
    """Let go of the model: a Trainer is in reference cycles, which would hold it for long."""
    trainer.model = trainer.model_wrapped = trainer.callback_handler.model = None
    trainer.accelerator.free_memory()


def predict_dataset(trainer: Trainer, dataset: Dataset) -> tuple[EvalPrediction, float | None]:
    """Return predictions and label ids in the dataset's order, and the mean loss if there is one.

    Rows go through the model sorted by length: by our own order of evaluation, and for a Trainer
    with another one by sorting the dataset.
    """
    if trainer.sort_evaluation:
        output = trainer.predict(dataset, metric_key_prefix="eval")
        prediction = EvalPrediction(predictions=output.predictions, label_ids=output.label_ids)
        return prediction, output.metrics.get("eval_loss")
    ordered, where = sorted_by_length(dataset)
    output = trainer.predict(ordered, metric_key_prefix="eval")
    prediction = EvalPrediction(
        predictions=restored(output.predictions, where), label_ids=restored(output.label_ids, where)
    )
    return prediction, output.metrics.get("eval_loss")


def checked_metrics(task: Task) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return the task's ``compute_metrics`` with its result checked to be names and numbers."""

    def compute(prediction: EvalPrediction) -> dict[str, float]:
        metrics = task.compute_metrics(prediction)
        if not isinstance(metrics, dict):
            raise PluginError(
                f"compute_metrics() of the task {task.name!r} must return a dict of numbers, but "
                f"returned {cell(metrics)}"
            )
        numbers = {}
        for name, value in metrics.items():
            try:
                numbers[str(name)] = float(value)
            except (TypeError, ValueError) as error:
                raise PluginError(
                    f"compute_metrics() of the task {task.name!r} must return numbers, but "
                    f"{name!r} is {cell(value)}"
                ) from error
        return numbers

    return compute
