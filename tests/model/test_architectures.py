"""Many architectures: each trains, and a text's scores do not depend on its batch."""

import pytest

from architectures import SAME, Subject, by_batch, by_evaluation
from zoo import ARCHITECTURES

# Decoders are among the models.
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.BaseModelWarning")

RELATIVES = "camembert ernie flaubert mbart mistral mt5 rembert xlm-roberta".split()
"""Their code is that of another model type here; `make architectures` tries them too."""

CHOSEN = [each for each in ARCHITECTURES if each.model_type not in RELATIVES]


def test_there_are_many():
    assert len({each.model_type for each in CHOSEN}) >= 30


@pytest.mark.parametrize("architecture", CHOSEN, ids=str)
def test_it_trains_and_its_scores_do_not_depend_on_the_batch(architecture, tmp_path):
    subject = Subject(architecture, tmp_path)
    run = subject.trained()
    assert by_batch(run, subject.texts) < SAME
    assert by_evaluation(run, subject.data) < SAME
