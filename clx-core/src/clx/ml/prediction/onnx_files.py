"""Write a model as ONNX, and a copy with 8-bit weights. Needs the extra ``onnx``."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ExportError
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.prediction.onnx_quantizing import quantising_in
from clx_runtime.onnx_session import missing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OPSET = 17

_PRODUCTS = ("MatMul", "Gemm")


Outputs = Mapping[str, Sequence[str]]
"""Output of a model → the names of its axes."""

LOGITS: Outputs = {"logits": ("texts", "labels")}

ANY_SIZE = ("texts", "tokens")
"""The axes whose size differs from batch to batch."""


def write_onnx(
    model: PreTrainedModel, inputs: Mapping[str, Any], path: Path, outputs: Outputs | None = None
) -> None:
    """Write the model, from token ids to logits, for any number of texts and tokens.

    Args:
        model: the model, which is not changed: the export uses a copy in fp32 on the CPU.
        inputs: name → example tensor, shape (texts, tokens), with at least two of each.
        path: the new file.
        outputs: what to write; None takes the logits of texts.

    Raises:
        MissingDependencyError: a package of the exporters is not installed.
        ExportError: no exporter can write this model.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing("onnx", error) from error
    # The export of a module that is not in evaluation mode leaves the model in training mode.
    copied = copy.deepcopy(model).to("cpu").float().eval()
    written = LOGITS if outputs is None else outputs
    module = _module_with_outputs(copied, tuple(inputs), tuple(written)).eval()
    failures = []
    # The newer exporter needs onnxscript and is slower. It is for models that cannot be traced.
    for exporter in (_trace, _dynamo) if find_spec("onnxscript") else (_trace,):
        try:
            with _quiet(), quiet_transformers():
                exporter(module, inputs, path, written)
            return
        except Exception as error:
            failures.append(f"{exporter.__name__.strip('_')}: {_first_line(error)}")
    raise ExportError(
        f"{type(model).__name__} cannot be exported to ONNX: {'; '.join(failures)}. "
        f"backend='torch' predicts with it"
        + ("" if find_spec("onnxscript") else "; pip install onnxscript adds another exporter")
    )


def _module_with_outputs(model: Any, names: Sequence[str], outputs: Sequence[str]) -> Any:
    import torch

    class WithOutputs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            found = self.model(**dict(zip(names, tensors, strict=True)))
            return tuple(getattr(found, name) for name in outputs)

    return WithOutputs()


def _trace(module: Any, inputs: Mapping[str, Any], path: Path, outputs: Outputs) -> None:
    import torch

    sizes = dict(enumerate(ANY_SIZE))
    of_outputs = {
        name: {place: axis for place, axis in enumerate(axes) if axis in ANY_SIZE}
        for name, axes in outputs.items()
    }
    torch.onnx.export(
        module,
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes={**dict.fromkeys(inputs, sizes), **of_outputs},
        opset_version=OPSET,
        dynamo=False,
    )


def _dynamo(module: Any, inputs: Mapping[str, Any], path: Path, outputs: Outputs) -> None:
    import torch

    sizes = {n: torch.export.Dim(axis, min=1) for n, axis in enumerate(ANY_SIZE)}
    torch.onnx.export(
        module,
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=(tuple(sizes for _ in inputs),),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


@dataclass(frozen=True)
class Quantization:
    """A way to quantize a model.

    Attributes:
        reduce_range: use seven of the eight bits.
        wide_in_fp32: do not quantize feed-forward outputs.
        head_in_fp32: do not quantize the head.
        matrices_only: quantize matrix products alone, not the embeddings.
    """

    reduce_range: bool = False
    wide_in_fp32: bool = False
    head_in_fp32: bool = False
    matrices_only: bool = False


QUANTISATIONS = {
    "int8 per channel": Quantization(),
    "int8 per channel, reduced range": Quantization(reduce_range=True),
    "int8 per channel, feed-forward outputs fp32": Quantization(wide_in_fp32=True),
    "int8 per channel, feed-forward outputs, embeddings and head fp32": Quantization(
        wide_in_fp32=True, head_in_fp32=True, matrices_only=True
    ),
}
"""The quantizations to try, fastest first, until decisions agree (docs/background/performance.md).

The reduced range is for processors without VNNI, whose int8 sums overflow. The inputs of the second
matrix of a feed-forward layer have outliers, so that one scale for all of them is inaccurate.
"""


def write_int8(source: Path, target: Path, how: str) -> None:
    """Write a copy of an ONNX file with 8-bit weights (dynamic quantization).

    Args:
        source: the file of the model in fp32.
        target: the new file.
        how: a key of ``QUANTISATIONS``.
    """
    import onnx

    chosen = QUANTISATIONS[how]
    graph = onnx.load(str(source), load_external_data=False).graph
    with _quiet(), quantising_in(target.parent) as quantization:
        quantization.quantize_dynamic(
            str(source),
            str(target),
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=chosen.reduce_range,
            op_types_to_quantize=list(_PRODUCTS) if chosen.matrices_only else None,
            nodes_to_exclude=_kept_in_fp32(graph, chosen),
        )


def wide_products(source: Path) -> list[str]:
    """Return the names of an ONNX file's nodes that are feed-forward outputs."""
    import onnx

    graph = onnx.load(str(source), load_external_data=False).graph
    return _kept_in_fp32(graph, Quantization(wide_in_fp32=True))


def _kept_in_fp32(graph: Any, chosen: Quantization) -> list[str]:
    """Return the names of the nodes that are not quantized.

    The head is the last matrix product, and each ``Gemm`` node before it: a pooler or a dense layer,
    which computes one vector per text. A feed-forward output is a product whose input is wider than its
    output.
    """
    matrices = {
        weight.name: tuple(weight.dims) for weight in graph.initializer if len(weight.dims) == 2
    }
    products = []
    for node in graph.node:
        shape = next((matrices[name] for name in node.input if name in matrices), None)
        if node.op_type in _PRODUCTS and shape is not None:
            products.append((node, shape))
    kept = []
    if chosen.head_in_fp32:
        kept += [node.name for node, _ in products[-1:]]
        kept += [node.name for node, _ in products[:-1] if node.op_type == "Gemm"]
    if chosen.wide_in_fp32:
        for node, shape in products:
            rows, columns = shape[::-1] if _is_transposed(node) else shape
            if rows > columns:
                kept.append(node.name)
    return list(dict.fromkeys(kept))


def _is_transposed(node: Any) -> bool:
    flags = (attribute for attribute in node.attribute if attribute.name == "transB")
    return node.op_type == "Gemm" and any(flag.i for flag in flags)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the messages of the exporters.

    The root logger needs a handler meanwhile, or the first call of ``logging.warning`` sets one up.
    """
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
