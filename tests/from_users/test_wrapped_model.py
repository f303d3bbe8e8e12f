"""A user wrapped the model (LoRA): train(overwrite=True) replaced a good run with an unreadable one."""

from pathlib import Path

import peft
import pytest
import torch

from clx.errors import ClxError, ModelError
from clx.ml import training_run
from clx_tasks_classification import ClassificationRun

FAST = {"max_steps": 3, "learning_rate": 1e-3, "disable_tqdm": True}


class Adapted(torch.nn.Module):
    """Saves only its own weights, as a model of peft does."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.adapter = torch.nn.Linear(1, 1)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def forward(self, **inputs):
        return self.model(**inputs)

    def save_pretrained(self, folder, **kwargs):
        from safetensors.torch import save_file

        Path(folder).mkdir()
        save_file(self.adapter.state_dict(), Path(folder) / "adapter_model.safetensors")
        (Path(folder) / "adapter_config.json").write_text("{}")


class Parallel(torch.nn.DataParallel):
    """Delegates to the model, as a compiled model does, and saves the whole model."""

    @property
    def config(self):
        return self.module.config

    @property
    def device(self):
        return self.module.device

    def get_input_embeddings(self):
        return self.module.get_input_embeddings()

    def save_pretrained(self, folder, **kwargs):
        self.module.save_pretrained(folder, **kwargs)


def wrapping(wrap):
    class Wrapped(ClassificationRun):
        name = "classification"
        pooling = "model"

        def load_model(self, model_name=None):
            return wrap(super().load_model(model_name))

    return Wrapped


class Forgetful(ClassificationRun):
    """Keeps what its load_model needs in memory only."""

    name = "classification"

    def infer_config(self, train_data):
        super().infer_config(train_data)
        self.seen = len(train_data)

    def load_model(self, model_name=None):
        assert self.seen
        return super().load_model(model_name)


class OtherEachTime(ClassificationRun):
    """Changes the weights after loading: the opened model is another one than the trained model."""

    name = "classification"

    def load_model(self, model_name=None):
        model = super().load_model(model_name)
        with torch.no_grad():
            model.get_input_embeddings().weight.mul_(1.5)
        return model


class StrictOptions(ClassificationRun):
    """Its __init__ does not take what the config holds."""

    name = "classification"
    add_config_attrs = [*ClassificationRun.add_config_attrs, "bounds"]

    def __init__(self, run_name=None, *, bounds=(0, 1), **options):
        super().__init__(run_name, **options)
        if not isinstance(bounds, tuple):
            raise TypeError("bounds must be a tuple")
        self.bounds = bounds


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (wrapping(Adapted), "adapter"),
        (wrapping(Parallel), "lacks the weights"),
        (Forgetful, "seen"),
        (OtherEachTime, r"have other values"),
        (StrictOptions, "bounds must be a tuple"),
    ],
    ids=["adapter", "parallel", "forgetful", "other weights", "options"],
)
def test_the_good_run_stays_and_the_new_one_is_kept_apart(trained, tiny_model, fruit, task, said):
    before = files(trained)
    run = task(
        "trained", run_dir_parent=trained.parent, base_model_name=tiny_model, training_args=FAST
    )
    with pytest.raises(ClxError, match=said) as caught:
        run.train(fruit, overwrite=True, fine_tune=task is not Forgetful)

    assert isinstance(caught.value, ModelError)
    message = str(caught.value)
    assert f"The earlier run in {trained} is unchanged" in message
    kept = trained.with_name(".trained.rejected")
    assert str(kept) in message
    assert (kept / "model").is_dir()
    assert files(trained) == before
    assert training_run(load=trained).predict_labels(["a cat"]) == ["animal"]


class Bare(torch.nn.Module):
    """A wrapper without a way to be saved."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.config = model.config

    def forward(self, **inputs):
        return self.model(**inputs)


def marked(model):
    """Return a model with an adapter as ``model.add_adapter(...)`` leaves it."""
    model.peft_config = {"default": "LoraConfig"}
    return model


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        (Bare, "returned a Bare, which has no save_pretrained"),
        (torch.nn.DataParallel, "returned a DataParallel, which has no save_pretrained"),
        (
            lambda model: torch.compile(model, backend="eager"),
            "returned a OptimizedModule, which has no save_pretrained",
        ),
        (marked, "saves only its adapter.*merge_and_unload"),
    ],
    ids=["bare", "parallel", "compiled", "adapter"],
)
def test_a_model_that_cannot_be_saved_is_refused_before_it_is_trained(
    tiny_model, fruit, wrap, said
):
    run = wrapping(wrap)("new", base_model_name=tiny_model, training_args=FAST)
    with pytest.raises(ModelError, match=said):
        run.train(fruit)
    assert not run.run_dir.exists()


# PEFT 0.21 asks a model of transformers 5.23 for an attribute under its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_a_model_of_peft_is_refused(tiny_model, fruit):
    lora = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"])
    task = wrapping(lambda model: peft.get_peft_model(model, lora))
    run = task("new", base_model_name=tiny_model, training_args=FAST)
    with pytest.raises(ModelError, match=r"saves only its adapter.*the option lora"):
        run.train(fruit)
    assert not run.run_dir.exists()


def test_a_model_with_an_adapter_inside_is_refused(tiny_model, fruit):
    def adapted(model):
        lora = peft.LoraConfig(target_modules=["query", "value"])
        return peft.inject_adapter_in_model(lora, model)

    run = wrapping(adapted)("new", base_model_name=tiny_model, training_args=FAST)
    with pytest.raises(ModelError, match=r"saves only its adapter.*the option lora"):
        run.train(fruit)
    assert not run.run_dir.exists()


def test_what_was_kept_apart_goes_when_a_training_succeeds(tiny_model, fruit, tmp_path):
    options = {"run_dir_parent": tmp_path, "base_model_name": tiny_model, "training_args": FAST}
    with pytest.raises(ModelError, match=r"in .*\.new\.rejected until"):
        Forgetful("new", **options).train(fruit)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ClxError):
        training_run(load=tmp_path / ".new.rejected")
    ClassificationRun("new", **options).train(fruit)
    assert [path.name for path in tmp_path.iterdir() if "rejected" in path.name] == []
