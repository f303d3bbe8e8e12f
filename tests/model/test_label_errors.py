"""Rows whose labels look wrong: planted errors are found."""

import numpy as np
import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError
from clx.ml import training_run
from clx.ml.model.head.label_errors import suspicion, suspicion_of_several

WORDS = {
    "fruit": "apple banana cherry lemon",
    "animal": "dog cat cow horse",
    "tool": "saw axe nail",
}


def planted(rows=90, wrong=5):
    """Sentences about three things, the true labels, and the index of the rows with a wrong one."""
    rng = np.random.default_rng(0)
    names = list(WORDS)
    labels = [names[i % 3] for i in range(rows)]
    texts = [
        f"a {rng.choice(WORDS[label].split())} on picture {i}" for i, label in enumerate(labels)
    ]
    frame = pd.DataFrame({"text": texts, "label": labels}, index=np.arange(rows) + 1000)
    chosen = rng.choice(frame.index, wrong, replace=False)
    truth = frame["label"].copy()
    for row in chosen:
        frame.loc[row, "label"] = names[(names.index(truth[row]) + 1) % 3]
    return frame, truth, set(chosen)


def test_planted_labels_are_found_with_what_is_right():
    frame, truth, chosen = planted()
    run = training_run("classification", "look")
    found = run.find_label_errors(frame, top=5)
    assert list(found.columns) == ["text", "given", "suggested", "score", "confidence"]
    assert chosen == set(found.index)
    for row in chosen:
        assert found.loc[row, "given"] == frame.loc[row, "label"]
        assert found.loc[row, "suggested"] == truth[row]
    assert found["score"].is_monotonic_increasing
    flagged = run.find_label_errors(frame)
    assert 0 < len(flagged) < 10
    assert len(chosen & set(flagged.index)) > len(flagged) / 2
    assert not run.is_trained
    assert run.label_names is None


def test_several_labels_a_row():
    frame, truth, chosen = planted()
    frame["labels"] = [[label] for label in frame.pop("label")]
    found = training_run("multilabel", "look").find_label_errors(frame, top=7)
    assert len(chosen & set(found.index)) >= 4
    assert any(truth[row] in found.loc[row, "suggested"] for row in chosen & set(found.index))


def test_confident_learning_by_hand():
    labels = np.array([0, 0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8], [0.2, 0.8]])
    found = suspicion(labels, probabilities)
    # The thresholds are 0.633 and 0.75. The last row reaches that of the other label, the third none.
    assert found.suspicious.tolist() == [False] * 4 + [True]
    assert found.suggested[4] == 1
    assert found.score.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.8, 0.2])
    assert found.confidence[4] == pytest.approx(0.8)


def test_what_was_given_and_is_hardly_possible_comes_first():
    """By the difference of probabilities, 0.65 against 0.499, the second row would come first."""
    probabilities = np.array([[0.001, 0.5, 0.499], [0.15, 0.8, 0.05]])
    lead = suspicion(np.array([0, 0]), probabilities).lead
    assert lead.tolist() == pytest.approx(np.log([500, 0.8 / 0.15]))


def test_several_labels_by_hand():
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.9], [0.95, 0.1]])
    found = suspicion_of_several(labels, probabilities)
    assert found.suspicious.tolist() == [False, False, False, True]
    assert found.suggested[3].tolist() == [1, 0]
    # Only the first label changes; the certain absence of the second is not what is suggested.
    assert found.confidence[3] == pytest.approx(0.95)


def test_errors():
    frame, _, _ = planted()
    run = training_run("classification", "look")
    with pytest.raises(DataFormatError, match="at least 20 are needed"):
        run.find_label_errors(frame.head(10))
    with pytest.raises(ConfigError, match="folds must be an integer of at least 2"):
        run.find_label_errors(frame, folds=1)
    with pytest.raises(DataFormatError, match="column 'label'"):
        run.find_label_errors(frame[["text"]])
