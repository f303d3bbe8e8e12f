"""A user loaded a tuned run and tuned it again: there was "nothing to tune"."""

import pytest

from clx.errors import ClxWarning
from clx.ml import training_run
from clx.ml.selection import tune_loop
from clx.ml.selection.tune_again import untuned_options
from conftest import fruit_frame

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")

ARGS = {"max_steps": 2, "disable_tqdm": True}
OPEN = {"learning_rate", "per_device_train_batch_size", "label_smoothing_factor"}


@pytest.fixture
def trials(monkeypatch):
    """The values of each trial that is run."""
    made, run_trial = [], tune_loop.run_trial
    monkeypatch.setattr(
        tune_loop, "run_trial", lambda *args: (made.append(dict(args[1])), run_trial(*args))[1]
    )
    return made


def make(tiny_model, **arguments):
    options = {"label_texts": None, "head_init": "random", "pooling": "mean"}
    arguments = {**ARGS, **arguments}
    return training_run(
        "classification", "tuned", base_model_name=tiny_model, training_args=arguments, **options
    )


def test_the_default_space_is_that_of_the_first_tuning_which_goes_on(tiny_model, trials):
    data = fruit_frame(24)
    first = make(tiny_model).tune(data, data, trials=1)
    run = training_run(load=first.run_dir)
    assert set(run.config["training_args"]) == {*ARGS, *OPEN}
    second = run.tune(data, data, trials=2, overwrite=True)
    assert [set(values) for values in trials] == [OPEN, OPEN]
    assert len(second.trials) == 2
    # Once more, after a training with a space of one's own.
    again = training_run(load=first.run_dir)
    with pytest.warns(ClxWarning, match="starts over, because the space"):
        third = again.tune(data, data, trials=1, space={"max_steps": [1]}, overwrite=True)
    opened = training_run(load=third.run_dir)
    assert opened.config["training_args"] == {**ARGS, "max_steps": 1}
    assert opened.results["tuning"]["before"] == {"training_args": ARGS}


def test_what_the_user_set_stays(tiny_model, trials):
    data = fruit_frame(24)
    run = make(tiny_model, learning_rate=1e-4)
    place = run.tune(data, data, trials=1, space={"learning_rate": [1e-5]}).run_dir
    opened = training_run(load=place)
    assert opened.config["training_args"]["learning_rate"] == 1e-5
    with pytest.warns(ClxWarning, match="starts over, because the space"):
        opened.tune(data, data, trials=1, overwrite=True)
    assert set(trials[-1]) == OPEN - {"learning_rate"}
    assert training_run(load=place).config["training_args"]["learning_rate"] == 1e-4


def test_values_that_were_changed_after_the_tuning_are_the_users(tiny_model):
    run = make(tiny_model)
    tuned = {"training_args": {"learning_rate": 1e-3, "seed": 1}, "class_weights": "balanced"}
    tuning = {
        "best": {"learning_rate": 1e-3, "class_weights": "balanced"},
        "before": {"training_args": {"seed": 1}, "class_weights": None},
    }
    before = {"training_args": {"seed": 1}, "class_weights": None}
    assert untuned_options(run, tuned, tuning, ()) == before
    assert untuned_options(run, tuned, tuning, {"class_weights"}) == {
        **before, "class_weights": "balanced",
    }  # fmt: skip
    other = {**tuned, "training_args": {"learning_rate": 2e-3, "seed": 1}}
    assert untuned_options(run, other, tuning, ()) == {**other, "class_weights": None}
    assert untuned_options(run, tuned, None, ()) == tuned
    # The results of an earlier version.
    assert untuned_options(run, tuned, {"best": {"learning_rate": 1e-3}}, ()) == {
        **tuned, "training_args": {"seed": 1},
    }  # fmt: skip
