"""An author's Trainer read the temperature of its loss from ``self.training_run``: AttributeError."""

import pytest
from transformers import Trainer

from clx.ml import task_registry, training_run
from clx_tasks_classification import ClassificationRun
from conftest import fruit_frame

QUIET = {"disable_tqdm": True, "max_steps": 2}
SEEN = []


class Scaled(Trainer):
    """Its loss is a multiple that the run says."""

    def __init__(self, *args, **kwargs):
        self.factor = self.training_run.factor
        super().__init__(*args, **kwargs)

    def compute_loss(self, model, inputs, *args, **kwargs):
        SEEN.append((self.training_run.run_name, self.is_in_train, self.factor))
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        return (loss[0] * self.factor, loss[1]) if isinstance(loss, tuple) else loss * self.factor


class ScaledRun(ClassificationRun):
    name = "scaled"
    aliases = ()
    add_config_attrs = [*ClassificationRun.add_config_attrs, "factor"]
    trainer_class = Scaled
    factor = 1.0


@pytest.fixture(autouse=True)
def registered():
    task_registry.register(ScaledRun)
    SEEN.clear()
    yield
    task_registry.unregister("scaled")


def make(tiny_model, **options):
    return training_run(
        "scaled", "s", base_model_name=str(tiny_model), head_init="random", **options
    )


def test_the_trainer_has_the_run_in_its_init_and_its_loss(tiny_model, fruit):
    run = make(tiny_model, factor=3.0, training_args=QUIET)
    metrics = run.train(fruit, fruit_frame(12)).metrics
    assert {(name, factor) for name, _, factor in SEEN} == {("s", 3.0)}
    assert {in_train for _, in_train, _ in SEEN} == {True, False}
    SEEN.clear()
    evaluated = training_run(load=run.run_dir).evaluate(fruit_frame(12)).metrics
    assert SEEN
    assert evaluated["loss"] == pytest.approx(metrics["loss"], rel=1e-4)
    assert evaluated["loss"] == pytest.approx(3 * evaluated["log_loss"], rel=1e-3)


def test_so_has_the_trainer_of_a_fold(tiny_model, fruit):
    make(tiny_model, factor=2.0, training_args=QUIET).cross_validate(fruit, folds=2)
    assert {factor for _, _, factor in SEEN} == {2.0}


def test_so_has_that_of_a_resumed_training(tiny_model, fruit):
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise KeyboardInterrupt

    args = {"disable_tqdm": True, "max_steps": 3, "save_strategy": "steps", "save_steps": 1}
    run = make(tiny_model, factor=4.0, training_args=args)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, callbacks=[Stop])
    SEEN.clear()
    assert run.train(fruit, resume=True).steps == 3
    assert {factor for _, _, factor in SEEN} == {4.0}
