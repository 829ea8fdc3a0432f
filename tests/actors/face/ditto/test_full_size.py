"""The published sizes with made-up weights: every graph gives what torch gives, and two are compiled for an L4.

Minutes of arithmetic, so `tests/system/test_ditto.py` runs it; numbers of a real face it cannot have.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.actors.face.ditto import graphed
from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.export import build
from actors.face.ditto.export.graphs import graphs
from actors.face.ditto.export.modules import MODULES
from actors.face.ditto.export.write import traced
from actors.face.ditto.nets.load import NETWORKS, filled
from actors.face.ditto.runtime import engines, tensorrt

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

LARGEST_ERROR = 1e-3


@cache
def network(name: str) -> Any:
    torch.manual_seed(0)
    return filled(name, NETWORKS[name]().state_dict())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def graph_file(models: Path, name: str, precision: str) -> Path:
    return build.graph_files(models, [name], precision, graphed.quiet, network=network)[name]


@pytest.mark.parametrize("name", build.WHOLE)
def test_a_graph_gives_what_torch_gives(models: Path, name: str) -> None:
    import onnx

    graph = graphs()[name]
    path = graph_file(models, name, "fp32")
    onnx.checker.check_model(str(path), full_check=True)
    inputs = traced(graph)
    if name == "lmdm_begin":
        inputs = (*inputs[:2], torch.tensor([999, 500, 3]))
    module = MODULES[name](network(graph.network))
    with torch.inference_mode():
        wanted = module.network(*inputs) if name == "decoder" else module(*inputs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    model = onnx.load(path)
    if name == "decoder":  # before it becomes bytes
        del model.graph.output[:]
        [last] = [node for node in model.graph.node if node.name == "/network/Sigmoid"]
        model.graph.output.append(onnx.helper.make_tensor_value_info(last.output[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {key: each.numpy() for key, each in zip(graph.inputs, inputs, strict=True)})
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(np.asarray(other), one.numpy(), rtol=0, atol=LARGEST_ERROR)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", ["warp", "decoder"])
def test_tensorrt_for_rtx_compiles_it_for_an_l4_on_a_machine_without_one(
    models: Path, name: str, precision: str, caplog: pytest.LogCaptureFixture
) -> None:
    trt = pytest.importorskip("tensorrt_rtx_bindings", reason="pip install 'realtime-avatar[tensorrt-rtx]'")
    kept = engines.Engines(models / "engines", "tensorrt-rtx", trt, capability="sm89", gpu="")
    files = {name: graph_file(models, name, precision)}
    with caplog.at_level(logging.INFO, "actors.face.ditto.runtime.engines"):
        [data] = tensorrt.engine_data(files, kept, precision, graphed.quiet).values()
        [again] = tensorrt.engine_data(files, kept, precision, graphed.quiet).values()
    weights = sum(each.numel() for each in network(name).state_dict().values()) * (4 if precision == "fp32" else 2)
    assert 1 < len(data) / weights < 1.1, "the weights are in it, in the precision of the graph"
    assert again == data
    assert [line.split()[1] for line in caplog.messages] == ["building", "built", "the"]
