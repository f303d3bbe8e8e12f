"""A user went on with another tracker or other progress bars, and the tuning or training began anew."""

import pytest
from transformers import TrainerCallback

from clx.errors import ResumeError
from clx.ml import training_run
from clx.ml.selection import tune_loop
from conftest import fruit_frame

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")


def make(tiny_model, **options):
    arguments = {"max_steps": 4, "disable_tqdm": True, **options.pop("training_args", {})}
    options = {"label_texts": None, "head_init": "random", "pooling": "mean", **options}
    return training_run(
        "classification", "tracked", base_model_name=tiny_model, training_args=arguments, **options
    )


OTHERS = {
    "report_to": "none",
    "strict_length": True,
    "training_args": {"disable_tqdm": False, "logging_steps": 1, "log_level": "error"},
}


def test_a_tuning_goes_on_with_its_trials(tiny_model, monkeypatch):
    made, run_trial = [], tune_loop.run_trial
    monkeypatch.setattr(
        tune_loop, "run_trial", lambda *args: (made.append(args[1]), run_trial(*args))[1]
    )
    data, space = fruit_frame(24), {"learning_rate": [1e-5, 5e-3]}
    make(tiny_model, report_to="tensorboard").tune(data, data, trials=1, space=space)
    again = make(tiny_model, **OTHERS)
    # It would warn that it begins anew.
    again.tune(data, data, trials=1, space=space, overwrite=True)
    assert len(made) == 1
    assert again.config["report_to"] == "none"
    assert again.config["training_args"]["logging_steps"] == 1


class Stop(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_a_training_is_resumed(tiny_model):
    saving = {"save_strategy": "steps", "save_steps": 2}
    with pytest.raises(KeyboardInterrupt):
        make(tiny_model, report_to="tensorboard", training_args=saving).train(
            fruit_frame(24), callbacks=[Stop]
        )
    rate = make(tiny_model, training_args={**saving, "learning_rate": 1e-3})
    with pytest.raises(ResumeError, match="learning_rate"):
        rate.train(fruit_frame(24), resume=True)
    run = make(tiny_model, **{**OTHERS, "training_args": {**saving, **OTHERS["training_args"]}})
    assert run.train(fruit_frame(24), resume=True).steps == 4
    assert run.config["strict_length"] is True
