"""A static student is shared and opened from its address."""

import pytest

from clx.ml import training_run
from clx_runtime import load
from students import make_student

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_push_and_open(hub, trained, monkeypatch):
    monkeypatch.setenv("HOME", str(trained.parent))
    run = training_run(load=make_student(trained))
    result = run.push_to_hub("me/student")
    assert {"model.safetensors", "student.json", "tokenizer.json"} <= set(result.files)
    other = training_run(load=result.address, verify=True)
    assert other.predict(["the apple"]) == run.predict(["the apple"])
    assert other.config["student_of"]["run_name"] == "trained"
    assert load(other.run_dir).predict_labels("the apple") == ["fruit"]
    card = hub.files("me/student")["README.md"].decode()
    assert "library_name: clx" in card
    assert "student of `trained`" in card
    assert "transformers import" not in card
