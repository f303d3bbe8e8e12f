"""``training_args={"bf16": True}``, which a machine without a GPU takes too."""

import pytest
import torch
from transformers import TrainerCallback

from clx.ml import training_run
from clx.ml.machine.devices import trains_on_cpu


class Products(TrainerCallback):
    """Keeps the types of what the layers of a model that is trained return, and of its weights."""

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        self.weights = {weight.dtype for weight in model.parameters()}
        self.made = set()
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(lambda _, __, out: self.made.add(out.dtype))


@pytest.mark.parametrize("wanted", [True, False])
def test_bf16_multiplies_in_it_and_keeps_weights_and_scores_in_fp32(tiny_model, fruit, wanted):
    if torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        pytest.skip("this GPU has no bf16")
    products = Products()
    run = training_run(
        "classification",
        "precise",
        base_model_name=tiny_model,
        training_args={"bf16": wanted, "max_steps": 2, "disable_tqdm": True},
    )
    result = run.train(fruit, fruit, callbacks=[products])
    assert (torch.bfloat16 in products.made) == wanted
    assert products.weights == {torch.float32}
    assert {weight.dtype for weight in run.model.parameters()} == {torch.float32}
    # What was said of the model in memory holds for the one that is published.
    published = training_run(load=result.run_dir).evaluate(fruit).metrics["loss"]
    assert result.metrics["loss"] == pytest.approx(published, rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"device": "cpu"},
        {"device": "cpu:0"},
        {"device": "cpu", "training_args": {"use_cpu": False}},
    ],
)
def test_bf16_is_taken_where_the_training_is_on_a_cpu(monkeypatch, options):
    # As on a machine with an accelerator that has no bf16: what is asked there must not count.
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    given = {**options.pop("training_args", {}), "bf16": True}
    run = training_run("classification", "x", training_args=given, **options)
    assert run.config["training_args"] == given


@pytest.mark.parametrize(
    ("device", "arguments", "accelerator", "tpu", "expected"),
    [
        (None, {}, True, False, False),
        (None, {"use_cpu": True}, True, False, True),
        ("cpu:0", {}, True, True, True),
        ("cuda:1", {}, True, False, False),
        (None, {"use_cpu": False}, False, False, True),
        (None, {}, False, True, False),
    ],
)
def test_what_trains_on_a_cpu(monkeypatch, device, arguments, accelerator, tpu, expected):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator)
    monkeypatch.setattr("transformers.utils.is_torch_xla_available", lambda: tpu)
    assert trains_on_cpu(device, arguments) == expected
