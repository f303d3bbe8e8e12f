"""Two runs on the same rows: what differs, whether it may be chance, and which rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import ConfigError
from clx.ml.comparing import mcnemar
from clx.ml.evaluation.evaluate import evaluate_predictions, predict_frame_rows
from clx.ml.results.comparison import Comparison
from clx.ml.results.outcome import EvaluationResult
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Contender:
    """One of two trained runs that are compared.

    Attributes:
        task: the run.
        tokenizer: the run's tokenizer.
        model: the run's model.
        run_dir: where the run is.
    """

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    run_dir: Path


def compare_runs(one: Contender, two: Contender, frame: pd.DataFrame) -> Comparison:
    """Return how the second run does on a validated frame, compared with the first."""
    import pandas as pd

    task, other = one.task, two.task
    own_raw, other_raw = (
        predict_frame_rows(each.task, each.tokenizer, each.model, frame) for each in (one, two)
    )
    own = evaluate_predictions(task, frame, own_raw, one.run_dir)
    others = evaluate_predictions(other, frame, other_raw, two.run_dir)
    with author_code(task, "metric_differences"):
        differences = task.metric_differences(other, own_raw.prediction, other_raw.prediction)
    shared = [key for key in own.metrics if key in others.metrics]
    plain = [key for key in shared if not key.endswith(("_low", "_high"))]
    table = pd.DataFrame(
        [
            {
                "own": own.metrics[key],
                "other": others.metrics[key],
                "difference": others.metrics[key] - own.metrics[key],
                "low": differences[key][1] if key in differences else float("nan"),
                "high": differences[key][2] if key in differences else float("nan"),
            }
            for key in plain
        ],
        index=pd.Index(plain, name="metric"),
    )
    fixed, broken, p_value = _changed_rows(own, others)
    return Comparison((task.run_name, other.run_name), table, fixed, broken, p_value, len(frame))


def refuse_unlike(task: Task, other: Task) -> None:
    """Refuse to compare runs that do not answer the same question.

    Raises:
        ConfigError: the runs are of different tasks or have different labels.
    """
    if other.name != task.name:
        raise ConfigError(
            f"Runs of one task can be compared: {task.run_name!r} is of {task.name!r} and "
            f"{other.run_name!r} of {other.name!r}"
        )
    labels = [set(getattr(each, "label_names", None) or ()) for each in (task, other)]
    if labels[0] != labels[1]:
        raise ConfigError(
            f"Runs with the same labels can be compared: {task.run_name!r} and {other.run_name!r} "
            f"differ in {sorted(labels[0] ^ labels[1])}"
        )


def _changed_rows(
    own: EvaluationResult, others: EvaluationResult
) -> tuple[pd.DataFrame, pd.DataFrame, float | None]:
    import pandas as pd

    if own.examples is None or others.examples is None:
        return pd.DataFrame(), pd.DataFrame(), None
    both = own.examples.rename(columns={"predicted": "own_predicted", "score": "own_score"})
    both = both.drop(columns=["correct", "given_score"])
    both["other_predicted"] = others.examples["predicted"].to_numpy()
    both["other_score"] = others.examples["score"].to_numpy()
    was, now = own.examples["correct"].to_numpy(), others.examples["correct"].to_numpy()
    fixed, broken = both[~was & now], both[was & ~now]
    return fixed, broken, float(mcnemar(len(broken), len(fixed)))
