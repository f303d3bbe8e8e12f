"""Make torch usable in a process that was forked after torch was imported."""

from __future__ import annotations

import threading

from clx.errors import ConfigError
from clx_runtime.forks import inherited_gpu, inherited_thread


def ready_after_fork(device: str = "cpu") -> None:
    """Make torch usable by this thread if the process was forked after torch was imported.

    torch gets one thread, as in the worker processes of its ``DataLoader``. Only the thread that came
    from the parent needs it: others have their own thread pools.

    Args:
        device: the kind of device to compute on, such as ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the device is a GPU that the parent process has used.
    """
    if inherited_thread() is None:
        return
    if device == "cuda" and inherited_gpu():
        raise ConfigError(
            "The GPU cannot be used in this process, which was forked from a process that has used "
            "it. Start processes with the method 'spawn' or 'forkserver', use the GPU only after "
            "the fork, or open the run with device='cpu'."
        )
    if threading.get_ident() == inherited_thread():
        import torch

        if torch.get_num_threads() > 1:
            torch.set_num_threads(1)
