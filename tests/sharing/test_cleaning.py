"""What a shared file keeps, and what it does not."""

import pytest

from clx.ml.sharing.cleaning import clean_config, clean_values
from clx.ml.sharing.texts import log_without_texts, results_without_texts


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


def test_unknown_results_keep_numbers_and_labels_alone():
    results = {
        "metrics": {"accuracy": 0.5},
        "tuning": {"best": 3, "label": "cat", "worst text": 1, "text": "A text"},
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
    cleaned, left = results_without_texts(results, {"cat", "dog"})
    assert "A text" not in str(cleaned)
    assert "worst text" not in str(cleaned)
    assert cleaned["tuning"] == {"best": 3, "label": "cat", "text": None}
    assert list(cleaned["evaluation"]["tables"]) == ["per_label", "of_labels"]
    assert left == ["words under 'tuning'", "1 confident mistakes", "the table 'hardest'"]


def test_a_log_keeps_its_numbers():
    log = '{"step": 1, "loss": null, "text": "A text", "lr": 0.1}\nhalf a li\n{"step": 2}\n'
    assert log_without_texts(log) == '{"step": 1, "lr": 0.1}\n{"step": 2}\n'
