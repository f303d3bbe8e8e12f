"""A user pressed Ctrl-C in clx predict -o: the message did not say how to continue."""

import pytest

from cli_helpers import Cli
from clx.ml.data.tables.parts import PartFolder
from clx.ml.prediction import predict_file as module


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def test_the_message_names_resume_and_nothing_is_lost(cli, trained, tmp_path, monkeypatch):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "ripe apple\nold dog\n" * 3)
    monkeypatch.setattr(module, "PART_ROWS", 2)
    original = PartFolder.write

    def interrupted(self, number, fingerprint, batch):
        if number == 2:
            raise KeyboardInterrupt
        original(self, number, fingerprint, batch)

    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "write", interrupted)
        assert cli("predict", trained, source, "-o", target).status == 130
    assert "--resume" in cli.err
    assert cli("predict", trained, source, "-o", target).status == 2
    assert "--resume" in cli.err
    assert "--overwrite" in cli.err
    assert cli("predict", trained, source, "-o", target, "--resume").status == 0
    assert len(target.read_text().splitlines()) == 7
