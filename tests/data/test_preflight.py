"""check_data reports every kind of problem, and reports nothing in clean data."""

import json

import numpy as np
import pytest

from clx.errors import DataFormatError
from clx.ml.data.check.findings import check_data
from clx.ml.data.check.labeled_texts import LabeledTexts
from clx.ml.results.data_check import KINDS, raise_if_strict

LONG = "please tell me where the card is that I ordered two weeks ago from the other branch"


def clean(prefix, rows=20):
    """Return texts that have no words in common."""
    return [f"{prefix}{number} {prefix}x{number} {prefix}y{number}" for number in range(rows)]


def split(texts=(), labels=None, prefix="t", start=100, rows=20, lengths=None):
    """Return clean rows with two labels, followed by the given rows."""
    given = ["fruit"] * len(texts) if labels is None else list(labels)
    all_labels = ["fruit", "animal"] * (rows // 2) + given
    all_texts = clean(prefix, rows) + list(texts)
    return LabeledTexts(all_texts, all_labels, range(start, start + len(all_texts)), lengths)


def evaluated(texts=(), labels=None, **options):
    return split(texts, labels, prefix="e", start=500, **options)


def only(check, kind):
    """Return the only finding, which must be of this kind."""
    assert [finding.kind for finding in check.findings] == [kind]
    return check.findings[0]


def test_clean_data_has_no_findings():
    check = check_data(
        split(lengths=[5] * 20),
        evaluated(lengths=[5] * 20),
        label_names=["animal", "fruit"],
        limit=5,
    )
    assert check
    assert check.ok
    assert check.findings == ()
    assert str(check) == "There are no findings in 20 rows of train_data and 20 rows of eval_data."
    assert check.to_dict() == {
        "ok": True,
        "rows": {"train_data": 20, "eval_data": 20},
        "label_counts": {part: {"animal": 10, "fruit": 10} for part in ("train_data", "eval_data")},
        "findings": [],
    }
    assert list(check.to_frame().columns)[:4] == ["kind", "severity", "where", "count"]
    raise_if_strict(check)


def test_empty_texts():
    found = only(check_data(split(["", " \n", "\u3000"])), "empty_texts")
    assert (found.count, found.rows, found.where) == (3, (120, 121, 122), "train_data")
    assert "blank in 3 of 23 rows: row 120, row 121, row 122." in found.message


def test_empty_texts_of_eval_data():
    found = only(check_data(split(), evaluated([""])), "empty_texts")
    assert (found.count, found.rows, found.where) == (1, (520,), "eval_data")


def test_empty_texts_are_neither_duplicates_nor_conflicts_nor_leaks():
    check = check_data(split(["", ""], ["fruit", "animal"]), evaluated(["", ""]))
    assert {finding.kind for finding in check.findings} == {"empty_texts"}


def test_duplicate_rows():
    found = only(check_data(split(["apple", "pear", "apple", "apple"])), "duplicate_rows")
    assert (found.count, found.rows) == (2, (122, 123))
    assert "row 122 repeats row 120 ('apple')" in found.message


def test_duplicates_are_equal_strings():
    assert check_data(split(["apple", "Apple", " apple"])).ok


def test_conflicting_labels_within_train():
    check = check_data(
        split(["apple", "pear", "apple", "apple"], ["fruit", "fruit", "animal", "fruit"])
    )
    assert [f.kind for f in check.findings] == ["conflicting_labels", "duplicate_rows"]
    conflict, repeated = check.findings
    assert (conflict.count, conflict.rows) == (3, (120, 122, 123))
    assert conflict.examples == ("'apple' (row 120: 'fruit', row 122: 'animal')",)
    assert (repeated.count, repeated.rows) == (1, (123,))


def test_conflicting_labels_across():
    check = check_data(
        split(["apple", "dog"], ["fruit", "animal"]), evaluated(["apple", "dog"], ["animal"] * 2)
    )
    assert [f.kind for f in check.findings] == ["conflicting_labels", "leaked_texts"]
    conflict, leak = check.findings
    assert (conflict.where, conflict.count, conflict.rows) == ("eval_data", 1, (520,))
    assert "'apple' (row 520: 'animal', train_data row 120: 'fruit')" in conflict.message
    assert leak.count == 2


def test_label_sets_have_no_order():
    both = [["a", "b"], ["b", "a"]]
    labels = [["a"], ["b"]] * 10
    train = LabeledTexts([*clean("t"), "x", "x"], [*labels, *both])
    eval_data = LabeledTexts(["x", "new"], [("b", "a"), {"a"}])
    check = check_data(train, eval_data)
    assert [f.kind for f in check.findings] == ["leaked_texts", "duplicate_rows"]
    other = check_data(train, LabeledTexts(["x"], [["a"]]))
    assert "conflicting_labels" in [f.kind for f in other.findings]
    empty = check_data(LabeledTexts([*clean("t"), "x", "x"], [*labels, ["a"], []]))
    assert only(empty, "conflicting_labels").count == 2
    assert "row 21: no label" in empty.findings[0].message


def test_leaked_texts():
    found = only(check_data(split([LONG]), evaluated(["pear", LONG])), "leaked_texts")
    assert (found.count, found.rows, found.where) == (1, (521,), "eval_data")
    assert "in 1 of 22 rows: 'please tell me" in found.message
    assert "(row 521, train_data row 120)" in found.message


@pytest.mark.parametrize(
    "change", [str.upper, lambda t: t.replace("card", "letter"), "  {}!".format]
)
def test_nearly_leaked_texts(change):
    found = only(check_data(split([LONG]), evaluated(["x", change(LONG)])), "nearly_leaked_texts")
    assert (found.count, found.rows, found.where) == (1, (521,), "eval_data")
    assert "(train_data row 120)" in found.message


def test_how_similar_is_near_can_be_chosen():
    train, eval_data = split([LONG]), evaluated([LONG.replace("card", "letter")])
    assert check_data(train, eval_data, similarity=0.95).ok
    assert not check_data(train, eval_data, similarity=0.5).ok


def test_rare_labels():
    texts = clean("z", 7)
    check = check_data(split(texts, ["rare"] * 2 + ["lone"] + ["enough"] * 4))
    found = only(check, "rare_labels")
    assert (found.count, found.rows) == (3, ())
    assert found.examples == ("'lone' (1 row)", "'rare' (2 rows)", "'enough' (4 rows)")
    assert "3 of 5 labels have fewer than 5 rows" in found.message
    assert (
        only(check_data(split(texts[:5], ["a"] * 5), min_rows_per_label=6), "rare_labels").count
        == 1
    )
    assert check_data(split(texts[:5], ["a"] * 5)).ok


def test_labels_only_in_eval_and_without_rows():
    check = check_data(
        split(), evaluated(["x"], ["bird"]), label_names=["animal", "bird", "fruit", "stone"]
    )
    without, unseen = check.findings
    assert (without.kind, without.where, without.count) == ("labels_without_rows", "train_data", 1)
    assert without.examples == ("'stone' (0 rows)",)
    assert (unseen.kind, unseen.where, unseen.count) == ("labels_only_in_eval", "eval_data", 1)
    assert unseen.examples == ("'bird' (1 row)",)
    assert only(check_data(split(), evaluated(["x"], ["bird"])), "labels_only_in_eval")


def test_labels_in_every_row():
    labels = [["a", "always"], ["always"]] * 10
    found = only(check_data(LabeledTexts(clean("t"), labels)), "labels_in_every_row")
    assert found.examples == ("'always' (20 rows)",)
    labels[3] = []
    assert check_data(LabeledTexts(clean("t"), labels)).ok


def test_truncated_texts():
    lengths = np.array([10] * 18 + [30, 60], dtype=np.int32)
    check = check_data(split(lengths=lengths), limit=20)
    found = only(check, "truncated_texts")
    assert (found.count, found.rows) == (2, (119, 118))
    assert found.examples == ("row 119 (60 tokens)", "row 118 (30 tokens)")
    assert "loses 18.5 % of all tokens" in found.message  # 50 of 270
    assert check_data(split(lengths=lengths), limit=60).ok
    assert check_data(split(lengths=lengths)).ok
    assert only(check_data(split(), evaluated(lengths=lengths), limit=20), "truncated_texts")


def test_examples_are_five_and_cut_short():
    found = only(check_data(split([f"{LONG} {LONG}"] * 9)), "duplicate_rows")
    assert (found.count, len(found.rows), len(found.examples)) == (8, 5, 5)
    assert "and 5 more. They" in found.message  # a message shows three
    assert LONG not in found.message


def test_a_task_without_labels():
    train = LabeledTexts(["apple", "apple", "pear"])
    check = check_data(train, LabeledTexts(["apple"]), label_names=["a", "b"])
    assert [f.kind for f in check.findings] == ["leaked_texts", "duplicate_rows"]
    assert [f.rows for f in check.findings] == [(0,), (1,)]


def test_eval_data_equal_to_a_handful_of_training_rows():
    data = LabeledTexts(["apple", "banana", "cat"], ["fruit", "fruit", "animal"])
    check = check_data(data, data, label_names=["fruit", "animal"])
    assert [f.kind for f in check.findings] == ["leaked_texts", "rare_labels"]
    assert {f.severity for f in check.findings} == {"warning"}
    assert not check
    raise_if_strict(check, strict=False)


def everything():
    """Return a check with a finding of every kind."""
    train = split(
        ["", "apple", "apple", LONG, "pear", "pear"],
        [
            ["fruit", "all"],
            ["animal"],
            ["fruit"],
            ["rare", "Rare", "fruit, animal"],
            ["fruit"],
            ["fruit"],
        ],
        lengths=[9] * 26,
    )
    labels = [[*([label] if isinstance(label, str) else label), "all"] for label in train.labels]
    train = LabeledTexts(train.texts, labels, train.rows, train.lengths)
    eval_data = evaluated(["apple", f"{LONG}!"], [["fruit"], ["new"]])
    names = ["all", "animal", "fruit", "rare", "Rare", "fruit, animal", "new", "no"]
    return check_data(train, eval_data, label_names=names, limit=8)


def test_strict_lists_everything():
    check = everything()
    kinds = [finding.kind for finding in check.findings]
    # Only a split that clx made itself can have labels without eval rows.
    assert set(kinds) == set(KINDS) - {"labels_not_evaluated"}
    assert kinds == sorted(kinds, key=list(KINDS).index)
    with pytest.raises(DataFormatError) as raised:
        raise_if_strict(check)
    for finding in check.findings:
        assert finding.message in " ".join(str(raised.value).split())
        assert finding.message in " ".join(str(check).split())
    assert "strict_data=True" in str(raised.value)


def test_findings_are_plain_json_and_a_frame():
    check = everything()
    kept = check.to_dict()
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert len(kept["findings"]) == len(check.findings) >= len(KINDS)
    frame = check.to_frame()
    assert frame["kind"].tolist() == [finding.kind for finding in check.findings]
    assert frame["count"].tolist() == [finding.count for finding in check.findings]


@pytest.mark.parametrize(
    ("row", "plain"),
    [(np.int64(3), 3), ("a", "a"), (("a", 1), "('a', 1)"), (float("nan"), "nan"), (None, None)],
)
def test_row_labels_are_plain(row, plain):
    check = check_data(LabeledTexts(["apple", ""], rows=["first", row]))
    assert check.findings[0].rows == (plain,)
    json.dumps(check.to_dict(), allow_nan=False)


@pytest.mark.parametrize("values", [{"labels": ["a"]}, {"rows": [1]}, {"lengths": [1, 2, 3]}])
def test_values_of_other_lengths_are_refused(values):
    with pytest.raises(ValueError, match="there are 2 texts, but"):
        LabeledTexts(["a", "b"], **values)


def test_many_rows_of_one_text():
    check = check_data(split(["same"] * 5000), evaluated(["same"] * 5000))
    assert {f.kind: f.count for f in check.findings if f.where == "eval_data"} == {
        "leaked_texts": 5000,
        "duplicate_rows": 4999,
    }
