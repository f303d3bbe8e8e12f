"""Few texts to distill, and several labels per text.

A user distilled a run with 62 labels on 1,600 texts. The student decided like the run on 42 % of new
texts: it had seen most words in one combination only.
"""

import numpy as np
import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.distillation.teacher import Teacher
from conftest import ANIMALS, FRUIT
from distillation_texts import texts_of

TOPICS = {"animal": set(ANIMALS), "fruit": set(FRUIT)}


def by_words(teacher, texts):
    """Scores of a teacher that knows each word, so that only the student can be wrong."""
    has = [[bool(TOPICS[label] & set(text.split())) for label in teacher.labels] for text in texts]
    return np.where(has, 0.97, 0.02).astype(np.float32)


@pytest.mark.filterwarnings("ignore:.*take the shared threshold")
def test_a_student_knows_combinations_that_no_text_has(tiny_model, tmp_path, monkeypatch):
    rows = pd.DataFrame(
        [{"text": text, "labels": [label]} for label in TOPICS for text in sorted(TOPICS[label])]
    )
    run = training_run("multilabel", "teacher", run_dir_parent=tmp_path, base_model_name=tiny_model)
    run.train(rows, fine_tune=False)
    monkeypatch.setattr(Teacher, "_computed", by_words)
    # Each text has fruit or animals, and none has both.
    texts = texts_of(260)
    new = [f"the red {one} is a {two}" for one in FRUIT for two in ANIMALS]
    equal = {}
    for augment in (0, None):
        result = run.distill(texts, name="student", dim=16, augment=augment, overwrite=True)
        found = training_run(load=result.run_dir).predict_labels(new)
        equal[augment] = np.mean([set(each) == {"animal", "fruit"} for each in found])
    assert result.texts["variants"] > 2 * result.texts["learned"]
    assert equal[None] > 0.9
    assert equal[0] < equal[None] - 0.3
