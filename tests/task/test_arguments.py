"""``training_args``: names of transformers 4.57, wrong names and values, and what clx chooses."""

import itertools
import json

import numpy as np
import pytest
from transformers import TrainingArguments

from clx.errors import ClxWarning, ConfigError
from clx.ml import training_run
from clx.ml.task.legacy_names import IGNORED, RENAMED
from clx.ml.task.training_args import check_training_args
from clx.ml.training.defaults import Setting, choose_arguments

# The fields of transformers.TrainingArguments in 4.57.6, frozen.
NAMES_4_57 = """
output_dir overwrite_output_dir do_train do_eval do_predict eval_strategy prediction_loss_only
per_device_train_batch_size per_device_eval_batch_size per_gpu_train_batch_size
per_gpu_eval_batch_size gradient_accumulation_steps eval_accumulation_steps eval_delay
torch_empty_cache_steps learning_rate weight_decay adam_beta1 adam_beta2 adam_epsilon max_grad_norm
num_train_epochs max_steps lr_scheduler_type lr_scheduler_kwargs warmup_ratio warmup_steps log_level
log_level_replica log_on_each_node logging_dir logging_strategy logging_first_step logging_steps
logging_nan_inf_filter save_strategy save_steps save_total_limit save_safetensors
save_on_each_node save_only_model restore_callback_states_from_checkpoint no_cuda use_cpu
use_mps_device seed data_seed jit_mode_eval bf16 fp16 fp16_opt_level half_precision_backend
bf16_full_eval fp16_full_eval tf32 local_rank ddp_backend tpu_num_cores tpu_metrics_debug debug
dataloader_drop_last eval_steps dataloader_num_workers dataloader_prefetch_factor past_index run_name
disable_tqdm remove_unused_columns label_names load_best_model_at_end metric_for_best_model
greater_is_better ignore_data_skip fsdp fsdp_min_num_params fsdp_config
fsdp_transformer_layer_cls_to_wrap accelerator_config parallelism_config deepspeed
label_smoothing_factor optim optim_args adafactor group_by_length length_column_name report_to
project trackio_space_id ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers
dataloader_pin_memory dataloader_persistent_workers skip_memory_metrics use_legacy_prediction_loop
push_to_hub resume_from_checkpoint hub_model_id hub_strategy hub_token hub_private_repo
hub_always_push hub_revision gradient_checkpointing gradient_checkpointing_kwargs
include_inputs_for_metrics include_for_metrics eval_do_concat_batches fp16_backend
push_to_hub_model_id push_to_hub_organization push_to_hub_token _n_gpu mp_parameters
auto_find_batch_size full_determinism torchdynamo ray_scope ddp_timeout torch_compile
torch_compile_backend torch_compile_mode include_tokens_per_second include_num_input_tokens_seen
neftune_noise_alpha optim_target_modules batch_eval_metrics eval_on_start use_liger_kernel
liger_kernel_config eval_use_gather_object average_tokens_across_devices
""".split()

# What 5 calls differently: the value that a program of 4.57 gives, and what becomes of it.
TRANSLATED = {
    "per_gpu_train_batch_size": (8, {"per_device_train_batch_size": 8}),
    "per_gpu_eval_batch_size": (8, {"per_device_eval_batch_size": 8}),
    "warmup_ratio": (0.1, {"warmup_steps": 0.1}),
    "no_cuda": (True, {"use_cpu": True}),
    "adafactor": (True, {"optim": "adafactor"}),
    "group_by_length": (True, {"train_sampling_strategy": "group_by_length"}),
    "include_inputs_for_metrics": (True, {"include_for_metrics": ["inputs"]}),
    "include_tokens_per_second": (True, {"include_num_input_tokens_seen": "non_padding"}),
    "torchdynamo": ("inductor", {"torch_compile_backend": "inductor"}),
}
OFF_4_57 = {"warmup_ratio": 0.0, "torchdynamo": None}
OFF_4_57 |= {"per_gpu_train_batch_size": None, "per_gpu_eval_batch_size": None}
TODAY = {field.name: field for field in TrainingArguments.__dataclass_fields__.values()}
GONE = [name for name in NAMES_4_57 if name not in TODAY]


def today_default(name):
    field = TODAY[name]
    return field.default_factory() if callable(field.default_factory) else field.default


# ---- Names -------------------------------------------------------------------------------------------


def test_the_frozen_list_is_complete_and_every_name_is_somewhere():
    assert len(set(NAMES_4_57)) == len(NAMES_4_57) == 133
    assert set(GONE) <= set(TRANSLATED) | IGNORED
    assert set(TRANSLATED) <= set(RENAMED)
    assert not IGNORED & set(RENAMED)
    assert not IGNORED & set(TODAY)
    assert len(GONE) > 20


@pytest.mark.parametrize("name", sorted(set(NAMES_4_57) - {"output_dir"}))
@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_every_name_of_4_57_is_accepted_with_its_default(name):
    default = OFF_4_57.get(name, False) if name in GONE else today_default(name)
    arguments, problems = check_training_args({name: default})
    assert problems == []
    assert set(arguments) <= set(TODAY)


# Their new names must keep their defaults.
REFUSED = {"include_inputs_for_metrics"}


@pytest.mark.parametrize("name", sorted(set(TRANSLATED) - REFUSED))
def test_renamed_arguments_are_translated(name):
    value, expected = TRANSLATED[name]
    assert check_training_args({name: value}) == (expected, [])
    TrainingArguments(output_dir="unused", **expected)


@pytest.mark.parametrize("name", sorted(set(TRANSLATED) - REFUSED))
def test_what_was_off_by_default_may_stand_beside_its_new_name(name):
    # Programs that spell out all arguments of 4.57 give both.
    off = OFF_4_57.get(name, False)
    new, value = next(iter(TRANSLATED[name][1].items()))
    if name == "group_by_length":
        assert check_training_args({name: off}) == ({new: "random"}, [])
    else:
        assert check_training_args({name: off, new: value}) == ({new: value}, [])


def test_old_and_new_name_with_other_values_are_a_problem():
    for given in (
        {"warmup_ratio": 0.1, "warmup_steps": 50},
        {"per_gpu_train_batch_size": 4, "per_device_train_batch_size": 8},
        {"evaluation_strategy": "steps", "eval_strategy": "epoch"},
        {"adafactor": True, "optim": "sgd"},
    ):
        _, (problem,) = check_training_args(given)
        assert all(name in problem for name in given)


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_names_without_a_meaning_are_ignored_with_a_warning(name):
    with pytest.warns(ClxWarning, match=name):
        assert check_training_args({name: True, "seed": 3}) == ({"seed": 3}, [])


def test_names_of_before_4_57():
    arguments, problems = check_training_args({"evaluation_strategy": "steps", "eval_steps": 5})
    assert (arguments, problems) == ({"eval_strategy": "steps", "eval_steps": 5}, [])


@pytest.mark.parametrize("ratio", [1, 1.5, -0.1, "0.1", True, float("nan")])
def test_wrong_warmup_ratio(ratio):
    _, (problem,) = check_training_args({"warmup_ratio": ratio})
    assert "warmup_ratio" in problem


def test_warmup_ratio_is_a_ratio_of_the_steps():
    chosen = choose_arguments(check_training_args({"warmup_ratio": 0.25})[0], Setting(1000, False))
    arguments = TrainingArguments(output_dir="unused", **chosen)
    assert arguments.get_warmup_steps(400) == 100


@pytest.mark.parametrize("given", [{"warmup_ratio": 0.0}, {"warmup_steps": 0}])
def test_no_warm_up_is_none(given):
    chosen = choose_arguments(check_training_args(given)[0], Setting(1000, False))
    arguments = TrainingArguments(output_dir="unused", **chosen)
    assert arguments.get_warmup_steps(400) == 0


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("lerning_rate", "learning_rate"),
        ("num_train_epoch", "num_train_epochs"),
        ("Learning_Rate", "learning_rate"),
        ("weight-decay", "weight_decay"),
    ],
)
def test_unknown_names_have_the_closest_one(name, closest):
    _, (problem,) = check_training_args({name: 1})
    assert f"has no {name!r}; did you mean {closest!r}?" in problem


@pytest.mark.parametrize("name", ["zzzzzz", 5, None])
def test_unknown_names_without_a_closest_one(name):
    _, (problem,) = check_training_args({name: 1})
    assert repr(name) in problem
    assert "did you mean" not in problem


def test_output_dir_is_ours():
    _, (problem,) = check_training_args({"output_dir": "x"})
    assert "output_dir cannot be set" in problem
    assert "run_dir_parent" in problem


# ---- Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rate", -1e-5, "must not be negative"),
        ("learning_rate", "fast", "finite number"),
        ("learning_rate", float("nan"), "finite number"),
        ("learning_rate", float("inf"), "finite number"),
        ("learning_rate", True, "finite number"),
        ("learning_rate", None, "number"),
        ("learning_rate", [1e-5], "finite number"),
        ("num_train_epochs", "three", "finite number"),
        ("num_train_epochs", 0, "above 0"),
        ("num_train_epochs", -1, "above 0"),
        ("max_steps", 0, "at least 1, or -1"),
        ("max_steps", -2, "at least 1, or -1"),
        ("max_steps", 1.5, "whole number"),
        ("per_device_train_batch_size", 0, "at least 1"),
        ("per_device_train_batch_size", 1.5, "whole number"),
        ("per_device_train_batch_size", True, "whole number"),
        ("per_device_train_batch_size", "8", "whole number"),
        ("per_device_train_batch_size", None, "whole number"),
        ("gradient_accumulation_steps", 0, "at least 1"),
        ("save_total_limit", 0, "at least 1"),
        ("save_total_limit", 1.5, "whole number"),
        ("data_seed", 1.5, "whole number"),
        ("data_seed", -1, "negative"),
        ("seed", 1.5, "whole number"),
        ("seed", True, "whole number"),
        ("seed", -1, "negative"),
        ("weight_decay", -0.1, "negative"),
        ("warmup_steps", -1, "negative"),
        ("logging_steps", 0, "above 0"),
        ("eval_steps", -5, "above 0"),
        ("save_steps", 0, "above 0"),
        ("save_steps", "often", "finite number"),
        ("label_smoothing_factor", 1.0, "from 0 to below 1"),
        ("adam_beta1", 1.5, "from 0 to below 1"),
        ("adam_epsilon", 0, "above 0"),
        ("bf16", "yes", "true or false"),
        ("bf16", 1, "true or false"),
        ("eval_strategy", "sometimes", "sometimes"),
        ("lr_scheduler_type", "square", "square"),
        ("optim", "adamm", "adamm"),
    ],
)
def test_wrong_values(name, value, said):
    _, (problem,) = check_training_args({name: value})
    assert said in problem
    assert problem.startswith("training_args: ")
    if name not in ("eval_strategy", "lr_scheduler_type", "optim"):
        assert name in problem


@pytest.mark.parametrize(
    "given",
    [
        {"learning_rate": 0},
        {"learning_rate": 1},
        {"num_train_epochs": 3},
        {"num_train_epochs": 0.5},
        {"max_steps": -1},
        {"save_total_limit": None},
        {"eval_steps": 0.25, "eval_strategy": "steps"},
        {"warmup_steps": 0.1},
        {"seed": 0},
        {"report_to": []},
        {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"num_cycles": 2}},
    ],
)
def test_good_values(given):
    assert check_training_args(given) == (given, [])


def test_numpy_numbers_are_numbers_or_refused_never_kept_for_json_to_fail():
    arguments, problems = check_training_args({"learning_rate": np.float32(1e-4)})
    assert problems or isinstance(arguments["learning_rate"], float)


def test_several_problems_at_once_all_in_one_error():
    given = {"learning_rate": -1, "num_train_epochs": "three", "lerning": 1, "output_dir": "x"}
    assert len(check_training_args(given)[1]) == 4
    with pytest.raises(ConfigError) as caught:
        training_run("classification", "x", training_args=given, label_names=["a"])
    assert str(caught.value).count("\n  - ") == 5


@pytest.mark.parametrize("given", ["x", 5, [("seed", 1)], {"seed"}])
def test_training_args_must_be_a_dict(given):
    with pytest.raises(ConfigError, match="training_args must be a dict"):
        training_run("classification", "x", training_args=given)


@pytest.mark.parametrize("value", [{"labels"}, [object()], {"a": {1, 2}}])
def test_what_json_cannot_keep_is_refused_before_the_training(value):
    name = "lr_scheduler_kwargs" if isinstance(value, dict) else "label_names"
    with pytest.raises(ConfigError, match=name):
        training_run("classification", "x", training_args={name: value})


def test_translated_names_are_what_the_config_keeps():
    run = training_run("classification", "x", training_args={"warmup_ratio": 0.1, "no_cuda": True})
    assert run.config["training_args"] == {"warmup_steps": 0.1, "use_cpu": True}


# ---- What clx chooses --------------------------------------------------------------------------------

UNSET = object()
SETTINGS = {
    "eval_strategy": (UNSET, "no", "steps", "epoch"),
    "save_strategy": (UNSET, "no", "steps", "epoch", "best"),
    "eval_steps": (UNSET, 10, 7),
    "save_steps": (UNSET, 20, 0.2),
    "load_best_model_at_end": (UNSET, True, False),
    "logging_steps": (UNSET, 7),
}


def grid():
    for values in itertools.product(*SETTINGS.values()):
        given = dict(zip(SETTINGS, values, strict=True))
        yield {name: value for name, value in given.items() if value is not UNSET}


def test_choices_make_training_arguments_for_every_setting_that_is_accepted():
    tried, refused = 0, 0
    for user in grid():
        if check_training_args(user)[1]:
            refused += 1
            continue
        for rows, has_eval in itertools.product((3, 9999), (True, False)):
            asks = user.get("eval_strategy", "no") != "no" or user.get("load_best_model_at_end")
            if asks and not has_eval:
                with pytest.raises(ConfigError, match="got no eval_data"):
                    choose_arguments(user, Setting(rows, has_eval))
                continue
            chosen = choose_arguments(user, Setting(rows, has_eval))
            arguments = TrainingArguments(output_dir="unused", **chosen)
            tried += 1
            for name, value in user.items():
                assert chosen[name] == value or not has_eval, (user, chosen)
            if not has_eval:
                assert arguments.eval_strategy == "no"
    assert tried + refused > 2000
    assert refused < 300


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
@pytest.mark.parametrize("name", ["save_strategy", "eval_strategy"])
def test_one_strategy_is_taken_for_the_other_at_any_size(strategy, name):
    sizes = [1, 3, 17, 100, 999, 5485, 9999, 12345, 100_000]
    for rows in sizes:
        chosen = choose_arguments({name: strategy}, Setting(rows, has_eval=True))
        arguments = TrainingArguments(output_dir="unused", **chosen)
        assert arguments.eval_strategy == arguments.save_strategy == strategy
        assert arguments.load_best_model_at_end
    assert len(sizes) == 9


@pytest.mark.parametrize("rows", [3, 9999])
@pytest.mark.parametrize("user", [{"eval_steps": 10}, {"save_steps": 15}, {"logging_steps": 7}, {}])
def test_the_best_model_is_kept_when_the_user_did_not_say_otherwise(user, rows):
    chosen = choose_arguments(user, Setting(rows, has_eval=True))
    assert TrainingArguments(output_dir="unused", **chosen).load_best_model_at_end


def test_what_the_user_set_wins():
    user = {
        "learning_rate": 1.0,
        "num_train_epochs": 7,
        "per_device_train_batch_size": 3,
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "report_to": ["x"],
        "save_total_limit": 9,
    }
    chosen = choose_arguments(user, Setting(100, has_eval=False, hidden_size=384))
    assert user.items() <= chosen.items()


def test_evaluation_without_eval_data_is_a_config_error_that_lists_what_asks_for_it():
    with pytest.raises(ConfigError) as caught:
        choose_arguments(
            {"eval_strategy": "epoch", "load_best_model_at_end": True}, Setting(10, False)
        )
    assert "eval_strategy = 'epoch'" in str(caught.value)
    assert "load_best_model_at_end = True" in str(caught.value)
    assert "eval_data" in str(caught.value)
    for harmless in ({"eval_strategy": "no"}, {"load_best_model_at_end": False}):
        assert choose_arguments(harmless, Setting(10, False))["eval_strategy"] == "no"


def test_small_data_gets_enough_steps_and_few_evaluations():
    small = choose_arguments({}, Setting(rows=3, has_eval=True))
    assert small["num_train_epochs"] == 50
    assert small["eval_strategy"] == "steps"
    assert small["eval_steps"] == 7
    medium = choose_arguments({}, Setting(rows=10_000, has_eval=True))
    assert medium["num_train_epochs"] == 3
    assert medium["eval_strategy"] == "epoch"
    large = choose_arguments({}, Setting(rows=100_000, has_eval=True))
    assert large["num_train_epochs"] == 3
    assert large["eval_strategy"] == "steps"


def test_a_probe_needs_fewer_passes():
    assert choose_arguments({}, Setting(3, False, probe=True))["num_train_epochs"] == 15
    assert choose_arguments({}, Setting(320, False, probe=True))["num_train_epochs"] == 10
    assert choose_arguments({}, Setting(9999, False, probe=True))["num_train_epochs"] == 3


def test_the_metric_of_the_best_model_gives_way_to_the_users():
    chosen = choose_arguments({}, Setting(rows=100, has_eval=True, metric="f1_macro"))
    assert (chosen["metric_for_best_model"], chosen["greater_is_better"]) == ("f1_macro", True)
    user = {"metric_for_best_model": "accuracy"}
    chosen = choose_arguments(user, Setting(rows=100, has_eval=True, metric="f1_macro"))
    assert (chosen["metric_for_best_model"], chosen["greater_is_better"]) == ("accuracy", True)
    assert "metric_for_best_model" not in choose_arguments(
        {}, Setting(rows=100, has_eval=False, metric="x")
    )


@pytest.mark.parametrize(
    ("task", "head_init", "times"),
    [
        ("classification", "probe", 1),
        ("classification", "random", 2),
        ("multi-label-classification", "probe", 2),
        ("multi-label-classification", "random", 2),
    ],
)
def test_a_probe_of_one_label_a_row_is_trained_at_half_the_rate(
    tiny_model, fruit, task, head_init, times
):
    column = "label" if task == "classification" else "labels"
    data = fruit.rename(columns={"label": column})
    if column == "labels":
        data[column] = [[label] for label in data[column]]
    arguments = {"num_train_epochs": 1, "warmup_steps": 0, "logging_steps": 1, "disable_tqdm": True}
    options = {"base_model_name": tiny_model, "head_init": head_init, "training_args": arguments}
    run = training_run(task, "rate", **options)
    run.train(data)
    lines = (run.run_dir / "logs" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["learning_rate"] == times * 1e-4


def test_learning_rate_falls_with_the_width_of_the_model():
    sizes = [128, 384, 512, 768, 1024, 4096]
    rates = [choose_arguments({}, Setting(100, False, size))["learning_rate"] for size in sizes]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 3
    assert choose_arguments({}, Setting(100, False, None))["learning_rate"] == min(rates)
