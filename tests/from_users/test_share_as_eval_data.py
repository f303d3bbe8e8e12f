"""A user passed eval_data=0.2, as in scikit-learn: the error said that a float is not a DataFrame."""

import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.cli.train import data_or_share
from clx.errors import ConfigError, DataFormatError, ResumeError, RunExistsError
from clx.ml import training_run
from clx.ml.training.data import Data, validated_frames
from conftest import ANIMALS, FRUIT
from strangers import Numbers

ARGS = {"max_steps": 2, "per_device_train_batch_size": 8, "disable_tqdm": True}


@pytest.fixture
def rows():
    """72 rows of different texts, 12 authors and 36 days; the index is not a range."""
    words = [*FRUIT, *ANIMALS]
    texts = [f"the {one} and the {other}" for one in words[:6] for other in words]
    labels = ["fruit" if other in FRUIT else "animal" for _ in range(6) for other in words]
    return pd.DataFrame(
        {
            "text": texts,
            "label": labels,
            "author": [f"author {number % 12}" for number in range(72)],
            "day": [f"2024-{1 + number // 6 % 12:02}-{1 + number % 3:02}" for number in range(72)],
        },
        index=[f"row {number}" for number in range(72)],
    )


def make(tiny_model, name="split", **changes):
    return training_run(
        "classification", name, base_model_name=tiny_model, training_args={**ARGS, **changes}
    )


def test_a_share_is_set_aside_and_recorded(tiny_model, rows):
    run = make(tiny_model, seed=3)
    result = run.train(rows, eval_data=0.25)
    assert result.rows == {"train": 54, "eval": 18}
    evaluated = result.evaluation.examples
    assert evaluated["given"].value_counts().to_dict() == {"fruit": 9, "animal": 9}
    assert set(evaluated.index) < set(rows.index)
    record = {"share": 0.25, "seed": 3, "group_column": None, "time_column": None}
    record["stratified"] = True
    assert result.split.to_dict() == run.results["split"] == record
    assert run.results["data"]["train"] != run.results["data"]["eval"]
    sentence = (
        "The evaluation rows are 25% of the data, chosen at random, stratified by label (seed 3)."
    )
    assert sentence in (run.run_dir / "report.html").read_text(encoding="utf-8")
    assert sentence in (run.run_dir / "model" / "README.md").read_text(encoding="utf-8")


def test_eval_data_of_ones_own_is_no_split(trained):
    run = training_run(load=trained)
    assert run.results["split"] is None
    assert "The evaluation rows are" not in (run.run_dir / "report.html").read_text()


def test_groups_stay_together_and_the_newest_rows_are_set_aside(tiny_model, rows):
    def split(column):
        frames, made = validated_frames(make(tiny_model), Data(rows, 0.25, **{column: column[:-7]}))
        assert made.to_dict()[column] == column[:-7]
        return frames["train"], frames["eval"]

    rows = rows.rename(columns={"author": "group", "day": "time"})
    train, evaluated = split("group_column")
    assert len(evaluated) == 18
    assert not set(train["group"]) & set(evaluated["group"])
    train, evaluated = split("time_column")
    assert evaluated["time"].min() > train["time"].max()
    assert pd.concat([train, evaluated]).sort_index().equals(rows.sort_index())


@pytest.mark.parametrize("share", [0, 1, 1.5, -1, float("nan"), True])
def test_a_wrong_share_is_an_error_and_nothing_is_written(tiny_model, rows, share):
    run = make(tiny_model)
    for call in (run.train, run.check):
        with pytest.raises(ConfigError, match=r"a share above 0 and below 1 such as 0\.2"):
            call(rows, eval_data=share)
    assert not run.run_dir.exists()


def test_wrong_columns_are_errors(tiny_model, rows):
    run = make(tiny_model)
    with pytest.raises(ConfigError, match="cannot be used together"):
        run.train(rows, 0.2, group_column="author", time_column="day")
    with pytest.raises(ConfigError, match="eval_data is not a share"):
        run.train(rows, rows, group_column="author")
    with pytest.raises(DataFormatError, match=r"'author 0' \(36 rows\)"):
        run.check(rows.assign(author=["author 0", "author 1"] * 36), 0.2, group_column="author")
    assert not run.run_dir.exists()


def test_a_label_with_one_row_is_trained_on_and_found(tiny_model, rows):
    rows.iloc[5, rows.columns.get_loc("label")] = "plant"
    check = make(tiny_model).check(rows, 0.2)
    assert check.label_counts["train_data"]["plant"] == 1
    (found,) = [each for each in check.findings if each.kind == "labels_not_evaluated"]
    assert "'plant' (1 row)" in found.message
    assert found.where == "eval_data"
    # Eval data of the user's own need not have every label.
    kinds = {each.kind for each in make(tiny_model).check(rows, rows.iloc[6:9]).findings}
    assert "labels_not_evaluated" not in kinds


def test_texts_that_a_split_by_groups_leaks_are_found(tiny_model, rows):
    twice = pd.concat([rows, rows.assign(author=rows["author"] + "'")])
    check = make(tiny_model).check(twice, 0.2, group_column="author")
    assert "leaked_texts" in {each.kind for each in check.findings}
    check = make(tiny_model).check(twice, 0.2)
    assert "leaked_texts" not in {each.kind for each in check.findings}


def test_a_task_of_numbers_is_split_at_random(tiny_model, rows):
    run = Numbers("numbers", base_model_name=tiny_model, training_args=ARGS)
    frames, made = validated_frames(run, Data(rows.assign(label=range(len(rows))), 0.25))
    assert [len(frame) for frame in frames.values()] == [54, 18]
    assert not made.stratified


def test_resume_finds_the_same_split_and_refuses_another(tiny_model, rows):
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 3:
                raise KeyboardInterrupt

    def run(**changes):
        return make(tiny_model, max_steps=4, save_strategy="steps", save_steps=1, **changes)

    with pytest.raises(KeyboardInterrupt):
        run().train(rows, 0.25, callbacks=[Stop])
    with pytest.raises(RunExistsError):
        run().train(rows, 0.25)
    with pytest.raises(ResumeError, match=r"split\.share: 0\.25 at the start, 0\.5 now"):
        run().train(rows, 0.5, resume=True)
    with pytest.raises(ResumeError, match=r"split\.group_column: None at the start, 'author' now"):
        run().train(rows, 0.25, group_column="author", resume=True)
    with pytest.raises(ResumeError, match=r"data\.train"):
        run().train(rows.iloc[::-1], 0.25, resume=True)
    result = run().train(rows, 0.25, resume=True)
    assert result.steps == 4
    assert result.rows == {"train": 54, "eval": 18}


def test_the_command_line_takes_a_share(tiny_model, rows, tmp_path, monkeypatch, capsys):
    cli = Cli(capsys, monkeypatch)
    monkeypatch.chdir(tmp_path)
    rows.to_csv("rows.csv", index=False)
    train = ["train", "classification", "split", "rows.csv", "--base-model", tiny_model, "--json"]
    train += ["--set", "training_args.max_steps=2"]
    cli(*train, "--eval", "0.25", "--group-column", "author")
    assert cli.status == 0, cli.err
    document = json.loads(cli.out)
    assert document["rows"] == {"train": 54, "eval": 18}
    assert document["split"]["group_column"] == "author"
    for wrong in ("1", "1.5", "-0.5", "1e1", "0"):
        assert cli(*train, "--overwrite", f"--eval={wrong}").status == 2
        assert "a share above 0 and below 1" in cli.err
    assert cli(*train, "--overwrite", "--eval", "./0.2").status == 2
    assert "a share" not in cli.err
    assert data_or_share("0.2.csv") == "0.2.csv"
    assert data_or_share("nan") == "nan"
    assert data_or_share(".25") == 0.25
