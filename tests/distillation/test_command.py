"""``clx distill``: the same words as ``run.distill``."""

import json

import pytest

from cli_helpers import Cli
from clx.ml import training_run
from distillation_texts import texts_of


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def test_the_command_makes_a_student(cli, trained, tmp_path):
    (tmp_path / "texts.csv").write_text("said\n" + "\n".join(texts_of(220)))
    command = ["distill", trained, tmp_path / "texts.csv", "-o", "fast", "--dim", "16"]
    command += ["--augment", "1"]
    assert cli(*command, "--text-column", "said", "--json").status == 0, cli.err
    result = json.loads(cli.out)
    assert result["distilled"]["texts"]["different"] == 220
    assert result["distilled"]["facts"]["dim"] == 16
    assert result["distilled"]["facts"]["augment"] == 1
    student = training_run(load=result["run_dir"])
    assert student.run_dir == trained.parent / "fast"
    assert student.predict_labels(["the cat is a dog"]) == ["animal"]
    assert cli(*command, "--text-column", "said").status == 2
    assert "overwrite" in cli.err
    again = [*command, "--text-column", "said", "--overwrite", "--no-int8"]
    fields = dict(line for line in cli(*again).lines if len(line) == 2)
    assert fields["kind"] == "static"
    assert 0 < int(fields["variants"]) <= int(fields["learned"])
    assert float(fields["equal decisions"]) > 0.8
