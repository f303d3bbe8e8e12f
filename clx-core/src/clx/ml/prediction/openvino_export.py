"""Export for OpenVINO: compare the fp32 file in it, and quantize that file by NNCF."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from clx.errors import ClxWarning, ExportError, MissingDependencyError
from clx.ml.prediction.onnx_check import BackendCheck, Expected
from clx.ml.prediction.onnx_files import wide_products
from clx_runtime.callers import user_level
from clx_runtime.exported_model import ExportedModel
from clx_runtime.exports import SAME_DECISIONS, export_in
from clx_runtime.forks import not_forked
from clx_runtime.openvino_file import pack
from clx_runtime.settings import FILES

FP32 = "openvino"
INT8 = "openvino-int8"

CALIBRATION_TEXTS = 150
"""The most texts that scales are measured on, of those that are compared."""

WAYS = {"int8 by NNCF": False, "int8 by NNCF, feed-forward outputs fp32": True}
"""The quantizations to try, fastest first → whether feed-forward outputs stay in fp32."""


def require_packages(backend: str | None) -> None:
    """Raise if an export for the backend lacks a package.

    Raises:
        MissingDependencyError: the message has the line to type.
    """
    needed = {FP32: ("openvino",), INT8: ("openvino", "nncf")}.get(str(backend), ())
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"An export for backend={backend!r} needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}"
        )


def openvino_checks(
    folder: Path, expected: Expected, int8: bool
) -> tuple[dict[str, BackendCheck], dict[str, float]]:
    """Return how each backend of OpenVINO compares with torch, and what each quantization gave.

    Nothing is done without the package; without NNCF nothing is quantized. A model that OpenVINO cannot
    run is left out with a warning.

    Args:
        folder: the folder of the export, which has the fp32 file; the 8-bit model is added.
        expected: the outputs of torch.
        int8: whether to write an 8-bit model.
    """
    checks: dict[str, BackendCheck] = {}
    tried: dict[str, float] = {}
    if find_spec("openvino") is None:
        return checks, tried
    try:
        check = expected.compare(folder, FP32, "fp32")
        expected.refuse(check)
        checks[FP32] = check
        if int8 and find_spec("nncf") is not None:
            checks[INT8], tried = _write_best_int8(folder, expected)
    except ExportError as error:
        (folder / FILES[INT8]).unlink(missing_ok=True)
        warnings.warn(
            f"The export does without {INT8 if FP32 in checks else 'OpenVINO'}: {error}",
            ClxWarning,
            stacklevel=user_level(),
        )
    return checks, tried


def _write_best_int8(folder: Path, expected: Expected) -> tuple[BackendCheck, dict[str, float]]:
    """Write the first quantization with enough equal decisions, else the best one."""
    target = folder / FILES[INT8]
    checks: list[BackendCheck] = []
    with TemporaryDirectory(dir=folder) as name:
        own = Path(name)
        _write_inputs(folder, expected.texts, own / "inputs.npz")
        for number, (how, wide_in_fp32) in enumerate(WAYS.items()):
            kept = wide_products(folder / FILES["onnx"]) if wide_in_fp32 else []
            _quantize(folder / FILES["onnx"], own, kept)
            pack(own / "model.xml", own / "model.bin", target)
            checks.append(expected.compare(folder, INT8, how))
            target.replace(own / str(number))
            if checks[-1].equal_decisions >= SAME_DECISIONS:
                break
        best = max(checks, key=lambda check: check.equal_decisions)
        (own / str(checks.index(best))).replace(target)
    return best, {check.how: check.equal_decisions for check in checks}


def _write_inputs(folder: Path, texts: Sequence[str], target: Path) -> None:
    """Write the inputs of some of the texts, evenly spread over them."""
    import numpy as np

    from clx_runtime.texts import TextRow

    model = ExportedModel(export_in(folder), FP32, "cpu")
    some = texts[:: -(-len(texts) // CALIBRATION_TEXTS)]
    rows = model.encode([text.texts if isinstance(text, TextRow) else text for text in some])
    arrays = {
        f"{number}/{name}": array
        for number, row in enumerate(rows)
        for name, array in model.feeds([row]).items()
    }
    np.savez(str(target), **arrays)  # type: ignore[arg-type]


def _quantize(source: Path, own: Path, kept: Sequence[str]) -> None:
    """Run the script; its files are ``model.xml`` and ``model.bin`` in ``own``.

    Raises:
        ExportError: it failed.
    """
    script = Path(__file__).with_name("openvino_quantizing.py")
    arguments = [str(source), str(own / "inputs.npz"), str(own / "model.xml"), *kept]
    # With this variable NNCF sends no events to its maker. -P keeps our folder off the path.
    with not_forked():
        done = subprocess.run(
            [sys.executable, "-P", str(script), *arguments],
            env={**os.environ, "NNCF_CI": "1"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[-1]
        raise ExportError(f"NNCF cannot quantize this model: {last[:300]}")
