"""``gradient_checkpointing`` is ``activation_checkpointing`` in newer versions of transformers."""

import pytest

from clx.errors import ConfigError, OutOfMemoryError
from clx.ml import training_run
from clx.ml.machine.memory import memory_for_training
from clx.ml.selection import tune_names
from clx.ml.task import training_args
from conftest import fruit_frame

OLD, NEW = "gradient_checkpointing", "activation_checkpointing"
HOW = {"use_reentrant": False}


@pytest.fixture(params=[(OLD,), (NEW,), (OLD, NEW)], ids="+".join)
def version(request, monkeypatch):
    """Versions of transformers that have one of the names, or both; return the one to use."""
    fields = training_args.argument_fields()
    for name in {OLD, NEW} - set(request.param):
        for each in (name, f"{name}_kwargs"):
            fields.pop(each, None)
    for name in request.param:
        if name not in fields:
            pytest.skip(f"the installed transformers has no {name}")
    for module in (training_args, tune_names):
        monkeypatch.setattr(module, "argument_fields", lambda *_: fields)
    return request.param[-1]


# The installed version warns of the old name, which an earlier one must be given.
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("given", [OLD, NEW])
def test_either_name_trains_with_every_version(tiny_model, version, given):
    arguments = {given: True, f"{given}_kwargs": HOW, "max_steps": 1, "disable_tqdm": True}
    run = training_run("classification", base_model_name=tiny_model, training_args=arguments)
    assert {name for name in run.training_args if "checkpointing" in name} == {
        version,
        f"{version}_kwargs",
    }
    seen = []
    run._clx_state.made_with = {**run._clx_state.made_with, "training_args": arguments}
    run.train(fruit_frame(8), callbacks=[_Seen(seen)])
    assert seen == [True]


def _Seen(seen):
    from transformers import TrainerCallback

    class Seen(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            name = next(n for n in ("is_activation_checkpointing", OLD) if hasattr(model, n))
            seen.append(bool(getattr(model, name)))

    return Seen()


def test_both_names(version):
    arguments, problems = training_args.check_training_args({OLD: True, NEW: True})
    assert (arguments, problems) == ({version: True}, [])
    # Off is what programs that list all arguments give for the name that they do not use.
    assert training_args.check_training_args({OLD: False, NEW: True})[0] == {version: True}
    assert training_args.check_training_args({OLD: True, NEW: None})[0] == {version: True}
    with pytest.raises(ConfigError, match=f"{OLD} is the old name of {NEW}, which is given too"):
        training_run("classification", training_args={OLD: True, NEW: False})


def test_either_name_can_be_tuned(tiny_model, version):
    run = training_run("classification", base_model_name=tiny_model)
    for name in (OLD, NEW, f"training_args.{OLD}"):
        assert tune_names.plain_name(name) == version
        assert tune_names.name_problem(run, tune_names.plain_name(name)) is None


@pytest.mark.parametrize("given", [OLD, NEW])
def test_out_of_memory_does_not_advise_what_is_set(given):
    with pytest.raises(OutOfMemoryError) as error, memory_for_training({given: True}):
        raise MemoryError
    assert "checkpointing" not in str(error.value)
