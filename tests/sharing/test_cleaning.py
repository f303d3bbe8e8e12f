"""What a shared file keeps, and what it does not."""

import json

import pandas as pd
import pytest

from clx.ml.results.tuning import Tuning
from clx.ml.sharing.cleaning import clean_config, clean_values
from clx.ml.sharing.entries import ENTRIES, for_others
from clx.ml.sharing.schema import Sieve, facts
from clx.ml.sharing.texts import log_without_texts


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", None),
        ("bert-base-uncased", None),
        ("/home/alice/models/mine", "mine"),
        ("~/models/mine/", "mine"),
        ("./models/mine", "mine"),
        ("models/of/mine", "mine"),
        (r"C:\Users\alice\mine", "mine"),
        (r"\\server\alice\mine", "mine"),
        ("file:///home/alice/mine", "mine"),
    ],
)
def test_a_base_model_keeps_its_id_or_the_name_of_its_folder(name, shared):
    cleaned, found = clean_config({"base_model_name": name, "learned": {"base_model_name": name}})
    expected = shared or name
    assert cleaned == {"base_model_name": expected, "learned": {"base_model_name": expected}}
    assert bool(found) == (shared is not None)


def test_a_folder_with_the_form_of_an_id_is_local(tmp_path, monkeypatch):
    (tmp_path / "alice" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    cleaned, _ = clean_config({"base_model_name": "alice/model", "tokenizer_name": "alice/model"})
    assert cleaned == {"base_model_name": "model", "tokenizer_name": "model"}


def test_arguments_with_paths_and_secrets_are_left_out_of_the_config():
    config = {
        "run_dir_parent": "/home/alice/runs",
        "training_args": {"deepspeed": "/home/alice/ds.json", "seed": 3, "hub_token": "abc"},
        "model_args": {"cache_dir": "/home/alice/.cache", "token": "abc", "nested": {"a": ["~/x"]}},
        "lexicon": "/home/alice/words.txt",
        "address": "https://alice:pass@host/x",
        "label_names": ["/Arts/Music", "~/"],
        "thresholds": {"/Arts/Music": 0.5},
        "label_separator": "/",
        "note": "see hf_abcdefghijklmnopqrstuvwxyz",
        "cls_token": "[CLS]",
    }
    cleaned, found = clean_config(config)
    assert cleaned == {
        "training_args": {"seed": 3},
        "model_args": {"nested": {"a": ["x"]}},
        "lexicon": "words.txt",
        "label_names": ["/Arts/Music", "~/"],
        "thresholds": {"/Arts/Music": 0.5},
        "label_separator": "/",
        "cls_token": "[CLS]",
    }
    assert "training_args.hub_token" in found
    assert "model_args.cache_dir" in found


def test_special_tokens_of_a_tokenizer_are_no_secrets():
    values = {"cls_token": "<s>", "sep_token": "</s>", "unk_token": "[UNK]", "token": "abc"}
    assert clean_values(values)[0] == {k: v for k, v in values.items() if k != "token"}


def shared(results, include_texts=False):
    sieve = Sieve({"cat", "dog", "/Arts/Music/"}, include_texts)
    return for_others(results, sieve), sieve


def test_unknown_results_keep_numbers_and_labels_alone():
    results = {
        "metrics": {"accuracy": 0.5},
        "plugin": {"best": 3, "label": "cat", "worst text": 1, "text": "A text"},
        "A text": 1,
        "evaluation": {
            "metrics": {"accuracy": 0.5},
            "mistakes": {"index": ["0"], "columns": ["text"], "rows": [["A text"]]},
            "suspicious_labels": {"index": [], "columns": ["text"], "rows": []},
            "tables": {
                "per_label": {"index": ["cat"], "columns": ["f1"], "rows": [[1.0]]},
                "of_labels": {"index": ["cat", "1"], "columns": ["n"], "rows": [[1], [2]]},
                "hardest": {"index": ["0"], "columns": ["text"], "rows": [["A text"]]},
            },
        },
    }
    cleaned, sieve = shared(results)
    assert "A text" not in str(cleaned)
    assert "worst text" not in str(cleaned)
    assert cleaned["plugin"] == {"best": 3, "label": "cat", "text": None}
    assert list(cleaned["evaluation"]["tables"]) == ["per_label", "of_labels"]
    assert sieve.texts == [
        "words under 'plugin'",
        "an entry with words for a name",
        "1 confident mistakes",
        "the table 'hardest'",
    ]


def test_a_tuning_keeps_its_trials_and_options_without_paths():
    trials = pd.DataFrame(
        {
            "state": ["finished", "pruned"],
            "accuracy": [0.5, None],
            "class_weights": ["balanced", {"/Arts/Music/": 2.0}],
            "lexicon": ["/home/alice/words.txt", "plain"],
            "kept": ["probe", 2.0],
            "seconds": [1.0, 2.0],
        }
    )
    best = {"class_weights": "balanced", "lexicon": "/home/alice/words.txt"}
    importance = {"lexicon": 0.75, "class_weights": 0.25}
    tuning = Tuning(trials, "accuracy", True, 0.5, best, ("class_weights",), importance, 3)
    values = json.loads(json.dumps({**tuning.to_dict(), "stopped": "time_budget"}))
    cleaned, sieve = shared({"tuning": values})
    assert "alice" not in str(cleaned)
    expected = json.loads(json.dumps(values).replace("/home/alice/words.txt", "words.txt"))
    assert cleaned == {"tuning": expected}
    assert sieve.texts == []
    assert sieve.private == [
        "the path or secret in 'tuning.best.lexicon'",
        "the path or secret in 'tuning.trials.lexicon'",
    ]


WITH_SCHEMA = [key for key, schema in ENTRIES.items() if schema is not facts]


@pytest.mark.parametrize("forged", ["A text", ["A text"], {"A text": 1, "key": "A text"}])
@pytest.mark.parametrize("key", WITH_SCHEMA)
def test_an_entry_of_another_form_is_that_of_a_stranger(key, forged):
    assert "A text" not in str(shared({key: forged})[0])


def test_texts_that_were_asked_for_stay_as_they_are_and_paths_do_not():
    rows = [["/this/ looks like a path"], ["~/x"], ["Bearer of news"]]
    table = {"index": ["0", "1", "2"], "columns": ["text"], "rows": rows}
    finding = {"kind": "duplicate_rows", "examples": ["../a text"], "rows": ["/a/b"]}
    results = {
        "evaluation": {"mistakes": table, "tables": {"hardest": table}},
        "data_check": {"findings": [finding]},
        "continued": {"from": "old", "new_labels": ["/Arts/Music/"], "comparison": None},
        "plugin": {"note": "A text", "store": "sqlite:////srv/alice/runs.db", "file": "~/x"},
        "tracking": {
            "mlflow": {"run_id": "1", "tracking_uri": "sqlite:////srv/alice/runs.db"},
            "wandb": {"id": "2", "project": "p", "entity": "alice", "url": "https://w/alice/p"},
            "tensorboard": {"folder": "/srv/alice/logs"},
        },
    }
    cleaned, sieve = shared(results, include_texts=True)
    assert sieve.texts == []
    for key in ("evaluation", "data_check", "continued"):
        assert cleaned[key] == results[key]
    assert cleaned["plugin"] == {"note": "A text"}
    assert cleaned["tracking"] == {
        "mlflow": {"run_id": "1"},
        "wandb": {"id": "2", "project": "p"},
        "tensorboard": {},
    }
    assert len(sieve.private) == 6


def test_the_base_model_of_a_base_run_keeps_the_name_of_its_folder():
    record = {"run_name": "old", "base_model_name": "../of/alice/tiny"}
    cleaned, found = clean_config({"base_run": record, "continued_from": record})
    assert cleaned == {key: {**record, "base_model_name": "tiny"} for key in cleaned}
    assert found == ["base_run.base_model_name", "continued_from.base_model_name"]
    with_slash = {"base_run": {"base_model_name": "of/alice/tiny"}}
    assert clean_config(with_slash)[0] == {"base_run": {"base_model_name": "tiny"}}


def test_a_log_keeps_its_numbers():
    log = '{"step": 1, "loss": null, "text": "A text", "lr": 0.1}\nhalf a li\n{"step": 2}\n'
    assert log_without_texts(log) == '{"step": 1, "lr": 0.1}\n{"step": 2}\n'
