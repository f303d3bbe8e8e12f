"""Which rows are held out: shares of labels, equal texts, groups and times."""

import datetime
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clx.errors import ConfigError, DataFormatError, DataWarning
from clx.ml.data.holdout.arguments import split_asked_for
from clx.ml.data.holdout.columns import time_ranks
from clx.ml.data.holdout.rows import eval_rows, fold_of_rows, rows_of
from clx.ml.results.row_split import RowSplit, split_sentence


class Labels:
    """As much of a task as a split needs."""

    name, run_name, text_columns = "labels", "run", ("text",)

    def row_labels(self, data):
        return data["label"].tolist() if "label" in data.columns else None


def frame_of(labels, texts=None, **columns):
    texts = [f"text {number}" for number in range(len(labels))] if texts is None else texts
    return pd.DataFrame({"text": texts, "label": labels, **columns})


def rows(frame):
    return rows_of(Labels(), frame, "train_data")


def held_out(frame, share=0.2, seed=42, **columns):
    return eval_rows(rows(frame), RowSplit(share, seed, **columns))[0]


def folds(frame, count=5, group_column=None, time_column=None):
    return fold_of_rows(rows(frame), count, 42, group_column, time_column)


def label_rows(labels):
    return Counter(
        name for row in labels for name in ([row] if isinstance(row, str) else sorted(row))
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=8),
    st.floats(0.05, 0.6),
    st.integers(0, 5),
)
def test_each_label_gets_its_share_within_one_row_and_the_whole_is_exact(counts, share, seed):
    labels = [f"label {n}" for n, count in enumerate(counts) for _ in range(count)]
    frame = frame_of(np.random.default_rng(seed).permutation(labels).tolist())
    chosen = held_out(frame, share, seed)
    total = label_rows(frame["label"])
    in_eval, in_train = label_rows(frame["label"][chosen]), label_rows(frame["label"][~chosen])
    assert set(in_train) == set(total)
    if sum(counts) - len(counts) >= round(share * sum(counts)):
        assert chosen.sum() == max(1, round(share * sum(counts)))
    for name, count in total.items():
        assert abs(in_eval[name] - share * count) <= 1 + share, (name, count, in_eval[name])


def test_several_labels_per_row_have_their_share_in_each_part():
    rng = np.random.default_rng(0)
    shares = dict(zip("abcdefg", [0.6, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01], strict=True))
    labels = [[n for n, p in shares.items() if rng.random() < p] for _ in range(2000)]
    frame = frame_of(labels)
    total = label_rows(labels)
    chosen = held_out(frame)
    assert chosen.sum() == 400
    in_eval = label_rows(frame["label"][chosen])
    fold_of = folds(frame)
    assert np.bincount(fold_of).tolist() == pytest.approx([400] * 5, abs=8)
    in_folds = [label_rows(frame["label"][fold_of == number]) for number in range(5)]
    for name, count in total.items():
        expected = pytest.approx(count / 5, abs=max(2, 0.05 * count))
        assert in_eval[name] == expected
        assert [each[name] for each in in_folds] == [expected] * 5


def test_a_label_with_one_row_goes_to_training_whatever_the_share():
    frame = frame_of(["common"] * 30 + ["rare", "rarer"])
    for share in (0.1, 0.5, 0.9):
        assert {"rare", "rarer"} <= set(frame["label"][~held_out(frame, share)])


def test_many_labels_of_two_rows_still_fill_the_share():
    frame = frame_of([f"label {n // 2}" for n in range(100)])
    chosen = held_out(frame)
    assert chosen.sum() == 20
    assert frame["label"][~chosen].nunique() == 50


def test_equal_texts_are_on_one_side_and_in_one_fold():
    rng = np.random.default_rng(1)
    texts = [f"text {n}" for n in rng.integers(0, 60, 200)]
    frame = frame_of(rng.choice(["a", "b"], 200).tolist(), texts)
    chosen, fold_of = held_out(frame), folds(frame)
    assert not set(frame["text"][chosen]) & set(frame["text"][~chosen])
    assert chosen.sum() == pytest.approx(40, abs=5)
    assert frame.groupby("text")["text"].count().max() > 1
    assert (frame.assign(fold=fold_of).groupby("text")["fold"].nunique() == 1).all()


def test_one_text_per_label_is_split_by_rows():
    frame = frame_of(["fruit", "animal"] * 4, ["apple", "cat"] * 4)
    chosen = held_out(frame, 0.25)
    assert sorted(frame["label"][chosen]) == ["animal", "fruit"]
    with pytest.warns(DataWarning, match="2 different texts, fewer than the 3 folds"):
        assert np.bincount(folds(frame, 3)).min() >= 2


def test_rows_without_labels_are_split_at_random():
    frame = frame_of(["-"] * 50).drop(columns="label")
    chosen, split = eval_rows(rows(frame), RowSplit(0.2, 1))
    assert chosen.sum() == 10
    assert not split.stratified
    assert np.bincount(folds(frame)).tolist() == [10] * 5
    other = eval_rows(rows(frame), RowSplit(0.2, 2))[0]
    assert chosen.tolist() != other.tolist()


def test_only_single_rows_of_labels_cannot_be_split():
    with pytest.raises(DataFormatError, match="each label has only one row"):
        held_out(frame_of(["a", "b", "c"]))
    with pytest.raises(DataFormatError, match="has 1 row: a split needs at least 2"):
        held_out(frame_of(["a"]))


def test_a_split_is_the_same_in_every_process():
    code = (
        "import sys; sys.path.insert(0, 'tests/data')\n"
        "from test_holdout import frame_of, held_out, folds\n"
        "frame = frame_of([{'a', 'b', 'c d'} - {'abc'[n % 3]} for n in range(60)])\n"
        "print(held_out(frame).tolist(), folds(frame).tolist())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**__import__("os").environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert "True" in printed.pop()


# ---- Groups --------------------------------------------------------------------------------------


def grouped(sizes, labels=("a", "b")):
    authors = [f"author {n}" for n, size in enumerate(sizes) for _ in range(size)]
    return frame_of([labels[n % len(labels)] for n in range(len(authors))], author=authors)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=6, max_size=40), st.integers(0, 3))
def test_groups_stay_together_and_eval_is_not_larger_than_the_share(sizes, seed):
    frame = grouped(sizes)
    target = max(1, round(0.4 * len(frame)))
    if max(sizes) > target:
        return
    chosen = held_out(frame, 0.4, seed, group_column="author")
    assert 0 < chosen.sum() <= target
    assert not set(frame["author"][chosen]) & set(frame["author"][~chosen])
    fold_of = folds(frame, 3, group_column="author")
    assert (frame.assign(fold=fold_of).groupby("author")["fold"].nunique() == 1).all()
    assert np.bincount(fold_of, minlength=3).min() > 0


def test_groups_of_like_size_fill_the_share_and_the_labels():
    frame = grouped([10] * 40)
    chosen = held_out(frame, group_column="author")
    assert chosen.sum() == 80
    assert label_rows(frame["label"][chosen]) == {"a": 40, "b": 40}
    assert np.bincount(folds(frame, group_column="author")).tolist() == [80] * 5


def test_a_group_larger_than_the_share_is_named():
    with pytest.raises(DataFormatError, match=r"'author 1' \(50 rows\).*at least 0\.556"):
        held_out(grouped([10, 50, 10, 10, 10]), group_column="author")


def test_a_label_of_one_group_keeps_its_training_rows():
    frame = grouped([4] * 20)
    frame.loc[frame["author"] == "author 7", "label"] = "only here"
    for seed in range(10):
        chosen = held_out(frame, 0.2, seed, group_column="author")
        assert "only here" in set(frame["label"][~chosen])


# ---- Times ---------------------------------------------------------------------------------------


def test_the_newest_rows_are_set_aside_and_equal_times_stay_together():
    when = np.random.default_rng(0).permutation(np.repeat(np.arange(25), 4)).tolist()
    frame = frame_of(["a", "b"] * 50, when=when)
    chosen = held_out(frame, 0.22, time_column="when")
    # 22 rows are asked for; times have 4 rows each.
    assert chosen.sum() == 20
    assert frame["when"][chosen].min() > frame["when"][~chosen].max()
    # More rows than asked for, where the newest time has them.
    frame["when"] = [1] * 40 + [2] * 60
    assert held_out(frame, 0.2, time_column="when").tolist() == [False] * 40 + [True] * 60
    with pytest.raises(DataFormatError, match="the same value in every row"):
        held_out(frame.assign(when=3), time_column="when")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=12, max_size=80))
def test_each_block_of_time_is_newer_than_the_last(when):
    times = len(set(when))
    frame = frame_of(["a"] * len(when), when=when)
    if times < 5:
        with pytest.raises(DataFormatError, match=f"{times} different times, but 4 folds"):
            folds(frame, 4, time_column="when")
        return
    fold_of = folds(frame, 4, time_column="when")
    assert sorted(set(fold_of.tolist())) == [-1, 0, 1, 2, 3]
    for number in range(4):
        assert frame["when"][fold_of == number].min() > frame["when"][fold_of < number].max()


def test_blocks_of_time_are_of_equal_size():
    frame = frame_of(["a"] * 600, when=np.random.default_rng(0).permutation(600).tolist())
    assert np.bincount(folds(frame, time_column="when") + 1).tolist() == [100] * 6


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 2**60 + 1, 2**60],
        [1.5, -1.0, 3.0, 2.0],
        ["2024-05-31", "2023-01-01", "2024-06-01T12:00:00", "2024-06-01"],
        ["2024-05-31T12:00:00Z", "2024-05-31T12:00:00+01:00", "2024-06-02T00:00:00Z",
         "2024-06-01T00:00:00+05:00"],
        [datetime.date(2024, 3, 1), datetime.date(2024, 1, 1), datetime.date(2025, 1, 1),
         datetime.date(2024, 12, 31)],
        pd.to_datetime(["2024-03-01", "2024-01-01", "2025-01-01", "2024-12-31"]),
        pd.PeriodIndex(["2024-03", "2024-01", "2025-01", "2024-12"], freq="M"),
        pd.Categorical([3, 1, 9, 4]),
    ],
    ids="int float text zoned date timestamp period category".split(),
)  # fmt: skip
def test_kinds_of_times(values):
    ranks = time_ranks(pd.DataFrame({"when": values}), "when", "data")
    assert ranks.tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["31.5.2024", "2024-05-31", "now"], r"not a time \('31.5.2024', 'now'\) in 2 of 3 rows"),
        ([True, False, True], "not a time"),
        ([1, "2024-05-31", 2], r"not a time \(1, 2\) in 2 of 3 rows: 'r0', 'r2'"),
        (["2024-05-31", None, "2024-05-30"], "the value is missing in 1 of 3 rows: 'r1'"),
        ([1.0, float("inf"), 2.0], "not a time"),
        (
            ["2024-05-31T00:00:00Z", "2024-05-31T00:00:00", "2024-05-30T00:00:00Z"],
            "the time zone is missing in 1 of 3 rows: 'r1'",
        ),
    ],
)
def test_bad_times_are_named_with_their_rows(values, message):
    frame = frame_of(["a", "b", "a"], when=pd.Series(values, dtype=object))
    frame.index = ["r0", "r1", "r2"]
    with pytest.raises(DataFormatError, match=message):
        held_out(frame, 0.5, time_column="when")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("autor", "no column 'autor'.*did you mean 'author'"),
        ("gaps", "the value is missing in 2 of 4 rows: 'r1', 'r3'"),
        ("lists", "not a single value"),
    ],
)
def test_bad_groups_are_named_with_their_rows(column, message):
    frame = frame_of(
        ["a", "b"] * 2, author=[1, 2, 3, 4], gaps=["x", None, "y", np.nan], lists=[[1]] * 4
    )
    frame.index = ["r0", "r1", "r2", "r3"]
    with pytest.raises(DataFormatError, match=f"(?s)train_data cannot be split.*{message}"):
        held_out(frame, 0.5, group_column=column)
    with pytest.raises(DataFormatError, match=f"(?s){message}"):
        folds(frame, 2, group_column=column)


def test_too_few_rows_or_groups_for_the_folds():
    with pytest.raises(DataFormatError, match="has 3 rows, fewer than the 5 folds"):
        folds(frame_of(["a", "b", "a"]))
    with pytest.raises(DataFormatError, match=r"has 2 groups in column 'author'.*the 5 folds"):
        folds(grouped([5, 5]), group_column="author")


# ---- Arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "share",
    [0, 1, 1.5, -0.2, float("nan"), float("inf"), True, np.bool_(False), 0.0, 1j, np.float32(2)],
)
def test_what_is_no_share_is_an_error(share):
    with pytest.raises(ConfigError, match="eval_data must be data, or a share above 0 and below 1"):
        split_asked_for(share, None, None, {})


def test_shares_seeds_and_columns():
    assert split_asked_for(None, None, None, {}) is None
    assert split_asked_for("eval.csv", None, None, {}) is None
    assert split_asked_for(np.float64(0.25), None, "when", {"seed": 7}) == RowSplit(
        0.25, 7, None, "when"
    )
    assert split_asked_for(0.2, "author", None, {}).seed == 42
    with pytest.raises(ConfigError, match="cannot be used together"):
        split_asked_for(0.2, "author", "when", {})
    with pytest.raises(
        ConfigError, match=r"group_column says how to split.*eval_data is not a share"
    ):
        split_asked_for(None, "author", None, {})
    with pytest.raises(ConfigError, match="time_column must be the name of a column, but is 3"):
        split_asked_for(0.2, None, 3, {})


def test_a_split_says_how_it_was_made():
    assert split_sentence(RowSplit(0.2, 1, stratified=True).to_dict()) == (
        "The evaluation rows are 20% of the data, chosen at random, stratified by label (seed 1)."
    )
    assert "equal values of 'who' on one side" in split_sentence(RowSplit(0.1, 1, "who").to_dict())
    assert split_sentence(RowSplit(0.125, 1, None, "day").to_dict()) == (
        "The evaluation rows are the newest 12.5% of the data, by 'day'."
    )
