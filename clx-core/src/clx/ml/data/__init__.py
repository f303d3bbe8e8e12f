"""From the user's data to the model's input.

The names exported here are public: task packages import them. The modules of clx import from the
modules of this room.
"""

from clx.ml.data.dataset import ROW_OF_RESULT, fingerprint, to_dataset
from clx.ml.data.frames import to_frame
from clx.ml.data.problems import column_problems, raise_data_problems, row_problems, text_problems
from clx.ml.data.reading import Reading
from clx.ml.data.relabeled import relabeled_cells, relabeled_lists, relabeled_marks
from clx.ml.data.row_targets import RowTargets, row_targets
from clx.ml.data.soft_labels import (
    label_probabilities,
    soft_label_problems,
    soft_names,
    vote_shares,
)
from clx.ml.task.row_finding import RowFinding
from clx_runtime.texts import has_surrogate

__all__ = [
    "ROW_OF_RESULT",
    "Reading",
    "RowFinding",
    "RowTargets",
    "column_problems",
    "fingerprint",
    "has_surrogate",
    "label_probabilities",
    "raise_data_problems",
    "relabeled_cells",
    "relabeled_lists",
    "relabeled_marks",
    "row_problems",
    "row_targets",
    "soft_label_problems",
    "soft_names",
    "text_problems",
    "to_dataset",
    "to_frame",
    "vote_shares",
]
