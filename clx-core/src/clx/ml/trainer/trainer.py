"""The Hugging Face Trainer as clx runs it, for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import EvalPrediction, Trainer

from clx.errors import ConfigError, PluginError
from clx.ml.data.lazy_dataset import LazyDataset
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.task.argument_classes import argument_class
from clx.ml.task.evaluation_hooks import preprocessing
from clx.ml.trainer.arguments import training_arguments
from clx.ml.trainer.callbacks import TrimHeap, use_our_progress
from clx.ml.trainer.checkpoint_weights import CheckpointWeights
from clx.ml.trainer.loss_guard import GuardedLoss
from clx.ml.trainer.model_outputs import ScoresOnly
from clx.ml.trainer.row_order import trainer_type
from clx.ml.trainer.sampling import restored, sorted_by_length
from clx.ml.trainer.shared_evaluation import LossOfOwnRows
from clx.ml.trainer.weighted_rows import WeightedRows
from clx.problems import cell

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Fitting:
    """What a Trainer needs for training, and for evaluation during training.

    Attributes:
        train_set: tokenized rows to train on; None for a Trainer that only evaluates.
        eval_set: tokenized rows to evaluate on between epochs, if any.
        compute_metrics: returns metrics of an evaluation; None for the loss alone.
        callbacks: the callbacks of the training.
    """

    train_set: Dataset | None = None
    eval_set: Dataset | LazyDataset | None = None
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

    Args:
        task: provides the Trainer class and the data collator.
        tokenizer: the run's tokenizer.
        model: the model to train or to evaluate.
        arguments: the complete training arguments, except ``output_dir``.
        output_dir: the folder of checkpoints.
        fitting: data and callbacks; the default is for a Trainer that only evaluates.
    """
    # The loss of a classification model of transformers is a mean over the rows of a batch. But its
    # forward accepts any keyword, from which the Trainer (5.23) concludes that the loss is normalized
    # by num_items_in_batch, and multiplies loss and gradients by accumulation steps times processes.
    if not hasattr(type(model), "accepts_loss_kwargs"):
        model.accepts_loss_kwargs = False
    arguments = dict(arguments)
    grouped = arguments.get("train_sampling_strategy", "group_by_length") == "group_by_length"
    if grouped:
        # Done by our own sampler: TrainingArguments must not choose another one.
        arguments.pop("train_sampling_strategy", None)
    callbacks = list(fitting.callbacks)
    if trains_on_cpu(task.device, arguments):
        arguments["use_cpu"] = True
        callbacks.append(TrimHeap())
    preprocess = preprocessing(task)
    mixed_in = (GuardedLoss, LossOfOwnRows, WeightedRows, ScoresOnly, CheckpointWeights)
    trainer = of_run(trainer_type(task.trainer_class, grouped, *mixed_in), task)
    trainer.__init__(
        model=model,
        args=training_arguments(task.device, output_dir, arguments, argument_class(task)),
        train_dataset=fitting.train_set,
        eval_dataset=fitting.eval_set,
        data_collator=task.load_data_collator(),
        processing_class=tokenizer,
        compute_metrics=fitting.compute_metrics,
        callbacks=callbacks,
        **({} if preprocess is None else {"preprocess_logits_for_metrics": preprocess}),
    )
    use_our_progress(trainer, "evaluate", arguments.get("disable_tqdm"))
    return trainer


def of_run(kind: Any, task: Task) -> Trainer:
    """Return a Trainer without a call of its ``__init__``, which may need ``training_run`` already."""
    trainer: Trainer = kind.__new__(kind)
    # An author's class may have a read-only property of this name.
    with suppress(AttributeError):
        trainer.training_run = task
    return trainer


@contextmanager
def preserve_forward(model: PreTrainedModel) -> Iterator[None]:
    """Restore the model's ``forward`` when the block ends, whatever Trainers did to it.

    For bf16 and fp16, accelerate wraps it in autocast again for each evaluation and training. Its own
    way to unwrap also removes the decorators of the model's class.
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
    """Return a context that restores the state of the random number generators when it ends."""
    device = trainer.args.device
    context: AbstractContextManager[None] = torch.random.fork_rng(
        devices=[device] if device.type == "cuda" else []
    )
    return context


def sample_of(dataset: Any, rows: int = 64) -> Any:
    """Return about the given number of rows, spread over the dataset, or all rows if it has fewer."""
    chosen = range(0, len(dataset), max(1, len(dataset) // rows))
    if isinstance(dataset, LazyDataset):
        return dataset.subset(chosen)
    return dataset.select(chosen)


def predict_before_training(
    trainer: Trainer, dataset: Any, metrics: bool = True
) -> dict[str, float]:
    """Return the metrics of the untrained model without affecting the training that follows.

    Args:
        trainer: the Trainer, before its training.
        dataset: tokenized rows.
        metrics: whether to compute the task's metrics, which may need all rows; else the loss alone.
    """
    compute, only_loss = trainer.compute_metrics, trainer.args.prediction_loss_only
    if not metrics:
        trainer.compute_metrics = None
    if trainer.compute_metrics is None:
        # The predictions of a language model would fill the memory.
        trainer.args.prediction_loss_only = True
    # Outside of training, bf16_full_eval would convert the model itself to half precision.
    trainer.is_in_train = True
    try:
        with same_random_numbers(trainer):
            return dict(trainer.predict(dataset, metric_key_prefix="eval").metrics or {})
    finally:
        trainer.is_in_train, trainer.compute_metrics = False, compute
        trainer.args.prediction_loss_only = only_loss
        _not_prepared(trainer)


def _not_prepared(trainer: Trainer) -> None:
    """Let the Trainer prepare the model for a training in several processes after an evaluation.

    accelerate marks a model that it prepared for an evaluation. It would leave it as it is for the
    training, and each process would train a model of its own.
    """
    if trainer.args.world_size > 1:
        trainer.accelerator.free_memory()
        vars(trainer.model).pop("_is_accelerate_prepared", None)


def forget_model(trainer: Trainer) -> None:
    """Drop the Trainer's references to the model, which reference cycles would keep in memory."""
    trainer.model = trainer.model_wrapped = trainer.callback_handler.model = None
    with suppress(AttributeError):
        trainer.training_run = None
    trainer.accelerator.free_memory()


def predict_dataset(
    trainer: Trainer, dataset: Dataset | LazyDataset
) -> tuple[EvalPrediction, float | None]:
    """Return predictions and label ids in the dataset's order, and the mean loss if there is one.

    Rows go through the model sorted by length. A Trainer with its own order of evaluation gets a
    sorted dataset.

    Raises:
        ConfigError: the Trainer returns fewer or more rows than the dataset has.
    """
    where = None
    if not trainer.sort_evaluation:
        dataset, where = sorted_by_length(dataset)
    output = trainer.predict(dataset, metric_key_prefix="eval")
    predictions, label_ids = output.predictions, output.label_ids
    if where is not None:
        _require_all_rows(predictions, len(dataset))
        predictions, label_ids = restored(predictions, where), restored(label_ids, where)
    prediction = EvalPrediction(predictions=predictions, label_ids=label_ids)
    return prediction, output.metrics.get("eval_loss")


def _require_all_rows(predictions: Any, rows: int) -> None:
    first = predictions
    while isinstance(first, tuple | list | dict) and first:
        first = next(iter(first.values() if isinstance(first, dict) else first))
    if first is not None and len(first) != rows:
        raise ConfigError(
            f"The evaluation is not complete: its Trainer leaves rows out (it predicted {len(first)} "
            f"of {rows} rows). The task's trainer_class must predict every row once."
        )


def checked_metrics(task: Task) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that calls the task's ``compute_metrics`` and checks its result.

    The function raises a PluginError if the result is not a dict of numbers.
    """

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
