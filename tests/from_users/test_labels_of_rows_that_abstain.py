"""A user trained on whole numbers: where a run abstained, ``predict_frame`` gave 1.0 instead of 1."""

import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.prediction.rows import prediction_frame

LARGE = 2**53 + 1


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ([1, None], "Int64"),
        ([LARGE, None], "Int64"),
        ([-(2**63), None], "Int64"),
        ([2**64, None], "object"),
        ([True, None], "boolean"),
        ([1, 2], "int64"),
        ([None, None], "object"),
    ],
)
def test_numbers_and_booleans_keep_their_values(labels, dtype):
    rows = [{"label": label, "score": 0.5} for label in labels]
    frame = prediction_frame(rows, ["a", "a"])
    assert frame["label"].dtype == dtype
    assert [None if pd.isna(label) else label for label in frame["label"]] == labels
    assert frame.index.tolist() == ["a", "a"]
    assert frame["score"].dtype == "float64"


def test_a_run_that_abstains_gives_large_numbers_unchanged(tiny_model, fruit):
    data = fruit.assign(label=[LARGE if label == "fruit" else 2 for label in fruit["label"]])
    run = training_run("classification", "numbers", base_model_name=tiny_model)
    run.train(data, fine_tune=False)
    every = run.predict_frame(data)
    assert every["label"].dtype == "int64"
    middle = every["score"].sort_values().iloc[len(every) // 2]
    some = run.predict_frame(data, min_score=float(middle))
    assert some["abstained"].any()
    assert not some["abstained"].all()
    assert some["label"].dtype == "Int64"
    assert some["label"].isna().tolist() == some["abstained"].tolist()
    assert some["label"].dropna().tolist() == every["label"][~some["abstained"]].tolist()
    assert LARGE in some["label"].dropna().tolist()
