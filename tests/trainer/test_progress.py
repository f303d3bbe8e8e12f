"""One progress bar for the training and one for predictions, on stderr."""

from types import SimpleNamespace

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from clx.ml.trainer import callbacks
from clx.ml.trainer.callbacks import ProgressBars


class Bar:
    """Records what a bar of tqdm is told."""

    def __init__(self, total, initial=0, desc="", **options):
        self.total, self.n, self.description = total, initial, desc
        self.options, self.shown, self.closed = options, {}, False

    def update(self, steps):
        self.n += steps

    def set_postfix(self, shown):
        self.shown = dict(shown)

    def close(self):
        self.closed = True


@pytest.fixture
def made(monkeypatch):
    made = []
    monkeypatch.setattr(
        callbacks, "progress_bar", lambda **options: made.append(Bar(**options)) or made[-1]
    )
    return made


@pytest.fixture
def tell(tmp_path):
    """Tell the callback of an event, at a step of twenty."""
    bars, args = ProgressBars("evaluate"), TrainingArguments(output_dir=str(tmp_path))

    def event(name, step=0, first_process=True, chosen_by=None, **more):
        args.metric_for_best_model = chosen_by
        state = TrainerState(max_steps=20, global_step=step, is_world_process_zero=first_process)
        getattr(bars, name)(args, state, TrainerControl(), **more)

    return event


def test_a_resumed_training_continues_its_bar(made, tell):
    tell("on_train_begin", 8)
    tell("on_step_end", 9)
    tell("on_step_end", 12)
    (bar,) = made
    assert (bar.description, bar.total, bar.n) == ("train", 20, 12)
    tell("on_train_end", 20)
    assert bar.closed


def test_the_bar_keeps_the_last_evaluation_beside_the_newest_loss(made, tell, capsys):
    tell("on_train_begin")
    tell("on_log", logs={"loss": 0.51239, "learning_rate": 1e-3})
    tell("on_log", logs={"eval_loss": 0.25, "eval_runtime": 3.0})
    tell("on_log", logs={"loss": 0.125})
    tell("on_log", logs=None)
    assert made[0].shown == {"loss": "0.125", "eval_loss": "0.25"}
    assert capsys.readouterr().out == ""


def test_the_metric_that_chooses_the_model_is_first(made, tell):
    tell("on_train_begin", chosen_by="mae")
    tell("on_log", logs={"loss": 0.5, "eval_loss": 0.25, "eval_f1_macro": 0.75, "eval_mae": 1.5})
    assert list(made[0].shown.items()) == [
        ("mae", "1.5"),
        ("f1_macro", "0.75"),
        ("loss", "0.5"),
        ("eval_loss", "0.25"),
    ]
    tell("on_log", logs={"eval_mae": "not a number"})
    assert made[0].shown["mae"] == "1.5"


def test_each_evaluation_has_its_bar_which_stays_only_without_a_training(made, tell):
    batches = [SimpleNamespace()] * 3
    for end in ("on_evaluate", "on_predict"):
        for _ in batches:
            tell("on_prediction_step", eval_dataloader=batches)
        tell(end)
    tell("on_train_begin")
    tell("on_prediction_step", eval_dataloader=batches)
    first, second, training, inside = made
    assert [(bar.description, bar.total, bar.n) for bar in (first, second)] == [
        ("evaluate", 3, 3)
    ] * 2
    assert first.closed
    assert second.closed
    assert not training.closed
    assert [bar.options["leave"] for bar in (first, second, inside)] == [True, True, False]


def test_other_processes_show_nothing(made, tell):
    tell("on_train_begin", first_process=False)
    tell("on_step_end", 1, first_process=False)
    tell("on_log", first_process=False, logs={"loss": 1.0})
    tell("on_prediction_step", first_process=False, eval_dataloader=[1])
    tell("on_evaluate", first_process=False)
    tell("on_train_end", first_process=False)
    assert made == []
