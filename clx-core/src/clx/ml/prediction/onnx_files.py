"""Writing a model as ONNX, and a copy with weights of eight bits. Needs the extra ``onnx``."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ExportError
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.prediction.onnx_runtime import missing, quantising_in

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OPSET = 17


def write_onnx(model: PreTrainedModel, inputs: Mapping[str, Any], path: Path) -> None:
    """Write the model from token ids to logits, for any number of texts and tokens.

    Args:
        model: is left as it is; the export works on a copy in fp32 on the CPU.
        inputs: name → example tensor of shape (texts, tokens), at least two of each.
        path: of the new file.

    Raises:
        MissingDependencyError: the exporter's packages are not installed.
        ExportError: no exporter can write this model.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing("onnx", error) from error
    # Exporting a module that is not in evaluation mode puts the model into training mode.
    copied = copy.deepcopy(model).to("cpu").float().eval()
    module = _logits_module(copied, tuple(inputs)).eval()
    failures = []
    # The newer exporter needs onnxscript and is slower; it is for what the first cannot trace.
    for exporter in (_trace, _dynamo) if find_spec("onnxscript") else (_trace,):
        try:
            with _quiet(), quiet_transformers():
                exporter(module, inputs, path)
            return
        except Exception as error:
            failures.append(f"{exporter.__name__.strip('_')}: {_first_line(error)}")
    raise ExportError(
        f"{type(model).__name__} cannot be exported to ONNX: {'; '.join(failures)}. "
        f"backend='torch' predicts with it"
        + ("" if find_spec("onnxscript") else "; pip install onnxscript adds another exporter")
    )


def _logits_module(model: Any, names: Sequence[str]) -> Any:
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            return self.model(**dict(zip(names, tensors, strict=True))).logits

    return Logits()


def _trace(module: Any, inputs: Mapping[str, Any], path: Path) -> None:
    import torch

    sizes = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        module,
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=["logits"],
        dynamic_axes={**dict.fromkeys(inputs, sizes), "logits": {0: "texts"}},
        opset_version=OPSET,
        dynamo=False,
    )


def _dynamo(module: Any, inputs: Mapping[str, Any], path: Path) -> None:
    import torch

    sizes = {0: torch.export.Dim("texts", min=1), 1: torch.export.Dim("tokens", min=1)}
    torch.onnx.export(
        module,
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=["logits"],
        dynamic_shapes=(tuple(sizes for _ in inputs),),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


QUANTISATIONS: dict[str, dict[str, Any]] = {
    "int8 per channel": {},
    "int8 per channel, reduced range": {"reduce_range": True},
    "int8 per channel, feed-forward outputs fp32": {"wide": True},
    "int8 per channel, feed-forward outputs, embeddings and head fp32": {
        "wide": True,
        "head": True,
        "matrices_only": True,
    },
}
"""What is tried, fastest first, until decisions agree (docs/performance.md has what each gives).

Reduced range is for processors without VNNI, whose int8 sums overflow. The inputs of the second
matrix of a feed-forward layer have outliers, which one scale for all of them serves badly.
"""


def write_int8(source: Path, target: Path, how: str) -> None:
    """Write a copy of an ONNX file with weights of eight bits (dynamic quantisation).

    Args:
        source: the model in fp32.
        target: the new file.
        how: a key of ``QUANTISATIONS``.
    """
    import onnx

    settings = QUANTISATIONS[how]
    graph = onnx.load(str(source), load_external_data=False).graph
    with _quiet(), quantising_in(target.parent) as quantization:
        quantization.quantize_dynamic(
            str(source),
            str(target),
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=settings.get("reduce_range", False),
            op_types_to_quantize=["MatMul", "Gemm"] if settings.get("matrices_only") else None,
            nodes_to_exclude=_kept_in_fp32(graph, settings),
        )


def _kept_in_fp32(graph: Any, settings: Mapping[str, Any]) -> list[str]:
    """Return the names of the nodes that stay as they are.

    The head is what follows the last layer that is repeated, and at least the last product. A
    feed-forward output is a product whose input is wider than its output.
    """
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    products = [
        (node, next((shapes[name] for name in node.input if len(shapes.get(name, ())) == 2), None))
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm")
    ]
    weighted = [(node.name, shape, node) for node, shape in products if shape is not None]
    kept = []
    if settings.get("head") and weighted:
        kept.append(weighted[-1][0])
        # A pooler or a dense layer before the labels: it works on one vector a text.
        kept += [name for name, _, node in weighted[:-1] if node.op_type == "Gemm"]
    if settings.get("wide"):
        for name, shape, node in weighted:
            transposed = node.op_type == "Gemm" and any(
                a.name == "transB" and a.i for a in node.attribute
            )
            rows, columns = shape[::-1] if transposed else shape
            if rows > columns:
                kept.append(name)
    return list(dict.fromkeys(kept))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporters say of themselves; ``logging.warning`` would set up the root logger."""
    root, handler = logging.getLogger(), logging.NullHandler()
    disabled = root.manager.disable
    root.addHandler(handler)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.removeHandler(handler)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
