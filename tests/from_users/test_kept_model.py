"""A user compared two learning rates and got one score: the probe had won, and nothing said so."""

import json

import pytest
import torch
from transformers import EarlyStoppingCallback, TrainerCallback

from cli_helpers import Cli
from clx.ml import training_run
from conftest import fruit_frame

RUINOUS = {"disable_tqdm": True, "learning_rate": 5.0, "num_train_epochs": 3}
GOOD = {"disable_tqdm": True, "learning_rate": 5e-3, "num_train_epochs": 3}


class StopAfterTwoSteps(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step >= 2


class Ruin(TrainerCallback):
    """Makes every epoch after the first one bad."""

    def on_epoch_end(self, args, state, control, model=None, **kwargs):
        if state.epoch > 1:
            model.classifier.bias.data += 50 * torch.tensor([1.0, -1.0])


def train(model, name, arguments, eval_rows=30, callbacks=None, head_init="probe", **call):
    run = training_run(
        "classification",
        name,
        base_model_name=model,
        training_args=arguments,
        head_init=head_init,
    )
    eval_data = fruit_frame(eval_rows) if eval_rows else None
    return run, run.train(fruit_frame(40), eval_data, callbacks=callbacks, **call)


def test_a_probe_that_wins_is_named_everywhere(tiny_model, capsys, monkeypatch):
    run, result = train(tiny_model, "probe", RUINOUS)
    assert (result.kept, result.stopped) == ("probe", None)
    results = json.loads((run.run_dir / "results.json").read_text())
    assert (results["kept_model"], results["stopped"]) == ("probe", None)
    assert results["kept"]["model"] == "probe", "the entry of earlier versions stays"
    said = "the probe: no epoch of the fine-tuning scores better on the eval data"
    assert said in (run.run_dir / "report.html").read_text().replace("<wbr>", "")
    assert said in (run.run_dir / "model" / "README.md").read_text()
    assert said in Cli(capsys, monkeypatch)("show", "probe").out


@pytest.mark.parametrize(
    ("options", "kept", "stopped"),
    [
        ({"arguments": GOOD, "fine_tune": False}, "probe", None),
        ({"arguments": GOOD, "eval_rows": 0}, 3, None),
        ({"arguments": GOOD, "eval_rows": 0, "callbacks": [StopAfterTwoSteps]}, 0.6667, "callback"),
        ({"arguments": GOOD, "head_init": "random", "callbacks": [Ruin]}, 1, None),
        (
            {
                "arguments": GOOD,
                "head_init": "random",
                "callbacks": [Ruin, EarlyStoppingCallback(early_stopping_patience=1)],
            },
            1,
            "early_stopping",
        ),
    ],
    ids=["head alone", "last epoch", "callback", "best epoch", "early stopping"],
)
def test_what_is_kept_and_what_stopped_it(tiny_model, options, kept, stopped):
    run, result = train(tiny_model, "run", **options)
    assert (result.kept, result.stopped) == (kept, stopped)
    assert (run.results["kept_model"], run.results["stopped"]) == (kept, stopped)


def test_a_time_budget_that_ends_a_training_is_named(tiny_model, monkeypatch):
    monkeypatch.setattr("clx.ml.training.time_budget.Budget.steps", lambda budget, step: 6)
    _, result = train(tiny_model, "six", GOOD, eval_rows=0, time_budget=1000)
    assert (result.steps, result.stopped) == (6, "time_budget")
    assert result.kept == 2


@pytest.mark.slow
def test_the_command_line_says_it(tiny_model, fruit, tmp_path, capsys, monkeypatch):
    fruit.to_csv(tmp_path / "train.csv", index=False)
    told = Cli(capsys, monkeypatch)(
        "train", "classification", "told", tmp_path / "train.csv",
        "--base-model", tiny_model, "--set", "training_args.num_train_epochs=2",
    )  # fmt: skip
    assert ["kept", "epoch 2"] in told.lines
