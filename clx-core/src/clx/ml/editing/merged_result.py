"""The result of a run with merged labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clx.ml.editing.refit import Refitted
from clx.ml.results.data_check import DataCheck
from clx.ml.results.outcome import EvaluationResult, TrainingResult
from clx.ml.run_directory.layout import RunDir

if TYPE_CHECKING:
    from clx.ml.data.splits import Split
    from clx.ml.results.row_split import RowSplit


def merged_result(
    place: RunDir,
    fitted: Refitted,
    evaluation: EvaluationResult | None,
    splits: Sequence[Split],
    made: RowSplit | None,
) -> TrainingResult:
    """Return the result: the facts of the training that made the features, and the new metrics."""
    known = place.read_results()
    loss, steps, epochs = (known.get(key) for key in ("train_loss", "steps", "epochs"))
    return TrainingResult(
        run_dir=place.path,
        metrics={} if evaluation is None else evaluation.metrics,
        evaluation=evaluation,
        train_loss=float("nan") if loss is None else float(loss),
        steps=int(steps or 0),
        epochs=float(epochs or 0),
        rows={split.name: len(split.frame) for split in splits},
        truncated={split.name: split.truncated for split in splits},
        data_check=_counted(splits, fitted),
        kept=known.get("kept_model"),
        stopped=known.get("stopped"),
        split=made,
    )


def _counted(splits: Sequence[Split], fitted: Refitted) -> DataCheck:
    """Return the counts of the rows; their texts were not checked."""
    rows = {f"{split.name}_data": len(split.frame) for split in splits}
    return DataCheck((), rows, {f"{name}_data": of for name, of in fitted.counts.items()})
