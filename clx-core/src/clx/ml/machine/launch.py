"""Check how the processes of a training were started."""

from __future__ import annotations

import os

from clx.ml.machine.distributed import has_rank, process_count

SHARDED = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "tensor or context parallelism",
}
"""The variables that ``accelerate launch`` sets for models that no process has as a whole."""

WHOLE_MODEL = (
    "every process of clx has the whole model, which the probe, calibration, and publication need. Use "
    "torchrun or `accelerate launch --multi_gpu`; training_args={'gradient_checkpointing': True, "
    "'bf16': True} and lora=True take less memory"
)


def launch_problems(on_cpu: bool) -> list[str]:
    """Return why a training cannot run in the processes as they were started, as sentences.

    Args:
        on_cpu: whether the training runs on the CPU.
    """
    found = [
        f"{what} ({name} in the environment, from `accelerate config`) is not supported: {WHOLE_MODEL}"
        for name, what in SHARDED.items()
        if os.environ.get(name, "").lower() in ("1", "true", "yes", "on")
    ]
    count = process_count()
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if count > 1 and not has_rank():
        found.append(
            f"the environment says that there are {count} processes (WORLD_SIZE), but not which one "
            f"this is (RANK): start clx with torchrun, or unset WORLD_SIZE to train in one process"
        )
    elif missing and (count > 1 or "LOCAL_RANK" in os.environ):
        found.append(
            f"the environment has RANK or LOCAL_RANK, but not {' and '.join(missing)}, where the "
            f"processes find each other: start clx with torchrun, or unset these variables"
        )
    return found if on_cpu or count == 1 else [*found, *_gpu_problems()]


def _gpu_problems() -> list[str]:
    """Return a problem if processes of this machine would have no GPU of their own."""
    import torch

    here = max(_number("LOCAL_WORLD_SIZE", 1), _number("LOCAL_RANK", 0) + 1)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else here
    if here <= gpus:
        return []
    return [
        f"there are {here} processes on this machine, but {gpus} GPU{'s' * (gpus != 1)}, and each "
        f"process needs one of its own: use torchrun --nproc-per-node {gpus}, or device='cpu'"
    ]


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "").strip()
    return int(value) if value.isdecimal() else default
