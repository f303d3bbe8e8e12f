"""Restore torch's own defaults during a call, whatever the caller or another library has set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from clx_runtime.forks import renew_after_fork

_AUTOCAST = ("cpu", "cuda", "mps", "xpu")
"""Kinds of devices; autocast is on or off for each."""


class _DefaultDtype:
    """float32 as the default dtype while any thread needs it; the dtype is global."""

    def __init__(self) -> None:
        self.users = 0
        self.after_fork()

    def after_fork(self) -> None:
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def float32(self, torch: Any) -> Iterator[None]:
        with self.lock:
            self.users += 1
            if self.users == 1:
                self.callers = torch.get_default_dtype()
                if self.callers != torch.float32:
                    torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if not self.users and self.callers != torch.float32:
                    torch.set_default_dtype(self.callers)


_DTYPE = _DefaultDtype()
renew_after_fork(_DTYPE)


@contextlib.contextmanager
def torch_defaults() -> Iterator[None]:
    """Run the block with torch's own defaults, then restore the caller's settings.

    These are float32 on the CPU for new tensors, gradients, and neither inference mode nor autocast.
    Under other defaults, a model gets different weights or gives different answers.
    """
    import torch

    with contextlib.ExitStack() as stack:
        stack.enter_context(_DTYPE.float32(torch))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in _AUTOCAST:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
