"""Long texts: what windows predict is what one long window predicts, wherever a span lies."""

import pandas as pd
import pytest
from transformers import AutoTokenizer

from clx.errors import ConfigError
from clx.ml.spans import IGNORED, bio_labels
from clx_tasks_tokens import TokenClassificationRun
from clx_tasks_tokens.encoding import Reading, labeled_windows, read_windows

ARGS = {"max_steps": 1, "learning_rate": 1e-9, "disable_tqdm": True}
DATA = TokenClassificationRun.sample_data()


def spans_of(predictions):
    return [[(s["start"], s["end"], s["label"], s["text"]) for s in each] for each in predictions]


@pytest.fixture(scope="module")
def runs(known_models, tmp_path_factory):
    """Runs of the same model with windows of 16 and of 4,000 tokens."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for limit, model in known_models.items():
        run = TokenClassificationRun(
            f"limit-{limit}", run_dir_parent=folder, base_model_name=model, training_args=ARGS
        )
        run.train(DATA)
        made[limit] = run
    return made


def shifted():
    """Texts in which a span of two words, and one of three tokens, lie at every place of a window."""
    for before in range(40):
        lead = " ".join(["lives"] * before)
        yield f"{lead} Bo Li and Newtown in Paris{' and' * 20}".lstrip()
        yield f"{lead} Ada".lstrip()


def test_windows_predict_what_one_long_window_predicts(runs):
    texts = list(shifted())
    long, short = (spans_of(runs[limit].predict(texts)) for limit in (4000, 16))
    assert short == long
    assert {len(spans) for spans in long} == {3, 1}
    names = [(label, text) for _, _, label, text in long[0]]
    assert names == [("person", "Bo Li"), ("place", "Newtown"), ("place", "Paris")]
    for text, spans in zip(texts, short, strict=True):
        assert all(text[start:end] == said for start, end, _, said in spans)


def test_spans_longer_than_a_window_and_texts_of_one_token_more(runs):
    texts = ["von von " + "li " * 40 + "lives"] + ["ada " + "and " * n for n in range(11, 18)]
    texts += ["and " * n + "ada" for n in range(11, 18)]
    long, short = (spans_of(runs[limit].predict(texts)) for limit in (4000, 16))
    assert short == long
    assert all(spans for spans in short)


def test_metrics_of_windows_are_those_of_whole_texts(runs):
    texts = list(shifted())
    spans = [
        [{"start": s, "end": e, "label": label} for s, e, label, _ in row]
        for row in spans_of(runs[4000].predict(texts))
    ]
    spans[0] = spans[0][1:]
    data = pd.DataFrame({"text": texts, "spans": spans})
    results = {limit: run.evaluate(data) for limit, run in runs.items()}
    expected = {"precision": 1 - 1 / 160, "recall": 1.0, "token_accuracy": 1.0}
    for result in results.values():
        assert result.rows == len(data)
        assert result.truncated == 0
        assert result.metrics["precision"] == pytest.approx(expected["precision"])
        assert result.metrics["recall"] == 1.0
        assert result.examples["correct"].tolist() == [False, *[True] * 79]
    for name in ("f1", "f1_macro", "f1_low", "f1_high", "token_accuracy"):
        assert results[16].metrics[name] == pytest.approx(results[4000].metrics[name])


def test_each_word_is_labeled_in_one_window(known_models):
    tokenizer = AutoTokenizer.from_pretrained(known_models[16])
    text = "and " * 15 + "bo li lives in new york " + "and " * 20
    at = text.index("bo")
    spans = [{"start": at, "end": at + 5, "label": "person"}]
    labels = bio_labels(["person"])
    made = labeled_windows(tokenizer, [text, "ada"], [spans, []], labels, Reading())
    assert made["window"] == [*range(len(made["window"]) - 1), 0]
    assert made["overflow_to_sample_mapping"] == [0] * (len(made["window"]) - 1) + [1]
    starts = [s for row in made["starts"][:-1] for s in row if s != IGNORED]
    assert starts == sorted(set(starts))
    assert len(starts) == len(text.split())
    said = [labels[tag] for row in made["labels"] for tag in row if tag != IGNORED]
    assert said.count("B-person") == said.count("I-person") == 1


def test_left_truncation_and_padding_change_nothing(known_models):
    tokenizer = AutoTokenizer.from_pretrained(known_models[16])
    usual = read_windows(tokenizer, ["bo li " * 30], Reading()).units
    tokenizer.truncation_side = "left"
    windows = read_windows(tokenizer, ["bo li " * 30], Reading())
    assert windows.units == usual
    assert [n for owned in windows.owned for n in owned] == list(range(60))


@pytest.mark.parametrize("strategy", ["average", "max"])
def test_all_tokens_of_a_word_count(known_models, tmp_path, strategy):
    run = TokenClassificationRun(
        "all", run_dir_parent=tmp_path, base_model_name=known_models[16], training_args=ARGS,
        aggregation_strategy=strategy,
    )  # fmt: skip
    run.train(DATA)
    labels = run.tokenize({"text": ["newtown"], "spans": [[]]})["labels"][0]
    assert labels == [IGNORED, 0, 0, IGNORED]
    assert spans_of(run.predict(["in newtown and in"])) == [[(3, 10, "place", "newtown")]]


def test_an_overlap_of_more_than_half_a_window_is_refused(known_models):
    tokenizer = AutoTokenizer.from_pretrained(known_models[16])
    with pytest.raises(ConfigError, match="stride must be at most 7, half of the 14 tokens"):
        read_windows(tokenizer, ["ada"], Reading(stride=8))
