"""Every field of ``TrainingArguments``: a training with it succeeds, or construction refuses it.

A field that a new transformers adds fails ``test_somebody_decided_on_every_field``. Try it in a training
with eval data, then put it into one of the tables.
"""

import dataclasses

import pytest
from transformers import TrainingArguments

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.task.training_args import check_training_args
from conftest import fruit_frame

REFUSED = {
    "output_dir": "elsewhere",
    "hub_token": "hf_x",
    "resume_from_checkpoint": "x",
    "push_to_hub": True,
    "label_names": ["fruit", "animal"],
    "include_for_metrics": ["inputs"],
    "eval_do_concat_batches": False,
    "batch_eval_metrics": True,
    "prediction_loss_only": True,
    "fsdp": "full_shard",
    "deepspeed": {"zero_optimization": {"stage": 2}},
    "parallelism_config": {"tp_size": 2},
    "debug": "underflow_overflow",
    "ddp_backend": "gloo",
}

# They change nothing in a training in one process on a CPU, or other tests train with them.
CONSTRUCTED = {
    "run_name": "a name",
    "project": "a project",
    "trackio_space_id": "a/b",
    "trackio_bucket_id": "a/b",
    "trackio_static_space_id": "a/b",
    "hub_model_id": "a/b",
    "hub_strategy": "end",
    "hub_private_repo": True,
    "hub_always_push": True,
    "hub_revision": "main",
    "ddp_find_unused_parameters": True,
    "ddp_bucket_cap_mb": 10,
    "ddp_broadcast_buffers": True,
    "ddp_static_graph": True,
    "ddp_timeout": 100,
    "fsdp_config": {"min_num_params": 1},
    "local_rank": 0,
    "log_on_each_node": False,
    "save_on_each_node": True,
    "log_level_replica": "error",
    "do_train": True,
    "do_eval": True,
    "do_predict": True,
    "liger_kernel_config": {"rope": True},
    "tf32": False,
    "fp16_full_eval": True,
    "bf16_full_eval": True,
    "fp16": True,
    # It compiles for half a minute.
    "torch_compile": True,
    "torch_compile_backend": "eager",
    "torch_compile_mode": "default",
    # The names of before 5.20, whose use warns.
    "gradient_checkpointing": True,
    "gradient_checkpointing_kwargs": {"use_reentrant": False},
    # It is for optimizers of other packages.
    "optim_target_modules": "all-linear",
    "report_to": "all",
    # It installs a handler of SIGTERM.
    "enable_jit_checkpoint": True,
}
NEEDS_A_PACKAGE = {"use_liger_kernel": True}

EPOCHS = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 3,
    "per_device_eval_batch_size": 3,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine_with_restarts",
    "lr_scheduler_kwargs": {"num_cycles": 2},
    "warmup_steps": 0.1,
    "optim": "adafactor",
    "optim_args": "clip_threshold=0.9",
    "weight_decay": 0.1,
    "max_grad_norm": 0.5,
    "label_smoothing_factor": 0.1,
    "activation_checkpointing": True,
    "activation_checkpointing_kwargs": {"use_reentrant": False},
    "neftune_noise_alpha": 5.0,
    "use_cache": True,
    "logging_strategy": "epoch",
    "logging_first_step": True,
    "logging_nan_inf_filter": False,
    "include_num_input_tokens_seen": "all",
    "eval_strategy": "epoch",
    "eval_on_start": True,
    "eval_use_gather_object": True,
    "eval_accumulation_steps": 1,
    "save_strategy": "epoch",
    "save_total_limit": 2,
    "save_only_model": True,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_ece",
    "greater_is_better": False,
    "ignore_data_skip": True,
    "restore_callback_states_from_checkpoint": True,
    "seed": 3,
    "data_seed": 4,
    "use_cpu": True,
    "dataloader_drop_last": True,
    "dataloader_pin_memory": False,
    "dataloader_in_order": False,
    "remove_unused_columns": False,
    "train_sampling_strategy": "sequential",
    "length_column_name": "size",
    "average_tokens_across_devices": False,
    "skip_memory_metrics": False,
    "disable_tqdm": True,
    "log_level": "error",
    "accelerator_config": {"dispatch_batches": False, "even_batches": False},
}
STEPS = {
    "max_steps": 4,
    "adam_beta1": 0.8,
    "adam_beta2": 0.9,
    "adam_epsilon": 1e-7,
    "bf16": True,
    "auto_find_batch_size": True,
    "torch_empty_cache_steps": 1,
    "full_determinism": True,
    "logging_steps": 0.5,
    "eval_steps": 2,
    "eval_delay": 1,
    "save_steps": 4,
    "dataloader_num_workers": 1,
    "dataloader_persistent_workers": True,
    "dataloader_prefetch_factor": 2,
    "dataloader_multiprocessing_context": "fork",
    # Again, to go with the others.
    "lr_scheduler_type": "reduce_lr_on_plateau",
    "eval_strategy": "steps",
    "disable_tqdm": True,
}
TABLES = (REFUSED, CONSTRUCTED, NEEDS_A_PACKAGE, EPOCHS, STEPS)
FIELDS = {field.name for field in dataclasses.fields(TrainingArguments) if field.init}


def test_somebody_decided_on_every_field():
    decided = {name for table in TABLES for name in table}
    assert decided ^ FIELDS == set()
    assert len(FIELDS) == 114


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_when_the_run_is_made(name):
    with pytest.raises(ConfigError, match=f"training_args: {name} "):
        training_run("classification", "x", training_args={name: REFUSED[name]})


def test_it_is_accepted():
    accepted = [
        name for name in CONSTRUCTED if not check_training_args({name: CONSTRUCTED[name]})[1]
    ]
    assert accepted == list(CONSTRUCTED)


def test_it_needs_a_package():
    from transformers.utils import is_liger_kernel_available

    problems = check_training_args(NEEDS_A_PACKAGE)[1]
    assert bool(problems) is not is_liger_kernel_available()


@pytest.mark.parametrize("arguments", [EPOCHS, STEPS], ids=["epochs", "steps"])
def test_a_training_with_it_ends_well(arguments, tiny_model):
    options = {"base_model_name": tiny_model, "head_init": "random", "label_texts": None}
    run = training_run("classification", "swept", training_args=arguments, **options)
    result = run.train(fruit_frame(10), fruit_frame(8))
    assert result.steps > 1
    assert 0 <= result.metrics["accuracy"] <= 1
    assert run.config["training_args"] == arguments


# ---- Values that fail only when the Trainer is made, or later ----------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"include_inputs_for_metrics": True}, "include_for_metrics"),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "num_decay_steps"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "min_lr"),
        ({"lr_scheduler_kwargs": {"num_cycle": 2}}, "num_cycle"),
        (
            {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"num_cycles": "x"}},
            "lr_scheduler_kwargs",
        ),
        ({"optim": "adamw_anyprecision"}, "torchdistx"),
        ({"optim": "galore_adamw", "optim_target_modules": "all-linear"}, "galore"),
        ({"optim_args": "clip"}, "optim_args"),
        ({"report_to": "tensorbord"}, "did you mean 'tensorboard'"),
        (
            {"activation_checkpointing_kwargs": {"use_reentran": True}},
            "did you mean 'use_reentrant'",
        ),
        ({"gradient_checkpointing_kwargs": {"x": True}}, "'x'"),
        ({"accelerator_config": {"split_batch": True}}, "split_batch"),
        ({"accelerator_config": {"gradient_accumulation_kwargs": {"x": 1}}}, "'x'"),
        ({"accelerator_config": {"gradient_accumulation_kwargs": {"num_steps": 2}}}, "num_steps"),
        ({"accelerator_config": "missing.json"}, "missing.json"),
        ({"torch_compile_backend": "inducto"}, "inducto"),
        ({"torch_compile_mode": "fast"}, "fast"),
        ({"dataloader_multiprocessing_context": "thread"}, "spawn"),
        ({"train_sampling_strategy": "grouped"}, "group_by_length"),
        ({"log_level": "loud"}, "log_level must be one of"),
        ({"debug": "tpu_metrics_debug"}, "torch_xla"),
    ],
)
def test_what_the_trainer_would_notice_late_is_refused_when_the_run_is_made(arguments, said):
    if "dataloader_multiprocessing_context" in arguments:
        arguments = {**arguments, "dataloader_num_workers": 1}
    with pytest.raises(ConfigError) as caught:
        training_run("classification", "x", training_args=arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 5}},
        {"lr_scheduler_type": "constant"},
        {"optim": "sgd", "optim_args": "momentum=0.9"},
        {"report_to": "none"},
        {"report_to": None},
        {"include_for_metrics": []},
        {"label_names": None},
        {"fsdp": ""},
        {"include_inputs_for_metrics": False},
        {"accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": True}}},
    ],
)
def test_what_is_right_or_off_is_accepted(arguments):
    assert check_training_args(arguments)[1] == []


class NeedsAnArgument:
    def __init__(self, folder): ...


@pytest.mark.parametrize("callbacks", [["x"], "x", [5], 5, {"a": 1}])
def test_callbacks_that_are_none_are_refused_before_the_data_is_read(callbacks, tiny_model):
    run = training_run("classification", "x", base_model_name=tiny_model)
    with pytest.raises(ConfigError, match="is not a"):
        run.train("no-such-file.csv", callbacks=callbacks)


def test_a_callback_class_that_needs_arguments_is_refused_too(tiny_model):
    from transformers import TrainerCallback

    kind = type("NeedsAFolder", (NeedsAnArgument, TrainerCallback), {})
    run = training_run("classification", "x", base_model_name=tiny_model)
    with pytest.raises(ConfigError, match="NeedsAFolder needs arguments"):
        run.train("no-such-file.csv", callbacks=[kind])
