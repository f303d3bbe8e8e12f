"""clx told a user to call ``drop_duplicates()``, which pandas refuses for columns of lists."""

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
    advice = re.search(r"run\.drop_duplicates\(.*?\)\.data", finding.message)[0]
    left = eval(advice, {"data": data, "run": run})
    assert left["id"].tolist() == [0, 1, 2, 3]
    assert "duplicate_rows" not in [f.kind for f in run.check(left).findings]
