"""One network to one ONNX graph: opset 20, where a volume can be read at places, checked, and written whole or not.

It uses torch's tracing exporter: the newer one takes minutes for the diffusion's transformer. Names of nodes begin with
the module that they come from, which `half` and `quantize` go by.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import io
import warnings
from typing import Any

import torch

from actors.face.ditto.export.graphs import BOTH, MANY, STEPS, Graph

OPSET = 20
_TRACED: dict[int | str, int] = {MANY: 1, BOTH: 2, STEPS: 3}
"""Sizes that vary are traced at these. One picture is quickest; tests run the small graphs with several."""


def traced(graph: Graph) -> tuple[Any, ...]:
    """Inputs to trace a graph with."""
    draw = torch.Generator().manual_seed(0)
    made: list[Any] = []
    for name, shape in graph.inputs.items():
        sizes = [_TRACED.get(size, size) for size in shape]
        made.append(
            torch.arange(sizes[0], dtype=torch.int64) if name in graph.whole else torch.randn(sizes, generator=draw)  # type: ignore[arg-type]
        )
    return tuple(made)


@torch.inference_mode()
def export(module: Any, graph: Graph) -> Any:
    """The module as a checked ONNX model of float32."""
    import onnx

    axes = {
        name: {place: size for place, size in enumerate(shape) if isinstance(size, str)}
        for name, shape in (*graph.inputs.items(), *graph.outputs.items())
    }
    out = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter warns of its own age, of shapes that do not vary, of constants that it leaves to be folded later.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), traced(graph), out, dynamo=False, opset_version=OPSET, input_names=list(graph.inputs),
            output_names=list(graph.outputs), dynamic_axes=axes,
        )  # fmt: skip
    model = _plain(onnx.load_from_string(out.getvalue()))
    for part in model.graph.output:  # the exporter makes up names for sizes that it lost sight of
        del part.type.tensor_type.shape.dim[:]
        for size in graph.outputs[part.name]:
            part.type.tensor_type.shape.dim.add(**{"dim_param" if isinstance(size, str) else "dim_value": size})
    onnx.checker.check_model(model, full_check=True)
    return model


def _plain(model: Any) -> Any:
    """All constants as initialisers, each told once: what makes a graph narrower then sees who uses which."""
    kept, same = [], {}
    for node in model.graph.node:
        if node.op_type == "Constant":
            model.graph.initializer.add().CopyFrom(node.attribute[0].t)
            model.graph.initializer[-1].name = node.output[0]
        elif node.op_type == "Identity" and node.output[0] not in {out.name for out in model.graph.output}:
            same[node.output[0]] = same.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    for node in kept:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(kept)
    return model
