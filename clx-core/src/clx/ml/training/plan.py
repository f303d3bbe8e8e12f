"""The decisions that a training makes before its first step; a resumed training keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clx.ml.data.lengths import input_lengths
from clx.ml.machine.distributed import is_main_process
from clx.ml.run_directory.files import write_json
from clx.ml.training.attention_dropout import rates_to_leave_out
from clx.ml.training.best_metric import refuse_unknown_metric
from clx.ml.training.keep_probe import score_probe
from clx.ml.training.time_budget import measure_evaluation, steps_in_time
from clx_runtime.files import read_json_or_empty

if TYPE_CHECKING:
    from transformers import Trainer

    from clx.ml.model.head.initialize import Head
    from clx.ml.training.job import Job

DROPOUT = "attention_dropout_left_out"
"""A key of the plan and of the results."""

FILE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """The decisions of one training.

    Attributes:
        pooling: how tokens become the vector that the head reads.
        init: how the head was initialized, ``probe`` or ``random``.
        C: the inverse strength of the probe's regularization, None without a probe.
        label_texts: the number of texts that describe labels among the probe's examples.
        dropout: the attention dropout that the model is trained without, by its names in the config.
        probe_score: the metric of the probe on eval data, None if it was not measured.
        max_steps: the number of steps that the time budget allows, None for no limit.
    """

    pooling: str
    init: str
    C: float | None = None
    label_texts: int = 0
    dropout: dict[str, float] = field(default_factory=dict)
    probe_score: float | None = None
    max_steps: int | None = None

    def write(self, folder: Path) -> None:
        """Write the plan beside the checkpoints."""
        values = {
            "pooling": self.pooling,
            "init": self.init,
            "strength": self.C,
            "label_texts": self.label_texts,
            DROPOUT: self.dropout,
            "probe_score": self.probe_score,
            "max_steps": self.max_steps,
        }
        write_json(folder / FILE, values)


def read_plan(job: Job) -> Plan | None:
    """Return the plan of the training to resume, None for a new training."""
    if job.resume_from is None:
        return None
    values = read_json_or_empty(job.work_dir / FILE)
    if not {"pooling", "init"} <= set(values):
        return None
    return Plan(
        values["pooling"],
        values["init"],
        values.get("strength"),
        values.get("label_texts", 0),
        dict(values.get(DROPOUT, {})),
        values.get("probe_score"),
        values.get("max_steps"),
    )


def dropout_to_leave_out(job: Job, resumed: Plan | None) -> dict[str, float]:
    """Return the attention dropout that the fine-tuning leaves out because of its row lengths."""
    if job.resume_from is not None:
        return {} if resumed is None else resumed.dropout
    if not job.call.fine_tune:
        return {}
    return rates_to_leave_out(job.base, job.task.model_args, input_lengths(job.train.dataset))


def make_plan(job: Job, trainer: Trainer, head: Head, dropout: dict[str, float]) -> Plan:
    """Score the probe, decide the number of steps, and write the plan.

    Raises:
        ConfigError: the eval data has no metric that chooses the best model.
    """
    budget, eval_set = job.call.budget, job.eval_set
    refuse_unknown_metric(trainer, eval_set)
    measure_evaluation(trainer, budget, eval_set)
    plan = Plan(
        head.pooling,
        head.init,
        head.C,
        head.label_texts,
        dropout,
        score_probe(trainer, eval_set, head, job.work_dir, budget),
        steps_in_time(trainer, budget, eval_set),
    )
    if is_main_process():
        plan.write(job.work_dir)
    return plan
