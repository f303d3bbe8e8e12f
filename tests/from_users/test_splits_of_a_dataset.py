"""A user passed load_dataset(...) as it was, to train and to evaluate: both asked for a single split."""

import datasets
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.training.data import Data, validated_frames
from conftest import fruit_frame

QUICK = {"training_args": {"max_steps": 1, "disable_tqdm": True}, "head_init": "random"}


class Untouched(datasets.DatasetDict):
    """Splits of which some must not be read."""

    forbidden = ()

    def __getitem__(self, name):
        assert name not in self.forbidden
        return super().__getitem__(name)

    def get(self, name, default=None):
        assert name not in self.forbidden
        return super().get(name, default)


def splits(**rows):
    return Untouched(
        {name: datasets.Dataset.from_pandas(fruit_frame(count)) for name, count in rows.items()}
    )


@pytest.fixture
def run(tiny_model):
    return training_run("classification", "fruit", base_model_name=tiny_model, **QUICK)


def test_train_takes_train_and_validation_and_never_test(run):
    data = splits(train=20, validation=12, test=16)
    data.forbidden = ("test",)
    assert run.train(data).rows == {"train": 20, "eval": 12}
    data.forbidden = ("train", "validation")
    assert run.evaluate(data).rows == 16
    assert run.compare(run, data).rows == 16
    data.forbidden = ("test",)
    assert run.train(data, fruit_frame(8), overwrite=True).rows["eval"] == 8
    assert len(run.find_label_errors(data, folds=2, top=3)) == 3


def test_eval_data_may_have_splits_too(run):
    given = splits(train=40, validation=12, test=20)
    given.forbidden = ("train", "test")
    assert len(validated_frames(run, Data(fruit_frame(40), given))[0]["eval"]) == 12


def test_without_validation_nothing_is_evaluated(run):
    frames, _ = validated_frames(run, Data(splits(train=40, test=20)))
    assert {name: len(frame) for name, frame in frames.items()} == {"train": 40}


def test_a_missing_split_is_named(run, trained):
    with pytest.raises(DataFormatError) as error:
        run.train(splits(test=20, other=12))
    assert "train_data is a DatasetDict with the splits test, other, but no split 'train'" in str(
        error.value
    )
    with pytest.raises(
        DataFormatError, match=r"eval_data is .* the splits dev, but no split 'validat"
    ):
        run.train(fruit_frame(40), splits(dev=12))
    loaded = training_run(load=trained)
    with pytest.raises(
        DataFormatError, match=r"data is .* train, but no split 'test'.*pass one of"
    ):
        loaded.evaluate(splits(train=20))
    with pytest.raises(DataFormatError, match="the splits train, test: pass one of them"):
        loaded.predict_frame(splits(train=20, test=20))
