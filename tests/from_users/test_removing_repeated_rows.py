"""clx told a user to call ``drop_duplicates()``, which pandas refuses for columns of lists.

Later it named the columns 'text' and 'label', whatever those of the data were called.
"""

import re

import pandas as pd
import pytest

from clx.ml import training_run


@pytest.mark.parametrize(
    ("task", "column", "labels"),
    [("classification", "label", ["a", "b"]), ("multilabel", "labels", [["a", "c"], ["b"]])],
)
def test_the_advice_works(tiny_model, task, column, labels):
    data = pd.DataFrame({"text": list("pqrspq"), column: labels * 3, "id": range(6)})
    run = training_run(task, "repeated", base_model_name=tiny_model)
    (finding,) = (f for f in run.check(data).findings if f.kind == "duplicate_rows")
    advice = re.search(r"data\[~.*?\)\]", finding.message)[0]
    left = eval(advice, {"data": data})
    assert left["id"].tolist() == [0, 1, 2, 3]
    assert "duplicate_rows" not in [f.kind for f in run.check(left).findings]


def test_columns_that_are_not_known_are_not_named(tiny_model):
    rows = {"words": [["Ada", "slept"], ["Bo", "ran"]] * 2, "tags": [["B-who", "O"]] * 4}
    run = training_run("token-classification", "tagged", base_model_name=tiny_model)
    (finding,) = (f for f in run.check(pd.DataFrame(rows)).findings if f.kind == "duplicate_rows")
    assert finding.remedy == "They count more than other rows: remove them."
