"""A user renamed a label: the old name was still in the tuning, the new labels, and the findings."""

import json

import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.editing.renamed_results import renamed_results
from conftest import fruit_frame

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")

OLD, NEW = "qfruit", "qobst"


def rows(count=24):
    return fruit_frame(count).replace({"label": {"fruit": OLD}})


def more():
    """Rows of the old name, which is new to the run, with a finding about each kind of label."""
    data = rows(12)
    strange = ["QFRUIT", "qrare", OLD]
    extra = pd.DataFrame({"text": ["an axe", "a saw", "horse"], "label": strange})
    return pd.concat([data, extra, data.head(2).assign(label=[OLD, "animal"])], ignore_index=True)


def several(data):
    return data.assign(labels=[[each] for each in data["label"]]).drop(columns="label")


def one_hot(data):
    columns = {name: (data["label"] == name).astype(int) for name in (OLD, "animal")}
    return pd.DataFrame({"text": data["text"], **columns})


def made(tiny_model, folder, task="classification", **options):
    options = {"training_args": {"max_steps": 1, "disable_tqdm": True}, **options}
    return training_run(task, "r", run_dir_parent=folder, base_model_name=tiny_model, **options)


def continued(tiny_model, folder):
    first = fruit_frame(24).replace({"label": {"fruit": "stone"}})
    run = made(tiny_model, folder)
    run.train(first, first, fine_tune=False)
    result = run.continue_training(more(), rows(12), replay=first, fine_tune=False)
    assert OLD in result.new_labels
    return training_run(load=result.run_dir)


def tuned(tiny_model, folder):
    pytest.importorskip("optuna")
    weights = [{OLD: 2.0, "animal": 1.0}, {OLD: 3.0, "animal": 1.0}]
    run = made(tiny_model, folder)
    run.tune(rows(16), rows(12), trials=1, space={"class_weights": weights})
    assert OLD in run.results["tuning"]["best"]["class_weights"]
    return run


def checked(tiny_model, folder):
    run = made(tiny_model, folder, label_texts={OLD: "to eat"}, class_weights={OLD: 2.0})
    run.train(more(), rows(12), fine_tune=False)
    kinds = {each["kind"] for each in run.results["data_check"]["findings"]}
    assert {"conflicting_labels", "rare_labels", "similar_labels"} <= kinds
    return run


def of_lists(tiny_model, folder):
    run = made(tiny_model, folder, "multilabel")
    run.train(several(rows()), several(rows(12)), fine_tune=False)
    run.set_decisions(thresholds={OLD: 0.4})
    return run


def of_columns(tiny_model, folder):
    run = made(tiny_model, folder, "multilabel", label_columns=[OLD, "animal"])
    run.train(one_hot(rows()), one_hot(rows(12)), fine_tune=False)
    return run


def with_adapter(tiny_model, folder):
    pytest.importorskip("peft")
    run = made(tiny_model, folder, lora=True, lora_merge=False)
    run.train(rows(8))
    return run


def exported(tiny_model, folder):
    pytest.importorskip("onnxruntime")
    run = made(tiny_model, folder)
    run.train(rows(8), fine_tune=False)
    run.export(texts=["apple"], int8=False)
    return run


@pytest.mark.parametrize(
    "make", [continued, tuned, checked, of_lists, of_columns, with_adapter, exported]
)
def test_no_file_has_the_old_name(make, tiny_model, tmp_path):
    run = make(tiny_model, tmp_path)
    run.rename_labels({OLD: NEW})
    left = []
    for path in run.run_dir.rglob("*"):
        if not path.is_file() or "logs" in path.parts:
            continue
        text = path.read_bytes().decode(errors="replace")
        if path.name == "results.json":
            results = json.loads(text)
            assert results.pop("labels_history")[0]["renamed"] == {OLD: NEW}
            text = json.dumps(results)
        text = text.replace(f"{OLD} is now", "")
        left += [
            f"{path.name}: {text[max(0, at - 60) : at + 20]}" for at in [text.find(OLD)] if at >= 0
        ]
    assert left == []
    assert training_run(load=run.run_dir, verify=True).config["label_names"].count(NEW) == 1


def test_parameters_named_by_label_and_values_as_json():
    trials = {"index": ["0"], "columns": ["class_weights.a", "class_weights", "note"]}
    trials["rows"] = [[1.0, '{"a": 2}', "a"]]
    tuning = {"best": {"class_weights.a": 1.0, "note": "a"}, "of_fine_tuning": ["class_weights.a"]}
    tuning |= {"importance": {"class_weights.a": 0.5, "a": 0.5}, "trials": trials}
    found = renamed_results({"tuning": tuning}, {"a": "b", "b": "a"}, ["class_weights"])["tuning"]
    assert found["best"] == {"class_weights.b": 1.0, "note": "a"}
    assert found["of_fine_tuning"] == ["class_weights.b"]
    assert found["importance"] == {"class_weights.b": 0.5, "a": 0.5}
    assert found["trials"]["columns"] == ["class_weights.b", "class_weights", "note"]
    assert found["trials"]["rows"] == [[1.0, '{"b": 2}', "a"]]


def test_a_finding_names_labels_and_keeps_texts():
    finding = {"kind": "conflicting_labels", "examples": ["'a' (row 1: 'a', row 2: 'b')"]}
    finding["message"] = "train_data: 'a' (row 1: 'a', row 2: 'b')"
    about = {"kind": "rare_labels", "examples": ["'a' (1 row)"], "message": "rare: 'a' (1 row)."}
    check = {"findings": [finding, about, {"kind": "empty_texts", "message": "'a'"}]}
    found = renamed_results({"data_check": check}, {"a": "b", "b": "a"})["data_check"]["findings"]
    assert found[0]["examples"] == ["'a' (row 1: 'b', row 2: 'a')"]
    assert found[0]["message"] == "train_data: 'a' (row 1: 'b', row 2: 'a')"
    assert found[1]["examples"] == ["'b' (1 row)"]
    assert found[2]["message"] == "'a'"
