"""``ClxClassifier.fit`` with ``sample_weight``."""

import numpy as np
import pytest

from clx.errors import DataFormatError

pytest.importorskip("sklearn")

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")


def classifier(base):
    from clx.sklearn import ClxClassifier

    return ClxClassifier(base_model_name=base, fine_tune=False, label_texts=None)


def test_a_weight_of_two_is_the_row_twice_and_zero_is_no_row(tiny_model):
    X = ["apple", "the cat", "pear", "a dog", "the big cow", "banana"]
    y, weight = ["fruit", "animal", "fruit", "animal", "animal", "fruit"], [1, 2, 1, 1, 0, 1]
    again = np.repeat(np.arange(6), weight)
    weighted = classifier(tiny_model).fit(X, y, sample_weight=np.array(weight))
    repeated = classifier(tiny_model).fit([X[i] for i in again], [y[i] for i in again])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-4)
    plain = classifier(tiny_model).fit(X, y).predict_proba(X)
    assert np.abs(plain - weighted.predict_proba(X)).max() > 1e-3
    # The run knows its column, and evaluates rows without it.
    assert weighted.run_.weight_column == "sample_weight"


def test_wrong_weights_are_refused(tiny_model):
    X, y = ["apple", "the cat", "pear"], ["fruit", "animal", "fruit"]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier(tiny_model).fit(X, y, sample_weight=[1, 2])
    with pytest.raises(DataFormatError, match="a negative weight"):
        classifier(tiny_model).fit(X, y, sample_weight=[1, 2, -1])
