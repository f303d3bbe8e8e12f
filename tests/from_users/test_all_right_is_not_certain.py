"""A user saw an accuracy of 1 with the interval 1 to 1 after 24 rows, and promised it to a customer."""

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.ml import training_run


@pytest.fixture
def rows():
    texts = [f"{size} {word}" for size in ("red", "big", "small") for word in "apple cat".split()]
    return pd.DataFrame({"text": texts * 4, "label": ["fruit", "animal"] * 12})


def test_an_interval_leaves_room_for_mistakes(trained, rows, tmp_path, capsys, monkeypatch):
    run = training_run(load=trained)
    evaluation = run.evaluate(rows)
    assert evaluation.metrics["accuracy"] == 1
    for name in ("accuracy", "f1_macro", "f1_weighted"):
        low, high = (evaluation.metrics[f"{name}_{end}"] for end in ("low", "high"))
        assert (low, high) == pytest.approx((0.862, 1), abs=1e-3)
    assert "0.862 to 1.000" in evaluation._repr_html_()
    page = (evaluation.save(tmp_path / "evaluation") / "report.html").read_text()
    assert "(95% interval: 86.2% to 100%)" in page
    assert "1.000 to 1.000" not in page
    rows.to_csv(tmp_path / "rows.csv", index=False)
    cli = Cli(capsys, monkeypatch)
    assert cli.on_terminal("evaluate", trained, tmp_path / "rows.csv").status == 0
    assert "0.8620 to 1.0000" in cli.out
    assert "1.0000 to 1.0000" not in cli.out
