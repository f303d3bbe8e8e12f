"""Checks of training and evaluation, on one training run of a tiny model."""

from __future__ import annotations

import json
import math
from typing import Any

from clx.errors import ClxError
from clx.testing.catalog import check
from clx.testing.label_kinds import TOKENS, has_own_loss, label_kind
from clx.testing.outcomes import (
    CheckFailedError,
    CheckWarningError,
    NotReachedError,
    describe_error,
)
from clx.testing.sampled import without_clx_warnings
from clx.testing.subject import Subject
from clx.testing.tolerance import same


@check(
    "Training on the sample lowers the loss.",
    "A model that learned nothing is published as if it had.",
    "tokenize load_model load_data_collator trainer_class",
    reads="training",
    opens="training",
)
def learns(subject: Subject) -> None:
    """Train a tiny model for a few steps and compare the loss on the same rows before and after."""
    try:
        run, _ = subject.train_once()
    except Exception as error:
        raise CheckFailedError(describe_error(error)) from error
    log = run.run_dir / "logs" / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = [line["eval_loss"] for line in lines if "eval_loss" in line]
    without_eval = len(losses) < 2
    if without_eval:
        if not has_own_loss(run):
            raise CheckFailedError(
                "there is no loss on the eval data: tokenize must return labels for it"
            )
        # A loss that needs no labels: the Trainer computes it in training only.
        found = [line["loss"] for line in lines if "loss" in line]
        third = max(1, len(found) // 3)
        losses = [sum(some) / third for some in (found[:third], found[-third:])]
    if any(loss is None or not math.isfinite(loss) for loss in losses):
        raise CheckFailedError("the loss is not a finite number")
    if not losses[-1] < 0.999 * losses[0]:
        raise CheckFailedError(
            f"the loss on the {len(subject.sample)} rows of the sample is {losses[0]:.5f} before and "
            f"{losses[-1]:.5f} after {subject.steps} training steps on them"
        )
    if without_eval:
        raise CheckWarningError(
            "there is no loss on the eval data, so the best epoch cannot be kept: set self.label_names "
            "in the __init__ of trainer_class to the inputs that its loss needs, or override its "
            "prediction_step"
        )


@check(
    "compute_metrics returns finite numbers, the same ones each time.",
    "Evaluation fails after hours of training, or its results are not reproducible.",
    "compute_metrics",
    reads="training",
)
def metrics(subject: Subject) -> None:
    """Evaluate the sample twice and compare the metrics."""
    run = subject.opened()
    try:
        with without_clx_warnings():
            first, second = run.evaluate(subject.sample), run.evaluate(subject.sample)
    except Exception as error:
        raise CheckFailedError(describe_error(error)) from error
    for name, value in first.metrics.items():
        if not math.isfinite(value):
            raise CheckFailedError(f"the metric {name} is {value}")
        if not same(value, second.metrics.get(name), 1e-6):
            raise CheckFailedError(
                f"{name} is {value} in one evaluation and {second.metrics.get(name)} in the next"
            )
    json.dumps(first.to_dict())
    # The loss of a language model is a metric of its own: its exponential is the perplexity.
    if not set(first.metrics) - {"loss"} and label_kind(run) != TOKENS:
        raise CheckWarningError(
            "run.evaluate(data).metrics contains only the loss, which is hard to interpret"
        )


@check(
    "Training does not modify the class.",
    "A second run on other data in the same process inherits values from the first.",
    "infer_config load_model",
    reads="training",
)
def class_untouched(subject: Subject) -> None:
    """Compare the attributes of the class before and after training."""
    before = subject.class_before
    run = subject.trained[0]
    after = subject.class_state()
    changed = [name for name in after if name not in before or before[name] != after[name]]
    if changed:
        raise CheckFailedError(
            f"after run {run.run_name!r} was trained, {subject.task.__name__}.{changed[0]} is "
            f"{after[changed[0]]}: the next run starts with that value"
        )


@check(
    "An interrupted training run can be resumed and gives the same model.",
    "A machine fails after a day of training, and the day is lost.",
    "infer_config trainer_class",
    reads="training",
)
def resumes(subject: Subject) -> None:
    """Interrupt a training run halfway, resume it, and compare it with an uninterrupted one."""
    from transformers import TrainerCallback

    half = subject.steps // 2

    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == half:
                raise InterruptedError

    predictions = _reached_predictions(subject)
    try:
        subject.train("resumed", callbacks=[Stop()])
    except InterruptedError:
        pass
    else:
        raise CheckFailedError(f"the training ended before step {half} of {subject.steps}")
    try:
        run, result = subject.train("resumed", resume=True)
    except ClxError as error:
        raise CheckFailedError(f"train(…, resume=True): {describe_error(error)}") from error
    if result.steps != subject.steps:
        raise CheckFailedError(
            f"the resumed training run has {result.steps} of {subject.steps} steps"
        )
    if predictions is None:
        _compare_weights(subject.opened().model.state_dict(), run.model.state_dict())
        return
    resumed = subject.predict(run, subject.inputs)
    if not same(predictions, resumed, 1e-2):
        pairs = enumerate(zip(predictions, resumed, strict=True))
        row = next(number for number, (one, other) in pairs if not same(one, other, 1e-2))
        raise CheckFailedError(
            f"row {row} is {predictions[row]!r} without an interruption, and {resumed[row]!r} after "
            f"resuming"
        )


def _reached_predictions(subject: Subject) -> list[Any] | None:
    """Return the predictions for the sample; None for a task without them, or if they fail."""
    try:
        return subject.predictions
    except NotReachedError:
        # Raises again, with its own reason, if there is no trained run.
        subject.run_dir  # noqa: B018
        return None


def _compare_weights(whole: dict[str, Any], resumed: dict[str, Any]) -> None:
    for name, one in whole.items():
        other = resumed.get(name)
        if other is None or not bool((one - other).abs().max() <= 1e-2):
            raise CheckFailedError(f"the weight {name} is different after resuming")
