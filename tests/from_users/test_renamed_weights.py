"""A user resumed the training of an ESM: its layer norms were silently those of the base model."""

import pytest
from transformers import TrainerCallback

from architectures import STEPS, Subject, difference
from zoo import NARROW, Architecture

ESM = Architecture("esm", "wordpiece", {**NARROW, "num_hidden_layers": 1})
# A high learning rate, so that a step of the layer norms shows in the scores.
ARGUMENTS = {**STEPS, "learning_rate": 0.05, "save_strategy": "steps", "save_steps": 1}


class Stop(TrainerCallback):
    """Breaks a training off after its second step."""

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 2:
            raise KeyboardInterrupt


class Spoil(TrainerCallback):
    """Makes every step after the first one worse."""

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step > 1:
            for name, weight in model.named_parameters():
                if "LayerNorm" in name:
                    weight.data.mul_(-5)
                if name == "classifier.out_proj.weight":
                    weight.data.mul_(100)


def test_a_resumed_training_is_the_same(tmp_path):
    subject = Subject(ESM, tmp_path)
    whole = subject.run("whole", training_args=ARGUMENTS)
    whole.train(subject.data)
    resumed = subject.run("resumed", training_args=ARGUMENTS)
    with pytest.raises(KeyboardInterrupt):
        resumed.train(subject.data, callbacks=[Stop])
    resumed.train(subject.data, resume=True)
    assert difference(resumed.predict(subject.texts), whole.predict(subject.texts)) < 1e-5


def test_the_best_checkpoint_is_what_is_published(tmp_path):
    subject = Subject(ESM, tmp_path)
    arguments = {
        **ARGUMENTS,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "load_best_model_at_end": True,
    }
    arguments |= {"metric_for_best_model": "eval_loss", "greater_is_better": False}
    run = subject.run("best", training_args=arguments, head_init="random", calibrate=False)
    result = run.train(subject.data, subject.data, callbacks=[Spoil])
    logged = [line["eval_loss"] for line in _logs(run) if "eval_loss" in line]
    assert min(logged) == logged[0] < max(logged)
    assert result.metrics["loss"] == pytest.approx(logged[0], abs=1e-4)


def _logs(run):
    import json

    lines = (run.run_dir / "logs" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
