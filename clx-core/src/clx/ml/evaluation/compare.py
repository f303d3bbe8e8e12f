"""Two runs on the same rows: what differs, whether it may be chance, and which rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.comparing import mcnemar
from clx.ml.evaluation.evaluate import evaluate_predictions, predict_frame_rows
from clx.ml.results.json_tables import table_to_json
from clx.ml.results.outcome import EvaluationResult
from clx.ml.results.pages import comparison_report
from clx.ml.run_directory.files import write_json, writing
from clx.ml.run_directory.layout import REPORT
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Comparison:
    """How another run does on the rows that one run was evaluated on.

    Attributes:
        names: the runs' names, the own one first.
        metrics: a row a metric; columns ``own``, ``other``, ``difference`` (other − own), ``low`` and
            ``high`` (95 % paired bootstrap interval of the difference, missing where the task has
            none).
        fixed: rows that the own run has wrong and the other right, with what both predict.
        broken: rows that the own run has right and the other wrong.
        p_value: McNemar's test of fixed against broken, None for a task without right and wrong.
        rows: how many rows were compared.
    """

    names: tuple[str, str]
    metrics: pd.DataFrame
    fixed: pd.DataFrame = field(repr=False)
    broken: pd.DataFrame = field(repr=False)
    p_value: float | None
    rows: int

    def to_frame(self) -> pd.DataFrame:
        """Return the metrics of both runs with their differences."""
        return self.metrics

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; missing intervals are null."""
        return {
            "own": self.names[0],
            "other": self.names[1],
            "rows": self.rows,
            "p_value": self.p_value,
            "metrics": table_to_json(self.metrics),
            "fixed": len(self.fixed),
            "broken": len(self.broken),
        }

    def save(self, folder: str | Path) -> Path:
        """Write ``comparison.json``, ``fixed.csv``, ``broken.csv`` and ``report.html``."""
        folder = Path(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "comparison.json", self.to_dict())
            self.fixed.to_csv(folder / "fixed.csv")
            self.broken.to_csv(folder / "broken.csv")
            page = comparison_report(
                self.names, self.metrics, self.fixed, self.broken, self.p_value
            )
            (folder / REPORT).write_text(page, encoding="utf-8")
        return folder


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
