"""A run from training to predictions, decisions, reports, and changes of its labels."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from clx.errors import ClxError, ConfigError
from clx.ml import TrainingRun, training_run
from clx.testing import make_tiny_model
from clx_tasks_tokens import TokenClassificationRun
from clx_tasks_tokens.evaluating import NOTHING

DATA = pd.concat([TokenClassificationRun.sample_data()] * 6, ignore_index=True)
ARGS = {"num_train_epochs": 25, "learning_rate": 5e-3, "disable_tqdm": True, "seed": 1}
ODD = ["", " \r\n", "Ada", "\u200b", "Ada 👩‍👩‍👧 lives\r\nin Paris.", "x" * 5000, "e\u0301 Bo Li"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("base"), DATA["text"])


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    run = TokenClassificationRun(
        "spans", run_dir_parent=tmp_path_factory.mktemp("runs"), base_model_name=base,
        training_args=ARGS,
    )  # fmt: skip
    return run, run.train(DATA, DATA.iloc[:12])


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the trained run."""
    shutil.copytree(trained[0].run_dir, tmp_path / "spans")
    return training_run(load=tmp_path / "spans")


def tagged_words():
    words = [text.split(" ") for text in ("Ada lives in Paris", "Di lives in Rome", "it rained")]
    tags = [["B-person", "O", "O", "B-place"]] * 2 + [["O", "O"]]
    return pd.DataFrame({"words": words * 16, "tags": tags * 16})


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_words_and_tags_are_read_when_a_batch_needs_them(base, tmp_path, kind):
    frame = tagged_words()
    frame.to_parquet(tmp_path / "words.parquet")
    run = training_run(
        "ner",
        "lazy",
        base_model_name=base,
        tokenize_lazily=True,
        training_args={"max_steps": 2, "disable_tqdm": True},
    )
    run.train(tmp_path / "words.parquet" if kind == "file" else iter(frame.to_dict("records")))
    assert run.label_names == ["person", "place"]
    assert isinstance(run.predict("Ada lives in Paris"), list)


def same(one, two):
    """Return whether predictions are equal, apart from rounding."""
    for spans, others in zip(one, two, strict=True):
        for span, other in zip(spans, others, strict=True):
            assert span["score"] == pytest.approx(other["score"], abs=1e-3)
            assert span | {"score": 0} == other | {"score": 0}
    return True


def test_results(trained):
    run, result = trained
    assert result.metrics["f1"] > 0.8
    for name in ("precision", "recall", "f1", "f1_macro"):
        low, high = result.metrics[f"{name}_low"], result.metrics[f"{name}_high"]
        assert low <= result.metrics[name] <= high
    tables = result.evaluation.tables
    assert list(tables["per_label"].index) == run.label_names == ["person", "place"]
    assert tables["per_label"]["spans"].tolist() == [8, 8]
    assert list(tables["confusion"].columns) == ["person", "place", NOTHING]
    assert tables["confusion"].to_numpy()[:2].sum() == 16
    assert set(tables["decision_curve"]["label"]) == {"person", "place"}
    assert set(run.thresholds) == {"person", "place"}
    page = (run.run_dir / "report.html").read_text()
    assert "Wrong boundary" in page
    assert "The share of predictions that are right." in page
    card = (run.run_dir / "model" / "README.md").read_text()
    assert "token-classification" in card


def test_predictions_have_the_text_of_their_offsets(run):
    texts = [*DATA["text"][:6], *ODD]
    predicted = run.predict(texts)
    assert same(run.predict(texts, batch_size=1), predicted)
    assert same([run.predict([text])[0] for text in texts], predicted)
    assert sum(map(len, predicted)) >= 6
    for text, spans in zip(texts, predicted, strict=True):
        assert all(text[s["start"] : s["end"]] == s["text"] for s in spans)
        assert all(a["end"] <= b["start"] for a, b in pairwise(spans))
    assert json.loads(json.dumps(predicted)) == predicted
    high = run.predict_labels(texts, min_score=0.99)
    assert [[s for s in spans if s["score"] >= 0.99] for spans in predicted] == high
    assert run.predict(["Ada lives in Paris"], aggregation_strategy="max")
    with pytest.raises(ConfigError, match="must be one of first, average, max"):
        run.predict(["Ada"], aggregation_strategy="simple")


def test_tables_of_predictions(run, tmp_path):
    texts = [*DATA["text"][:6], *ODD]
    frame = run.predict_frame(pd.DataFrame({"text": texts, "spans": [[]] * len(texts)}))
    assert list(frame.columns) == ["entities", "truncated"]
    assert same(frame["entities"], run.predict(texts))
    assert not frame["truncated"].any()
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "in.parquet")
    expected = [[span["text"] for span in row] for row in frame["entities"]]
    for suffix in ("csv", "jsonl", "parquet"):
        run.predict_file(tmp_path / "in.parquet", tmp_path / f"out.{suffix}")
    cells = [json.loads(c) for c in pd.read_csv(tmp_path / "out.csv")["entities"]]
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    rows = [line["entities"] for line in lines]
    table = pd.read_parquet(tmp_path / "out.parquet")["entities"].tolist()
    for found in (cells, rows, table):
        assert [[span["text"] for span in row] for row in found] == expected


def test_predictions_of_a_table_can_be_trained_on(run):
    frame = run.predict_frame(DATA, keep=["text"])
    run.validate_data_format(frame)
    assert run.evaluate(frame.drop(columns="truncated")).metrics["f1"] == 1.0


def test_thresholds_are_decisions(run):
    curve = run.evaluate(DATA).decision_curve
    person = curve[curve["label"] == "person"]
    assert person["threshold"].is_monotonic_increasing
    assert person["rows"].is_monotonic_decreasing
    run.set_decisions(thresholds={"person": 1.0})
    assert run.thresholds["person"] == 1.0
    assert {span["label"] for spans in run.predict(DATA["text"]) for span in spans} == {"place"}
    metrics = run.evaluate(DATA).metrics
    assert metrics["recall"] == pytest.approx(0.5, abs=0.05)
    change = run.set_decisions(threshold_objective="recall", threshold_target=0.9, on=DATA)
    assert change.metrics["recall"] >= 0.9
    assert training_run(load=run.run_dir).thresholds == run.thresholds
    with pytest.raises(ConfigError, match="cannot be set together"):
        run.set_decisions(thresholds=0.5, threshold_objective="f1")


def test_a_low_threshold_finds_spans_that_are_not_the_most_probable():
    from clx_tasks_tokens.decoding import Scored, candidates, kept

    # O, B-a, I-a, B-b, I-b for five words.
    rows = [
        [0.1, 0.8, 0.1, 0.0, 0.0],
        [0.6, 0.0, 0.4, 0.0, 0.0],  # perhaps the end of the first span, not a span of its own
        [0.97, 0.0, 0.01, 0.01, 0.01],
        [0.6, 0.0, 0.0, 0.4, 0.0],
        [0.99, 0.01, 0.0, 0.0, 0.0],
    ]
    scored = Scored(np.arange(5) * 2, np.arange(5) * 2 + 1, np.array(rows))
    spans = candidates(scored, ["a", "b"])
    found = [(s["start"], s["end"], s["label"], round(s["score"], 2), s["best"]) for s in spans]
    assert found == [(0, 1, "a", 0.9, True), (6, 7, "b", 0.4, False)]
    assert [s["label"] for s in kept(spans, None)] == ["a"]
    assert [s["label"] for s in kept(spans, 0.2)] == ["a", "b"]
    assert [s["label"] for s in kept(spans, {"a": 0.95})] == []
    assert [s["label"] for s in kept(spans, {"b": 0.1})] == ["a", "b"]


def test_reports_mark_spans_and_kinds_of_errors(run, tmp_path):
    wrong = DATA.copy()
    wrong["spans"] = [list(spans) for spans in DATA["spans"]]
    wrong.at[2, "spans"] = [{"start": 0, "end": 9, "label": "person"}, DATA["spans"][2][1]]
    wrong.at[4, "spans"] = [DATA["spans"][4][0] | {"label": "place"}, DATA["spans"][4][1]]
    wrong.at[5, "spans"] = [DATA["spans"][5][0]]
    wrong.at[0, "spans"] = [{"start": 0, "end": 6, "label": "person"}]
    result = run.evaluate(wrong)
    table = result.per_label
    assert table.loc["person", ["wrong_boundary", "missed"]].tolist() == [1, 1]
    assert table.loc["place", ["wrong_label", "spurious"]].tolist() == [1, 1]
    assert result.confusion.loc["place", "person"] == 1
    assert result.confusion.loc[NOTHING, "place"] == 1
    result.save(tmp_path / "saved")
    page = (tmp_path / "saved" / "report.html").read_text()
    assert "[nobody: person] came" in page
    assert "[Ada lives: person] in [Paris: place]" in page
    assert "no span" in page


def test_runs_are_compared(run, trained):
    comparison = run.compare(trained[0], DATA)
    assert comparison.metrics.loc["f1", "difference"] == 0
    # Equal spans in these rows do not say that the runs are equal in others.
    low, high = comparison.metrics.loc["f1", ["low", "high"]]
    assert -0.1 < low == -high < 0


@pytest.mark.filterwarnings("ignore:.* labels take the threshold:clx.errors.ClxWarning")
def test_label_errors_of_spans(base, tmp_path):
    data = pd.concat([DATA] * 2, ignore_index=True)
    data["spans"] = [list(spans) for spans in data["spans"]]
    lacking, other = 2, 10
    data.at[lacking, "spans"] = data["spans"][lacking][1:]
    data.at[other, "spans"] = [
        data["spans"][other][0] | {"label": "place"},
        data["spans"][other][1],
    ]
    run = TokenClassificationRun(
        "errors", run_dir_parent=tmp_path, base_model_name=base, training_args=ARGS
    )
    found = run.find_label_errors(data, folds=2)
    kinds = {(row.Index, row.kind): row for row in found.itertuples()}
    assert kinds[lacking, "missing"].suggested == "person"
    assert kinds[other, "label"].given == "place"
    assert found["score"].is_monotonic_increasing
    assert {kinds[lacking, "missing"].start, kinds[other, "label"].start} == {0}
    assert not (tmp_path / "errors" / "model").exists()


def test_labels_are_renamed_and_a_run_is_continued(run, tmp_path):
    before = run.predict(DATA["text"])
    run.rename_labels({"person": "human"})
    reopened = training_run(load=run.run_dir)
    assert set(reopened.thresholds) == {"human", "place"}
    results = (run.run_dir / "results.json").read_text()
    assert "person" not in results.partition('"labels_history"')[0]
    renamed = [
        [s["label"].replace("human", "person") for s in row] for row in run.predict(DATA["text"])
    ]
    assert renamed == [[s["label"] for s in row] for row in before]
    more = pd.DataFrame(
        {"text": ["it rained all day"] * 4, "spans": [[{"start": 3, "end": 9, "label": "act"}]] * 4}
    )
    old = DATA[DATA["text"] != more["text"][0]].copy()
    old["spans"] = [
        [s | {"label": s["label"].replace("person", "human")} for s in row] for row in old["spans"]
    ]
    continued = run.continue_training(
        more, name="more", replay=old, run_dir_parent=tmp_path, training_args=ARGS
    )
    other = training_run(load=tmp_path / "more")
    assert other.label_names == ["human", "place", "act"]
    assert continued is not None
    assert any(s["label"] == "act" for s in other.predict(["it rained all day"])[0])


def test_what_is_not_possible_says_so(run):
    with pytest.raises(
        ClxError, match=r"cannot be merged.*Change the labels in the data, and train"
    ):
        run.merge_labels({"any": ["person", "place"]}, DATA)
    assert isinstance(run, TrainingRun)
