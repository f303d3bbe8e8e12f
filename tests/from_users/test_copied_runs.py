"""A user called pool.map(run.predict, ...), pickle or deepcopy: "cannot pickle '_thread.RLock'"."""

import copy
import pickle
import shutil
import threading

import joblib
import pytest

from clx.errors import ConfigError, PluginError, RunDirError
from clx.ml import TrainingRun, training_run
from conftest import fruit_frame
from strangers import Full, Minimal

FAST = {"max_steps": 1, "disable_tqdm": True}

COPIES = {
    "pickle": lambda run: pickle.loads(pickle.dumps(run)),
    "pickle 2": lambda run: pickle.loads(pickle.dumps(run, protocol=2)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "inside": lambda run: copy.deepcopy({"runs": [run]})["runs"][0],
}
copied = pytest.mark.parametrize("how", COPIES)


@copied
def test_a_copy_of_a_trained_run_predicts_the_same(trained, how):
    run = training_run(load=trained, device="cpu")
    texts = ["the cat", "an apple"]
    expected = run.predict(texts)
    other = COPIES[how](run)
    assert type(other) is type(run)
    assert other.run_dir == run.run_dir
    assert other.device == "cpu"
    assert other.config == run.config
    assert other.predict(texts) == expected
    assert other.model is not run.model


def test_a_pickle_is_a_reference_to_the_directory(trained):
    run = training_run(load=trained)
    run.predict(["the cat"])
    assert len(pickle.dumps(run)) < 2000
    predict = pickle.loads(pickle.dumps(run.predict))
    assert predict(["the cat"]) == run.predict(["the cat"])


def test_a_relative_path_is_kept_as_an_absolute_one(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(trained.parent)
    pickled = pickle.dumps(training_run(load=trained.name))
    monkeypatch.chdir(tmp_path.anchor)
    assert pickle.loads(pickled).run_dir == trained


def test_options_that_the_caller_changed_arrive(trained):
    run = training_run(load=trained)
    run.tokenize_args = {"max_length": 8}
    run.strict_length = True
    other = pickle.loads(pickle.dumps(run))
    assert (other.tokenize_args, other.strict_length) == ({"max_length": 8}, True)


def test_a_run_that_was_trained_just_now(tiny_model, fruit):
    run = training_run("classification", "new", base_model_name=tiny_model, training_args=FAST)
    run.train(fruit, fruit)
    other = pickle.loads(pickle.dumps(run))
    assert other.predict(["the cat"]) == run.predict(["the cat"])
    made = training_run("classification", "new", base_model_name=tiny_model)
    assert copy.deepcopy(made).predict(["the cat"]) == run.predict(["the cat"])


@copied
def test_a_run_that_is_gone_is_an_error_on_arrival(trained, how):
    run = training_run(load=trained)
    pickled = pickle.dumps(run)
    shutil.rmtree(trained)
    with pytest.raises(RunDirError, match="no run directory"):
        pickle.loads(pickled)
    with pytest.raises(RunDirError, match="no run directory"):
        COPIES[how](run)


def test_a_run_that_was_trained_again_is_an_error_on_arrival(trained, fruit):
    run = training_run(load=trained)
    pickled = pickle.dumps(run)
    again = training_run(load=trained)
    again.train(fruit, overwrite=True, fine_tune=False)
    with pytest.raises(RunDirError, match=r"trained again since.*Open the new one"):
        pickle.loads(pickled)
    # A run that is used before and after must not become the new one on its way.
    with pytest.raises(RunDirError, match="trained again since"):
        pickle.loads(pickle.dumps(run))
    assert pickle.loads(pickle.dumps(again)).predict(["the cat"])


def test_a_damaged_run_is_an_error_on_arrival(trained):
    pickled = pickle.dumps(training_run(load=trained))
    (trained / "model" / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunDirError, match="damaged"):
        pickle.loads(pickled)


def test_a_name_that_stands_for_another_run_is_an_error(trained):
    run = training_run(
        "classification", "trained", run_dir_parent=trained.parent, label_names=["x", "y"]
    )
    with pytest.raises(ConfigError, match="is a different run"):
        pickle.dumps(run)


@copied
def test_a_copy_of_an_untrained_run_has_its_options(tiny_model, fruit, tmp_path, how):
    run = training_run(
        "classification",
        "untrained",
        run_dir_parent=tmp_path,
        base_model_name=tiny_model,
        label_names=["fruit", "animal"],
        training_args=FAST,
    )
    other = COPIES[how](run)
    assert (other.run_dir, other.config, other.is_trained) == (run.run_dir, run.config, False)
    other.training_args["seed"] = 7
    assert "seed" not in run.training_args
    other.train(fruit)
    assert other.predict(["the cat"])


class Stranger(Full):
    """A task that keeps something that cannot be pickled."""

    name = "stranger"

    def __init__(self, *args, my_config_attr=3, other_attr=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.my_config_attr = my_config_attr
        self.other_attr = other_attr
        self.lock = threading.Lock()


class Demanding(Minimal):
    name = "demanding"

    def __init__(self, run_name=None, *, needed, **kwargs):
        super().__init__(run_name, **kwargs)
        self.needed = needed


@copied
def test_a_strangers_task_is_copied_by_its_own_init(tiny_model, fruit, how):
    options = {"base_model_name": tiny_model, "training_args": FAST, "my_config_attr": 9}
    run = Stranger("strange", **options)
    assert COPIES[how](run).my_config_attr == 9
    run.train(fruit)
    other = COPIES[how](run)
    assert (other.my_config_attr, other.other_attr) == (9, None)
    assert other.lock is not run.lock
    assert other.predict(["the cat"]) == run.predict(["the cat"])


def test_an_init_that_cannot_be_called_again_is_an_error():
    with pytest.raises(PluginError, match=r"needs 'needed'.*add_config_attrs"):
        Demanding("demanding", needed=1)


class Hits:
    name = "hits"

    def compute(self, predictions, references):
        return {"hits": 0.5}


def test_metrics_arrive(tiny_model, fruit):
    run = training_run(
        "classification", "m", base_model_name=tiny_model, training_args=FAST, metrics=[Hits()]
    )
    assert pickle.loads(pickle.dumps(run)).metrics == ["hits"]
    run.train(fruit)
    assert pickle.loads(pickle.dumps(run)).evaluate(fruit).metrics["hits"] == 0.5


def test_chunks_of_one_pool_load_the_model_once(trained):
    pickled = pickle.dumps(training_run(load=trained))
    first = pickle.loads(pickled)
    assert first.predict(["the cat"])
    second = pickle.loads(pickled)
    assert first is not second
    assert first.model is second.model
    assert copy.deepcopy(first).model is not first.model


def test_a_copy_that_is_trained_keeps_to_itself(trained, fruit):
    pickled = pickle.dumps(training_run(load=trained))
    first = pickle.loads(pickled)
    before = first.predict(["the cat"])
    second = pickle.loads(pickled)
    second.pipe  # noqa: B018
    first.training_args = dict(FAST)
    first.train(fruit, overwrite=True, fine_tune=False)
    assert first.predict(["the cat"])
    assert second.predict(["the cat"]) == before


def test_joblib_maps_a_runs_predict(trained):
    run = training_run(load=trained)
    texts = [["the cat"], ["an apple", "a dog"]]
    found = joblib.Parallel(n_jobs=1, backend="sequential")(
        joblib.delayed(run.predict)(some) for some in texts
    )
    assert found == [run.predict(some) for some in texts]
    assert joblib.hash(run) == joblib.hash(pickle.loads(pickle.dumps(run)))


@pytest.mark.slow
def test_what_the_verbs_return_is_pickled(trained, fruit):
    run = training_run(load=trained)
    evaluation = run.evaluate(fruit)
    other = pickle.loads(pickle.dumps(evaluation))
    assert other.metrics == evaluation.metrics
    assert other.examples.equals(evaluation.examples)
    for result in (run.compare(run, fruit), run.check(fruit)):
        assert repr(copy.deepcopy(result)) == repr(pickle.loads(pickle.dumps(result)))
    assert pickle.loads(pickle.dumps(dict(run.config))) == run.config
    report = run.export("onnx", texts=["the cat"], int8=False)
    assert pickle.loads(pickle.dumps(report)) == report
    result = run.train(fruit, fruit, overwrite=True, fine_tune=False)
    assert pickle.loads(pickle.dumps(result)).metrics == result.metrics


def test_the_base_class_says_that_only_tasks_are_runs():
    with pytest.raises(ConfigError, match="base class"):
        TrainingRun("x")


def test_frames_are_as_before(trained):
    assert len(copy.deepcopy(training_run(load=trained)).predict_frame(fruit_frame(4))) == 4
