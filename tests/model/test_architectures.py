"""Many architectures: each trains, and a text's scores do not depend on its batch."""

import pytest

from architectures import SAME, Subject, by_batch, by_evaluation
from zoo import ARCHITECTURES


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_it_trains_and_its_scores_do_not_depend_on_the_batch(architecture, tmp_path):
    subject = Subject(architecture, tmp_path)
    run = subject.trained()
    assert by_batch(run, subject.texts) < SAME
    assert by_evaluation(run, subject.data) < SAME
