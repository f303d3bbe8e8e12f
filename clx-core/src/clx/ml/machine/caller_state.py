"""Leave the caller's random generators, flags and environment unchanged by a call."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from typing import Any

from clx.ml.machine.forks import ready_after_fork
from clx.ml.machine.torch_defaults import torch_defaults


@contextlib.contextmanager
def caller_state_kept() -> Iterator[None]:
    """Restore the caller's random generators, torch's flags and defaults, and ``os.environ``.

    Seeding a training, as transformers' Trainer does even for an evaluation, would otherwise make
    every "random" split in the caller's code the same.
    """
    import numpy as np
    import torch

    environment = dict(os.environ)
    python, numpy = random.getstate(), np.random.get_state()
    devices = _generators(torch)
    flags = [*_deterministic_flags(torch), _current_gpu(torch)]
    ready_after_fork()
    try:
        with torch_defaults():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for set_state, state in devices:
            set_state(state)
        for restore in flags:
            restore()
        _restore_environment(environment)


def _generators(torch: Any) -> list[tuple[Any, Any]]:
    """Return a setter and the state of each of torch's generators that is in use."""
    found = [(torch.set_rng_state, torch.get_rng_state())]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    if torch.backends.mps.is_available():
        found.append((torch.mps.set_rng_state, torch.mps.get_rng_state()))
    return found


def _deterministic_flags(torch: Any) -> list[Any]:
    """Return functions that set torch's deterministic flags to what they are now."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    deterministic, benchmark = cudnn.deterministic, cudnn.benchmark

    def restore_cudnn() -> None:
        cudnn.deterministic, cudnn.benchmark = deterministic, benchmark

    return [
        lambda: torch.use_deterministic_algorithms(enabled, warn_only=warn_only),
        restore_cudnn,
    ]


def _current_gpu(torch: Any) -> Any:
    """Return a function that restores the GPU that is current now."""
    gpu = torch.cuda.current_device() if torch.cuda.is_initialized() else 0
    return lambda: torch.cuda.is_initialized() and torch.cuda.set_device(gpu)


def _restore_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
