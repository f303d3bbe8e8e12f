"""The program of docs/how-to/sharing.md runs. It needs a Hub, so the test of all pages leaves it out."""

import re
import shutil
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "sharing.md"
BLOCK = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_the_blocks_run(hub, secrets, own_data_dir, capsys):
    shutil.copytree(secrets, own_data_dir / "runs" / "support-tickets")
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 3
    namespace = {}
    for code in blocks:
        exec(code, namespace)
    assert "Left out:" in capsys.readouterr().out
    assert namespace["run"].run_name == "support-tickets"
    assert {each["label"] for each in namespace["pipe"]("an apple")[0]} == {"animal", "fruit"}
