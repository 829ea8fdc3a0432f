"""ONNX Runtime is chosen aloud, and loads what a conversion left; the graphs are small ones."""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.actors.face.ditto import graphed

# isort: split

from actors.face.ditto.nets.graph import GraphWrong
from actors.face.ditto.runtime import onnx
from actors.face.ditto.runtime import open as open_runtime
from streaming.stages import StageError


def test_a_gpu_is_taken_where_the_package_can(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert onnx.chosen("auto") == onnx.CPU
    with pytest.raises(StageError, match="cannot use a GPU; install its other package: pip install onnxruntime-gpu"):
        onnx.chosen("cuda:1")
    with pytest.raises(StageError, match="runs Ditto on auto, cuda or cpu, not on 'mps'"):
        onnx.chosen("mps")
    monkeypatch.setattr(onnx.onnxruntime, "get_available_providers", lambda: [onnx.CUDA, onnx.CPU])
    assert [onnx.chosen(device) for device in ("auto", "cuda", "cpu")] == [onnx.CUDA, onnx.CUDA, onnx.CPU]
    assert [line.split()[3] for line in caplog.messages] == [onnx.CPU, onnx.CUDA, onnx.CUDA, onnx.CPU]


def test_finished_graphs_are_opened_by_name(tmp_path: Path) -> None:
    graphed.files(tmp_path)
    runtime = open_runtime("onnx", tmp_path, "cpu")
    windows = graphed.windows(1)
    assert runtime.move(windows).shape == (1, 80, 265)


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    files = graphed.files(tmp_path)
    files["warp"].write_bytes(b"no graph")
    with pytest.raises(GraphWrong, match=r"warp\.fp32\.onnx is no graph that ONNX Runtime can open"):
        onnx.Sessions(files)


def test_what_came_down_stays_when_what_went_up_is_gone() -> None:
    machine, given = onnx.Sessions({}), np.ones(4, np.float32)
    found = machine.down(machine.up("any", given))
    given[:] = 2
    assert found.tolist() == [1, 1, 1, 1]
