"""Somebody trained two towers with a loss in the batch: no labels, and no input is called input_ids.

A vector for each token, with padding, made an embedding depend on the texts beside it.
"""

import pytest

from honest_tasks import TwoTowerRun
from kit_runs import found_by, not_passed, results


def test_two_towers_pass():
    assert not_passed(results(TwoTowerRun)) == {"metrics": "warned"}


class Untruncated(TwoTowerRun):
    def tokenize(self, examples):
        encoded = self.tokenizer(examples["answer"])
        return {**super().tokenize(examples), "input_ids_b": encoded["input_ids"]}


class WithNumbers(TwoTowerRun):
    def post_process_prediction(self, prediction):
        import numpy as np

        return np.array(prediction)


@pytest.mark.parametrize(
    ("task", "check", "said"),
    [(Untruncated, "tokenize_args", "becomes"), (WithNumbers, "json_values", "json.dumps")],
)
def test_the_kit_finds(task, check, said):
    result = found_by(task, check)
    assert result.outcome == "failed", result
    assert said in result.saw
