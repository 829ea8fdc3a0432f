"""A graph in half precision, but for what would suffer; the precision is written in it, not asked of a runtime.

In float32 stay: where a voxel comes from (grids, flows, heat, the mask's softmax, reading at places), the norms'
statistics, the last grey levels. ONNX Runtime's converter does the work. It rounds to half precision between any two
nodes, also where both are float32; those roundings are taken out again.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import warnings
from typing import Any

from actors.face.ditto.export.graphs import Graph

KINDS = frozenset({"GridSample", "InstanceNormalization", "Range", "Sigmoid", "Softmax"})
"""Operators that stay in float32 wherever they are."""
PLACES = frozenset({"", "/small", "/flow"})
"""Modules of `modules` whose own arithmetic is of coordinates or of the last grey levels; not that of their parts."""


def halved(model: Any, graph: Graph) -> Any:
    """A copy of a float32 model in half precision; inputs and outputs stay but for ``graph.half``."""
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    wide = [node.name for node in copy.graph.node if node.name.rpartition("/")[0] in PLACES]
    kept = [part.name for part in (*copy.graph.input, *copy.graph.output) if part.name not in graph.half]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # small weights that become 0: they were below any rounding
        made = convert_float_to_float16(
            copy,
            keep_io_types=kept,  # type: ignore[arg-type]  # or names, as its docstring says
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, *KINDS],
            node_block_list=wide,
        )
    made = _straight(made)
    onnx.checker.check_model(made, full_check=True)
    return made


def _straight(model: Any) -> Any:
    """Without roundings to half precision that are taken back at once, and in an order that can be run."""
    from onnx import TensorProto

    made = {output: node for node in model.graph.node for output in node.output}
    rounded = {name: node.input[0] for name, node in made.items() if _casts(node, TensorProto.FLOAT16)}
    back = {
        name: rounded[node.input[0]]
        for name, node in made.items()
        if _casts(node, TensorProto.FLOAT) and node.input[0] in rounded
    }
    wanted = {part.name for part in model.graph.output}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = back.get(name, name)
        if node.output[0] in back and node.output[0] in wanted:
            node.op_type, node.input[0] = "Identity", back[node.output[0]]
            del node.attribute[:]
    nodes: list[Any] = []
    seen: set[str] = set()

    def put(name: str) -> None:
        waiting = [name]
        while waiting:
            node = made.get(waiting[-1])
            missing = [] if node is None else [each for each in node.input if each not in seen and each in made]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if node is not None and node.output[0] not in seen:
                nodes.append(node)
                seen.update(node.output)

    for name in sorted(wanted):
        put(name)
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    return model


def _casts(node: Any, kind: int) -> bool:
    return node.op_type == "Cast" and node.attribute[0].i == kind
