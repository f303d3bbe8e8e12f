"""``ClxClassifier`` is an estimator like those of scikit-learn."""

import copy
import gc
import inspect
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from clx.errors import ConfigError, DataFormatError, ModelError, RunExistsError
from clx.ml import TrainingRun
from clx.ml.task.options import OPTIONS
from clx.sklearn import ClxClassifier
from clx.sklearn.estimator import NOT_PARAMETERS
from conftest import ANIMALS, FRUIT, fruit_frame, make_tiny_model

FRAME = fruit_frame(12)
TEXTS, LABELS = list(FRAME["text"]), np.array(FRAME["label"])
NEW = ["cat", "apple"]


@pytest.fixture(scope="module")
def make(tiny_model):
    def make(**parameters):
        fast = {"fine_tune": False, "pooling": "model", "label_texts": None}
        return ClxClassifier(base_model_name=str(tiny_model), **fast, **parameters)

    return make


@pytest.fixture(scope="module")
def fitted(make):
    return make(random_state=np.random.RandomState(1)).fit(FRAME["text"], LABELS)


def test_it_predicts_classes_and_probabilities(fitted):
    assert fitted.classes_.tolist() == ["animal", "fruit"]
    assert fitted.predict(NEW).tolist() == ["animal", "fruit"]
    scores = fitted.predict_proba(pd.Series(NEW))
    assert scores.shape == (2, 2)
    assert np.allclose(scores.sum(axis=1), 1)
    assert fitted.score(TEXTS, LABELS) == 1
    assert fitted.predict([]).shape == (0,)


def test_texts_in_all_forms(fitted):
    expected = fitted.predict(NEW).tolist()
    column = np.array(NEW).reshape(-1, 1)
    frame = pd.DataFrame({"text": NEW, "other": [1, 2]})
    for form in (tuple(NEW), np.array(NEW), column, frame, frame[["text"]], iter(NEW)):
        assert fitted.predict(form).tolist() == expected
    with pytest.raises(DataFormatError, match="is one text"):
        fitted.predict("cat")
    with pytest.raises(DataFormatError, match="select the columns of texts"):
        fitted.predict(frame.rename(columns={"text": "message"}))


def test_classes_keep_their_type(make):
    numbers = make().fit(TEXTS, [10 if label == "fruit" else 2 for label in LABELS])
    assert numbers.classes_.tolist() == [2, 10]
    assert numbers.predict(NEW).tolist() == [2, 10]
    assert numbers.predict(NEW).dtype.kind == "i"


def test_several_labels_as_a_matrix(make):
    matrix = np.array([[label == "fruit", label != "fruit"] for label in LABELS], dtype=int)
    named = pd.DataFrame(matrix, columns=["fruit", "animal"])
    several = make().fit(TEXTS, named)
    assert several.run_.name == "multi-label-classification"
    assert several.classes_.tolist() == ["fruit", "animal"]
    assert several.predict(NEW).tolist() == [[0, 1], [1, 0]]
    assert several.predict_proba(NEW).shape == (2, 2)
    assert several.score(TEXTS, matrix) == 1
    assert several.score(TEXTS, csr_array(matrix)) == 1


def test_several_labels_as_lists(make):
    lists = [[str(label), "any"] if row % 3 else ["any"] for row, label in enumerate(LABELS)]
    several = make().fit(TEXTS, lists)
    assert several.classes_.tolist() == ["animal", "any", "fruit"]
    predicted = several.predict(NEW)
    assert all(isinstance(row, list) and "any" in row for row in predicted)
    assert 0 <= several.score(TEXTS, lists) <= 1


def test_it_works_in_pipelines_and_searches(make):
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [t.lower() for t in texts]), make())
    search = GridSearchCV(pipeline, {"clxclassifier__label_texts": [None]}, cv=2)
    search.fit([text.upper() for text in TEXTS], LABELS)
    assert search.best_score_ > 0.5
    assert search.predict(["CAT"]).tolist() == ["animal"]
    assert cross_val_score(make(), TEXTS, LABELS, cv=2).shape == (2,)


def test_a_pickle_contains_the_run_and_copies_are_their_own(fitted, make):
    expected = fitted.predict_proba(NEW)
    again = pickle.loads(pickle.dumps(fitted))
    copied = copy.deepcopy(fitted)
    folders = [each.run_.run_dir for each in (fitted, again, copied)]
    assert len(set(folders)) == 3
    for each in (again, copied):
        assert np.allclose(each.predict_proba(NEW), expected)
    del each, again, copied
    gc.collect()
    assert [folder.exists() for folder in folders] == [True, False, False]


def test_the_seed_is_that_of_random_state(fitted):
    expected = int(np.random.RandomState(1).randint(2**31 - 1))
    assert fitted.run_.config["training_args"] == {"disable_tqdm": True, "seed": expected}


def test_a_named_run_stays_and_is_not_replaced(make, tmp_path):
    named = make(run_dir_parent=tmp_path, run_name="named", eval_data=0.5)
    named.fit(TEXTS, LABELS)
    assert named.run_.run_dir == tmp_path / "named"
    assert "accuracy" in named.result_.metrics
    pickled = pickle.dumps(named)
    with pytest.raises(RunExistsError, match="overwrite=True"):
        clone(named).fit(TEXTS, LABELS)
    del named
    gc.collect()
    assert pickle.loads(pickled).predict(NEW).shape == (2,)
    again = make(run_dir_parent=tmp_path, run_name="named", overwrite=True)
    again.fit(TEXTS, LABELS, eval_set=(NEW, ["animal", "fruit"]))
    assert again.result_.rows == {"train": 12, "eval": 2}


def test_what_is_wrong_is_said(make):
    with pytest.raises(ValueError, match="requires y to be passed"):
        make().fit(TEXTS)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(TEXTS, LABELS[:-1])
    with pytest.raises(DataFormatError, match="y has 1 class, 'fruit'"):
        make().fit(TEXTS, ["fruit"] * 12)
    with pytest.raises(ConfigError, match="pooling must be one of"):
        clone(make()).set_params(pooling="max").fit(TEXTS, LABELS)
    with pytest.raises(NotFittedError):
        make().predict(NEW)


def test_the_parameters_are_the_options_of_a_run():
    own = inspect.signature(ClxClassifier).parameters
    options = inspect.signature(TrainingRun.__init__).parameters
    for option in OPTIONS:
        if option.name not in NOT_PARAMETERS:
            assert own[option.name].default == options[option.name].default
            assert own[option.name].annotation == options[option.name].annotation
    names = {option.name for option in OPTIONS}
    assert names >= NOT_PARAMETERS
    extra = "task fine_tune time_budget eval_data random_state verbose run_name overwrite"
    assert set(own) - names == {*extra.split(), "task_options"}
    assert ClxClassifier().get_params().keys() == own.keys()


def test_without_scikit_learn_the_error_says_what_to_install():
    code = """
import sys
sys.modules["sklearn"] = None
from clx.errors import MissingDependencyError
try:
    import clx.sklearn
except MissingDependencyError as error:
    assert "pip install 'clx-core[sklearn]'" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- The checks of scikit-learn --------------------------------------------------------------------

WITHOUT_FIT = """check_estimator_cloneable check_estimator_tags_renamed check_valid_tag_types
check_estimator_repr check_no_attributes_set_in_init check_parameters_default_constructible
check_get_params_invariance check_set_params check_do_not_raise_errors_in_init_or_set_params
check_mixin_order""".split()

WITH_FIT = [
    "check_estimators_unfitted",
    "check_estimators_overwrite_params",
    "check_dict_unchanged",
]


class OfNumbers(ClxClassifier):
    """An estimator whose texts are made of numbers, because the checks have no data of texts."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, True
        tags.input_tags.string = False
        return tags

    def fit(self, X, y=None):
        known = {} if y is None else {"y": y, "multi_output": True}
        checked = validate_data(self, X, **known)
        X = checked if y is None else checked[0]
        return super().fit(words(X), y)

    def predict(self, X):
        check_is_fitted(self)
        return super().predict(X if isinstance(X, list) else self._words(X))

    def predict_proba(self, X):
        check_is_fitted(self)
        return super().predict_proba(X if is_texts(X) else self._words(X))

    def _words(self, X):
        return words(validate_data(self, X, reset=False))


def is_texts(X):
    return isinstance(X, list) and X and isinstance(X[0], str)


def words(rows):
    """Return a text for each row: the signs and sizes of its first numbers as words."""
    return [
        " ".join((FRUIT if value > 0 else ANIMALS)[int(abs(value) * 3) % 6] for value in row[:5])
        for row in rows
    ]


@pytest.mark.parametrize("name", WITHOUT_FIT)
def test_the_estimator_passes_checks_without_a_fit(name, make):
    getattr(estimator_checks, name)("ClxClassifier", make())


@pytest.mark.parametrize("name", WITH_FIT)
def test_the_estimator_passes_checks_with_a_fit(name, tiny_model):
    numbers = OfNumbers(
        base_model_name=str(tiny_model), fine_tune=False, pooling="model", label_texts=None
    )
    getattr(estimator_checks, name)("OfNumbers", numbers)


class Fast(OfNumbers):
    """Makes its tiny model itself: ``parametrize_with_checks`` has no fixtures."""

    folder = None

    def fit(self, X, y=None):
        if Fast.folder is None:
            Fast.folder = make_tiny_model(Path(tempfile.mkdtemp()) / "tiny")
        given, self.base_model_name = self.base_model_name, str(Fast.folder)
        try:
            return super().fit(X, y)
        finally:
            self.base_model_name = given


@pytest.mark.slow
@parametrize_with_checks(
    [Fast(fine_tune=False, pooling="model", label_texts=None)],
    expected_failed_checks=lambda estimator: {
        "check_methods_subset_invariance": "texts in other batches have other padding: scores are "
        "equal to 1e-5, and the check asks for 1e-7"
    },
)
def test_the_estimator_passes_every_check_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("labels", [LABELS, [[label] for label in LABELS]], ids=["one", "several"])
def test_labels_that_were_renamed_after_the_fit_are_an_error_that_says_so(make, labels):
    classifier = make().fit(TEXTS, labels)
    classifier.run_.rename_labels({"fruit": "food"})
    with pytest.raises(ModelError, match=r"changed after the fit: .*fruit.* the run has .*food"):
        classifier.predict(NEW)


@pytest.mark.parametrize(
    ("guess", "line"),
    [
        ({"epochs": 3}, r"write training_args=\{'num_train_epochs': 3\}"),
        ({"lr": 0.1}, r"write training_args=\{'learning_rate': 0.1\}"),
        ({"model_name": "x"}, "write base_model_name='x'"),
        ({"fine_tuning": False}, "did you mean 'fine_tune'"),
    ],
    ids=str,
)
def test_a_guessed_parameter_gets_the_line_to_write(guess, line):
    with pytest.raises(TypeError, match=line):
        ClxClassifier(**guess)
    with pytest.raises(ValueError, match=line):
        ClxClassifier().set_params(**guess)
