"""Create the parts that the Trainer makes from ``training_args`` as soon as a run is created.

Otherwise, a missing package or a wrong keyword raises only after the data is tokenized and the
probe is fitted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.task.reporting import name_problems
from clx.problems import cell, did_you_mean

if TYPE_CHECKING:
    from transformers import TrainingArguments

CHECKPOINTING = ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs")
"""The new and the old name of one argument."""

STEPS = 1_000_000
"""The number of steps for which a schedule is tried if ``max_steps`` is not set."""

OF_THE_MODEL = ("galore", "apollo", "lomo")
"""Optimizers that look for their layers in the model, which is not loaded yet."""


def part_problems(args: TrainingArguments, given: Collection[str]) -> list[str]:
    """Return the problems of the Trainer's parts that the arguments describe, as sentences.

    Args:
        args: the arguments.
        given: the names of those that are not defaults.
    """
    problems = []
    for names, make in PARTS.items():
        used = [name for name in names if name in given]
        if not used:
            continue
        try:
            make(args)
        except Exception as error:
            what = ", ".join(f"{name} {cell(plain(getattr(args, name)))}" for name in used)
            problems.append(f"{what} cannot be used: {_line(error)}")
    return problems + (name_problems(args.report_to) if "report_to" in given else [])


def plain(value: Any) -> str:
    """Return a value, given as a str or as an enum of transformers, as a str."""
    return str(getattr(value, "value", value))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _optimizer(args: TrainingArguments) -> None:
    import torch
    from transformers import Trainer

    model: Any = torch.nn.Linear(1, 1)
    needs_model = any(name in plain(args.optim) for name in OF_THE_MODEL)
    try:
        kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
        if not needs_model:
            kind(model.parameters(), **options)
    except ValueError:
        if not (needs_model and args.optim_target_modules):
            raise


def _schedule(args: TrainingArguments) -> None:
    import torch
    from transformers import get_scheduler

    steps = args.max_steps if args.max_steps > 0 else STEPS
    schedule = get_scheduler(
        args.lr_scheduler_type,
        optimizer=torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=args.learning_rate),
        num_warmup_steps=args.get_warmup_steps(steps),
        num_training_steps=steps,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    for rate in getattr(schedule, "lr_lambdas", ()):
        for step in (0, steps // 2, steps - 1):
            float(rate(step))


def _checkpointing(args: TrainingArguments) -> None:
    from torch.utils.checkpoint import checkpoint

    # Some versions of transformers have one of the names, and some have both.
    given: dict[str, Any] = next(
        filter(None, (getattr(args, name, None) for name in CHECKPOINTING)), {}
    )
    parameters = inspect.signature(checkpoint).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    known += ["use_reentrant", "preserve_rng_state"]
    for name in given:
        if name not in known:
            raise TypeError(f"torch's checkpoint() has no {name!r}{did_you_mean(name, known)}")


def _accelerator(args: TrainingArguments) -> None:
    from accelerate.utils import GradientAccumulationPlugin

    given = dict(args.accelerator_config.gradient_accumulation_kwargs or {})
    if "num_steps" in given:
        raise ValueError("set gradient_accumulation_steps and leave out num_steps")
    GradientAccumulationPlugin(num_steps=1, **given)


def _debugging(args: TrainingArguments) -> None:
    from transformers.utils import is_torch_xla_available

    wanted = [plain(option) for option in args.debug]
    if "underflow_overflow" in wanted:
        raise ValueError("it fails on boolean masks; clx itself stops at a loss that is not finite")
    if "tpu_metrics_debug" in wanted and not is_torch_xla_available():
        raise ValueError("'tpu_metrics_debug' needs torch_xla, which is not installed")


def _liger(args: TrainingArguments) -> None:
    from transformers.utils import is_liger_kernel_available

    if args.use_liger_kernel and not is_liger_kernel_available():
        raise ImportError("it needs a package: pip install liger-kernel")


def _compilation(args: TrainingArguments) -> None:
    import torch

    options = {"backend": args.torch_compile_backend, "mode": args.torch_compile_mode}
    torch.compile(torch.nn.Linear(1, 1), **options)


def _start_method(args: TrainingArguments) -> None:
    import multiprocessing

    known = multiprocessing.get_all_start_methods()
    if args.dataloader_multiprocessing_context not in (None, *known):
        raise ValueError(f"it must be one of {', '.join(known)}")


PARTS: Mapping[tuple[str, ...], Callable[[TrainingArguments], None]] = {
    ("optim", "optim_args", "optim_target_modules"): _optimizer,
    ("lr_scheduler_type", "lr_scheduler_kwargs"): _schedule,
    CHECKPOINTING: _checkpointing,
    ("accelerator_config",): _accelerator,
    ("debug",): _debugging,
    ("use_liger_kernel",): _liger,
    ("torch_compile_backend", "torch_compile_mode"): _compilation,
    ("dataloader_multiprocessing_context",): _start_method,
}
"""The arguments that describe each part, and the function that raises if the part cannot be made."""


def callback_problems(callbacks: Any) -> list[str]:
    """Return the problems of callbacks for the Trainer, as sentences."""
    from transformers import TrainerCallback

    events = [name for name in vars(TrainerCallback) if name.startswith("on_")]
    if isinstance(callbacks, str | bytes | type) or not isinstance(callbacks, Collection):
        return [f"{cell(callbacks)} is not a list of transformers.TrainerCallback objects"]
    return [
        f"{cell(each)} is not a transformers.TrainerCallback, neither an object nor a class"
        for each in callbacks
        if not all(hasattr(each, event) for event in events)
    ]
