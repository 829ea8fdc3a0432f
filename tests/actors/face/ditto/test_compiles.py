"""TensorRT for RTX compiles the graphs for an L4 on a machine without a GPU: whether it can, not how they run."""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.actors.face.ditto import graphed, tiny

# isort: split

from actors.face.ditto.export import build
from actors.face.ditto.export.quantize import LEAST_DB, Recording, quantize
from actors.face.ditto.runtime import engines, tensorrt
from actors.face.ditto.runtime.machine import GraphRuntime
from actors.face.ditto.runtime.onnx import Sessions

pytestmark = pytest.mark.system


@pytest.fixture
def kept(tmp_path: Path) -> engines.Engines:
    trt: Any = pytest.importorskip("tensorrt_rtx_bindings", reason="pip install 'realtime-avatar[tensorrt-rtx]'")
    return engines.Engines(tmp_path / "engines", "tensorrt-rtx", trt, capability="sm89", gpu="")


@pytest.mark.parametrize(
    ("precision", "names"),
    [("fp32", build.WHOLE), ("fp16", ("appearance", "warp", "decoder", "warp_small", "warp_flow", "warp_rest"))],
)
def test_every_small_graph_compiles(
    tmp_path: Path, kept: engines.Engines, precision: str, names: tuple[str, ...]
) -> None:
    files = graphed.files(tmp_path, precision, names)
    made = tensorrt.engine_data(files, kept, precision, graphed.quiet, graphed.SIZES)
    assert made.keys() == {*names, "hubert"} and all(made.values())


@pytest.mark.parametrize("kind", build.NARROW)
def test_eight_bits_compile(tmp_path: Path, kept: engines.Engines, kind: str) -> None:
    recording = Recording(Sessions(graphed.files(tmp_path), threads=1))
    runtime = GraphRuntime(recording, side=tiny.SIDE)
    runtime.draw(graphed.poses(runtime, 8))
    quantize(tmp_path, kind, recording.given, sizes=graphed.SIZES, least_db=dict.fromkeys(LEAST_DB, 0.0))
    files = build.graph_files(tmp_path, build.NARROWED, kind, graphed.quiet, sizes=graphed.SIZES)
    assert all(tensorrt.engine_data(files, kept, kind, graphed.quiet, graphed.SIZES).values())
