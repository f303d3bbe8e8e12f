"""Names of ``TrainingArguments`` that transformers dropped or renamed: translated or ignored."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from clx.errors import ClxWarning
from clx_runtime.callers import user_level

IGNORED = frozenset(
    {
        "_n_gpu",
        "fp16_backend",
        "fp16_opt_level",
        "fsdp_min_num_params",
        "fsdp_transformer_layer_cls_to_wrap",
        "half_precision_backend",
        "jit_mode_eval",
        "logging_dir",
        "mp_parameters",
        "overwrite_output_dir",
        "past_index",
        "push_to_hub_model_id",
        "push_to_hub_organization",
        "push_to_hub_token",
        "ray_scope",
        "save_safetensors",
        "tpu_metrics_debug",
        "tpu_num_cores",
        "use_ipex",
        "use_legacy_prediction_loop",
        "use_mps_device",
    }
)
"""Arguments without a meaning today; ``overwrite_output_dir`` is ``train(overwrite=True)``."""

RENAMED: Mapping[str, tuple[str, Callable[[Any], Any] | None]] = {
    "evaluation_strategy": ("eval_strategy", None),
    "per_gpu_train_batch_size": ("per_device_train_batch_size", None),
    "per_gpu_eval_batch_size": ("per_device_eval_batch_size", None),
    "no_cuda": ("use_cpu", None),
    "warmup_ratio": ("warmup_steps", None),
    "torchdynamo": ("torch_compile_backend", None),
    "group_by_length": (
        "train_sampling_strategy",
        lambda wanted: "group_by_length" if wanted else "random",
    ),
    "adafactor": ("optim", lambda wanted: "adafactor" if wanted else "adamw_torch_fused"),
    "include_inputs_for_metrics": (
        "include_for_metrics",
        lambda wanted: ["inputs"] if wanted else [],
    ),
    "include_tokens_per_second": (
        "include_num_input_tokens_seen",
        lambda wanted: "non_padding" if wanted else "no",
    ),
}
"""Old name → new name, and how the value changes.

transformers 5 reads a ``warmup_steps`` below 1 as a ratio, which is what ``warmup_ratio`` was."""


PAIRS: Mapping[str, str] = {
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
}
"""Old name → new name of arguments that transformers 5 renamed along the way.

Some versions have one of the names, and some have both."""


def name_today(name: str, known: Collection[str]) -> str:
    """Return the name that the installed transformers prefers for an argument.

    Args:
        name: either name of a renamed argument, or any other name.
        known: the names of the installed ``TrainingArguments``.
    """
    for pair in PAIRS.items():
        if name in pair:
            return next((each for each in reversed(pair) if each in known), name)
    return name


def translate(
    arguments: Mapping[str, Any], known: Collection[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return ``arguments`` under today's names, and the problems found, as sentences.

    A value without an effect (None, or False for a removed switch) is dropped. A
    :class:`ClxWarning` lists the ignored names.

    Args:
        arguments: the arguments under old or new names.
        known: the names of the installed ``TrainingArguments``.
    """
    arguments, problems = _with_one_name(arguments, known)
    translated: dict[str, Any] = {}
    ignored = sorted(set(arguments) & IGNORED)
    if ignored:
        warnings.warn(
            f"training_args: transformers 5 no longer has {', '.join(ignored)}; ignored",
            ClxWarning,
            stacklevel=user_level(),
        )
    for name, value in arguments.items():
        if name in IGNORED or (name == "report_to" and value is None):
            # In 4.57, None was the default of report_to.
            continue
        if name not in RENAMED:
            translated[name] = value
            continue
        new, change = RENAMED[name]
        if value is None:
            continue
        if name == "warmup_ratio" and not _is_ratio(value):
            problems.append(f"warmup_ratio must be from 0 to below 1, but is {value!r}")
            continue
        today = change(value) if change else value
        if new not in arguments:
            translated[new] = today
        # An old name that is off (or 0) is a default of 4.57 and does not conflict with the new name.
        elif value != 0 and arguments[new] != today:
            problems.append(
                f"{name} is the old name of {new}, which is given too: keep one of them"
            )
    return translated, problems


def _with_one_name(
    arguments: Mapping[str, Any], known: Collection[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return arguments with one name for each of :data:`PAIRS`, and the problems."""
    left, problems = dict(arguments), []
    for old, new in PAIRS.items():
        if old not in left or new not in left:
            continue
        # The old name beside the new one has no effect if it is off, and None is not a choice.
        if left[new] is None or not left[old] or left[old] == left[new]:
            left[new] = left.pop(old) if left[new] is None else left[new]
            left.pop(old, None)
        else:
            problems.append(f"{old} is the old name of {new}, which is given too: keep one of them")
    return {name_today(name, known): value for name, value in left.items()}, problems


def _is_ratio(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1
