"""Snippets of docs/how-to/scale.md for engines that the tests do not install, run where they are."""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "scale.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(py|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def snippets(engine):
    """Return the code of an engine, after the first block of the page, which trains a run."""
    heading = f"### {engine}\n"
    section = PAGE.partition(heading)[2].partition("\n### ")[0]
    found = re.findall(r"^```py\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found
    return [BLOCKS[0][1], *found]


@pytest.mark.parametrize(
    ("engine", "package"),
    [("Spark", "pyspark"), ("Daft", "daft")],
)
@pytest.mark.filterwarnings("default")
def test_the_snippet_runs(engine, package, tmp_path, monkeypatch, capfd):
    codes = snippets(engine)
    pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    rows = {"text": ["apple", "cat"] * 4, "label": ["fruit", "animal"] * 4}
    pd.DataFrame(rows).to_csv("train.csv", index=False)
    namespace = {"__name__": "docs_engine"}
    exec(codes[0], namespace)
    capfd.readouterr()
    try:
        for code in codes[1:]:
            exec(code, namespace)
    finally:
        if "spark" in namespace:
            namespace["spark"].stop()
    printed = capfd.readouterr().out
    assert "fruit" in printed
    assert "animal" in printed
