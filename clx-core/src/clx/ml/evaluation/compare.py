"""Compare two runs on the same rows: metrics, significance, and changed predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import ConfigError
from clx.ml.comparing import mcnemar
from clx.ml.evaluation.evaluate import evaluate_predictions, predict_frame_rows
from clx.ml.evaluation.learned import learned_rows, warn_of_learned
from clx.ml.results.comparison import Comparison
from clx.ml.results.outcome import EvaluationResult
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.evaluation.evaluate import Predicted
    from clx.ml.task.task import Task
    from clx_runtime.static_model import StaticModel


@dataclass(frozen=True)
class Contender:
    """One of the two trained runs of a comparison.

    Attributes:
        task: the run.
        tokenizer: the run's tokenizer.
        model: the run's model, or the static student.
        run_dir: the run directory.
    """

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel | StaticModel
    run_dir: Path


def compare_runs(one: Contender, two: Contender, frame: pd.DataFrame) -> Comparison:
    """Compare two runs on a validated frame; differences are the second run minus the first."""
    learned = [learned_rows(run.task, RunDir(run.run_dir), frame) for run in (one, two)]
    warn_of_learned(learned, len(frame))
    own = predict_frame_rows(one.task, one.tokenizer, one.model, frame)
    other = predict_frame_rows(two.task, two.tokenizer, two.model, frame)
    result = compare_predictions(one, own, two, other, frame)
    return replace(result, learned_rows=(learned[0].count, learned[1].count))


def compare_predictions(
    one: Contender, own: Predicted, two: Contender, other: Predicted, frame: pd.DataFrame
) -> Comparison:
    """Compare the predictions of two runs for a validated frame; see :func:`compare_runs`."""
    import pandas as pd

    own_result = evaluate_predictions(one.task, frame, own, one.run_dir)
    other_result = evaluate_predictions(two.task, frame, other, two.run_dir)
    with author_code(one.task, "metric_differences"):
        differences = one.task.metric_differences(two.task, own.prediction, other.prediction)
    own_metrics, other_metrics = own_result.metrics, other_result.metrics
    compared = [
        key for key in own_metrics if key in other_metrics and not key.endswith(("_low", "_high"))
    ]
    table = pd.DataFrame(
        [
            {
                "own": own_metrics[key],
                "other": other_metrics[key],
                "difference": other_metrics[key] - own_metrics[key],
                "low": differences[key][1] if key in differences else float("nan"),
                "high": differences[key][2] if key in differences else float("nan"),
            }
            for key in compared
        ],
        index=pd.Index(compared, name="metric"),
    )
    fixed, broken, p_value = _changed_rows(own_result, other_result)
    names = one.task.run_name, two.task.run_name
    return Comparison(names, table, fixed, broken, p_value, len(frame))


def refuse_unlike(task: Task, other: Task) -> None:
    """Refuse to compare runs whose metrics mean different things.

    Raises:
        ConfigError: the runs have different tasks or different labels.
    """
    if other.name != task.name:
        raise ConfigError(
            f"Only runs of the same task can be compared: {task.run_name!r} is a {task.name!r} run, "
            f"and {other.run_name!r} is a {other.name!r} run"
        )
    labels, other_labels = (set(getattr(run, "label_names", None) or ()) for run in (task, other))
    if labels != other_labels:
        raise ConfigError(
            f"Only runs with the same labels can be compared: {task.run_name!r} and "
            f"{other.run_name!r} differ in {sorted(labels ^ other_labels)}"
        )


def _changed_rows(
    own: EvaluationResult, other: EvaluationResult
) -> tuple[pd.DataFrame, pd.DataFrame, float | None]:
    """Return the rows that only ``other`` gets right, those that only ``own`` does, and a p-value.

    The p-value is that of McNemar's test, None for a task without right and wrong rows.
    """
    import pandas as pd

    if own.examples is None or other.examples is None:
        return pd.DataFrame(), pd.DataFrame(), None
    both = own.examples.rename(columns={"predicted": "own_predicted", "score": "own_score"})
    both = both.drop(columns=["correct", "given_score"])
    both["other_predicted"] = other.examples["predicted"].to_numpy()
    both["other_score"] = other.examples["score"].to_numpy()
    own_correct = own.examples["correct"].to_numpy()
    other_correct = other.examples["correct"].to_numpy()
    fixed, broken = both[~own_correct & other_correct], both[own_correct & ~other_correct]
    return fixed, broken, float(mcnemar(len(broken), len(fixed)))
