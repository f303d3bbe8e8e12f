"""Somebody's inputs were called input_ids_chosen, and the kit demanded input_ids, labels, and a name.

The collator makes the labels, and ``self._label_map`` is the author's own.
"""

import pytest

from honest_tasks import PreferenceRun
from kit_runs import found_by, not_passed, results


def test_preference_pairs_pass():
    found = results(PreferenceRun)
    assert not_passed(found) == {"metrics": "warned"}
    assert "only the loss" in found["metrics"].saw


class Untruncated(PreferenceRun):
    def tokenize(self, examples):
        found = super().tokenize(examples)
        encoded = self.tokenizer(examples["rejected"])
        return {**found, "input_ids_rejected": encoded["input_ids"]}


class Sorted(PreferenceRun):
    def tokenize(self, examples):
        return super().tokenize({**examples, "rejected": sorted(examples["rejected"])})


class Forbidden(PreferenceRun):
    def tokenize(self, examples):
        assert self._clx_state
        return super().tokenize(examples)


class WrongKind(PreferenceRun):
    labels_are = "numbers"


@pytest.mark.parametrize(
    ("task", "check", "said"),
    [
        (Untruncated, "tokenize_args", "becomes"),
        (Sorted, "rows_alone", "with the other rows"),
        (Forbidden, "public_names", "_clx_state"),
        (WrongKind, "labels", "labels_are must be 'classes', 'tokens', 'values' or None"),
    ],
)
def test_the_kit_finds(task, check, said):
    result = found_by(task, check)
    assert result.outcome == "failed", result
    assert said in result.saw
    if check == "public_names":
        assert "_label_map" not in result.saw
