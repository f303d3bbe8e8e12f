"""Somebody had token ids as labels: the kit compared them with id2label, whose names were LABEL_0."""

import pytest

from honest_tasks import GenerateRun, tiny_bart
from kit_runs import found_by, not_passed, results


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    return tiny_bart(tmp_path_factory.mktemp("models") / "bart")


def test_sequence_to_sequence_passes(bart):
    assert not_passed(results(GenerateRun, base_model_name=bart)) == {}


class Classes(GenerateRun):
    """The author says what the kit would not infer."""

    labels_are = "classes"


def test_what_the_author_says_about_the_labels_counts(bart):
    result = found_by(Classes, "labels_survive", base_model_name=bart)
    assert result.outcome == "failed", result
    assert "the labels of the saved model are LABEL_0" in result.saw


class Stateful(GenerateRun):
    def post_process_prediction(self, prediction):
        self.count = getattr(self, "count", 0) + 1
        return {"text": f"{self.count}"}


def test_the_kit_finds_predictions_that_depend_on_their_neighbors(bart):
    result = found_by(Stateful, "order_and_batches", base_model_name=bart)
    assert result.outcome == "failed", result
