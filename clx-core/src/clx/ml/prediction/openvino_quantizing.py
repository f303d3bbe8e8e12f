"""Quantize an ONNX file to eight bits by NNCF: a script, run in a process of its own.

NNCF replaces the class of all loggers, prints progress bars and sends usage events; none of it may
happen in the user's process. The script imports nothing of clx, so that it starts fast.

    python openvino_quantizing.py SOURCE INPUTS TARGET [NODE ...]

SOURCE is the ONNX file and INPUTS an ``.npz`` with ``<text>/<input>`` → array, shape (1, tokens). The
script writes TARGET (``.xml``) and its weights beside it (``.bin``). Each NODE stays in fp32.
"""

from __future__ import annotations

import sys


def main(source: str, inputs: str, target: str, *kept: str) -> None:
    """Quantize products of matrices, with scales measured on the inputs."""
    import nncf
    import numpy as np
    import openvino

    rows: dict[str, dict[str, np.ndarray]] = {}
    with np.load(inputs) as arrays:
        for key in arrays.files:
            number, _, name = key.partition("/")
            rows.setdefault(number, {})[name] = arrays[key]
    quantized = nncf.quantize(
        openvino.Core().read_model(source),
        nncf.Dataset(list(rows.values())),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(rows),
        ignored_scope=nncf.IgnoredScope(names=list(kept), validate=False) if kept else None,
    )
    openvino.save_model(quantized, target, compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
