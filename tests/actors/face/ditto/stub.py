"""A graph with the audio encoder's published signature, and nothing learnt: made in a moment, 50 kB."""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip(
    "onnx", reason="Ditto's tests make graphs with onnx: pip install -c constraints.txt -e '.[ditto]'"
)


def write_hubert(path: Path, *, width: int = 1024, given: str = "input_values") -> Path:
    """Row t is the mean of 400 samples from 320 t on, times a number for each column."""
    helper, proto = onnx.helper, onnx.TensorProto
    kernel = np.full((1, 1, 400), 1 / 400, np.float32)
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None]
    nodes = [
        helper.make_node("Unsqueeze", [given, "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "kernel"], ["means"], strides=[320]),
        helper.make_node("Reshape", ["means", "column"], ["rows"]),
        helper.make_node("MatMul", ["rows", "columns"], ["encoding_out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "hubert",
        [helper.make_tensor_value_info(given, proto.FLOAT, [1, "n"])],
        [helper.make_tensor_value_info("encoding_out", proto.FLOAT, ["frames", width])],
        [
            onnx.numpy_helper.from_array(np.array([1], np.int64), "one"),
            onnx.numpy_helper.from_array(kernel, "kernel"),
            onnx.numpy_helper.from_array(np.array([-1, 1], np.int64), "column"),
            onnx.numpy_helper.from_array(columns, "columns"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_graph(path: Path, given: tuple[int, ...], outputs: dict[str, np.ndarray], weight: float = 0.0) -> Path:
    """A graph that answers an image ``given`` with ``outputs``, plus ``weight`` times the image's mean."""
    helper, proto = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "w"], ["m"]),
    ]
    nodes += [helper.make_node("Add", [f"c_{name}", "m"], [name]) for name in outputs]
    kept = [onnx.numpy_helper.from_array(np.array(weight, np.float32), "w")]
    kept += [onnx.numpy_helper.from_array(told.astype(np.float32), f"c_{name}") for name, told in outputs.items()]
    graph = helper.make_graph(
        nodes,
        "points",
        [helper.make_tensor_value_info("input", proto.FLOAT, given)],
        [helper.make_tensor_value_info(name, proto.FLOAT, told.shape) for name, told in outputs.items()],
        kept,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
