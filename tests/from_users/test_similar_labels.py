"""A user's labels differed by case or an invisible character: the model had two labels for one."""

import pandas as pd
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.data.check.findings import check_data
from clx.ml.data.check.labeled_texts import LabeledTexts
from clx.ml.data.similar_names import folded_name

PAIRS = {
    "case": ("fruit", "Fruit"),
    "NFD": ("caf\u00e9", "cafe\u0301"),
    "NFKC": ("\ufb01g", "fig"),
    "full width": ("A1", "\uff21\uff11"),
    "zero-width space": ("fruit", "fru\u200bit"),
    "byte order mark": ("fruit", "\ufefffruit"),
    "soft hyphen": ("fruit", "fru\u00adit"),
    "emoji": ("\u2764", "\u2764\ufe0f"),
    "no-break space": ("red fruit", "red\u00a0fruit"),
    "two blanks": ("red fruit", "red  fruit"),
    "sharp s": ("STRASSE", "stra\u00dfe"),
}


def frame(labels, task="classification"):
    texts = [f"text {number} of {label!a}" for number, label in enumerate(labels)]
    if task == "multilabel":
        return pd.DataFrame({"text": texts, "labels": [[label] for label in labels]})
    return pd.DataFrame({"text": texts, "label": labels})


def findings(check):
    return [finding for finding in check.findings if finding.kind == "similar_labels"]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_they_are_a_finding(pair):
    data = frame([*pair, "other"] * 5)
    (finding,) = findings(check_data(LabeledTexts(data["text"], data["label"])))
    assert finding.where == "train_data"
    assert finding.count == 2
    assert "2 of 3 labels differ from another one only in case, Unicode form" in finding.message
    first, second = finding.examples[0].split(" and ")
    assert first != second


def test_names_that_print_alike_are_shown_with_escapes(tiny_model):
    run = training_run("classification", "alike", base_model_name=tiny_model)
    (finding,) = findings(run.check(frame([*PAIRS["NFD"], "other"] * 5)))
    assert r"'cafe\u0301' (5 rows) and 'caf\xe9' (5 rows)" in finding.message


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_across_train_and_eval(tiny_model, task):
    names = ["fruit", "Fruit", "animal"]
    run = training_run(task, "across", base_model_name=tiny_model, label_names=names)
    check = run.check(frame(["fruit", "animal"], task), frame(["Fruit", "animal"], task))
    (finding,) = findings(check)
    assert "'fruit' (1 row) and 'Fruit' (1 row)" in finding.message
    unnamed = training_run(task, "unnamed", base_model_name=tiny_model)
    bad = frame(["fru\u200bit", "animal"], task)
    with pytest.raises(DataFormatError, match=r"differs from 'fruit' only in Unicode characters: "):
        unnamed.check(frame(["fruit", "animal"], task), bad)


def test_it_is_an_error_when_findings_are(tiny_model):
    run = training_run("classification", "strict", base_model_name=tiny_model, strict_data=True)
    with pytest.raises(DataFormatError, match="differ from another one only in case"):
        run.train(frame(["fruit", "Fruit"] * 5))


def test_other_names_are_not_alike():
    different = ["fruit", "fruits", "ae", "\u00e4", "a", "1", "01", "-", "_"]
    assert len({folded_name(name) for name in different}) == len(different)
