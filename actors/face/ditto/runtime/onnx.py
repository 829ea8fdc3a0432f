"""Ditto's networks in ONNX Runtime: on an NVIDIA GPU where the package can, else on the CPU.

Outputs stay on the device and are bound as the next graph's inputs, so that nothing large crosses the host. On a GPU
the volume is read at places by ONNX Runtime's own kernel only from the versions on that have one for five dimensions
(merged in 2026); older ones take that node to the CPU and back without a word. Not measured on a GPU.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright takes `onnx` for this file where onnx is not installed.
from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from actors.face.ditto.export import build
from actors.face.ditto.nets.graph import CPU, session
from actors.face.ditto.runtime.machine import GraphRuntime
from actors.face.ditto.spec import Array
from streaming.stages import StageError

log = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"


class Sessions:
    """`actors.face.ditto.runtime.machine.Machine`: a session a graph."""

    def __init__(self, files: Mapping[str, Path], provider: str = CPU, index: int = 0, threads: int = 0) -> None:
        """``index``: of the GPU; ``threads``: of the CPU for one graph, 0 for all.

        Raises GraphWrong for a file that is no graph.
        """
        self._where = "cuda" if provider == CUDA else "cpu"
        self._index = index
        self._providers: list[Any] = [CPU] if provider == CPU else [(provider, {"device_id": index}), CPU]
        self._threads = threads
        self._sessions = {name: self._opened(path) for name, path in files.items()}

    def up(self, slot: str, array: Array) -> Any:
        """A value of its own; slots are for machines with lasting buffers."""
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._where, self._index)

    def down(self, value: Any) -> Array:
        """A copy: what `OrtValue.numpy` shows of a value that `up` made lies in the array that was given, and goes
        with it.
        """
        return np.array(value.numpy())

    def keep(self, value: Any) -> Any:
        return value

    def stack(self, slot: str, values: Sequence[Any]) -> Any:
        if len(values) == 1:
            return values[0]
        kind = values[0].element_type()
        name = f"stack {len(values)} {kind}"
        if name not in self._sessions:
            self._sessions[name] = self._opened(Path(name), _stacking(len(values), kind))
        return self.run(name, {f"x{place}": value for place, value in enumerate(values)})["out"]

    def run(self, graph: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._sessions[graph]
        binding = opened.io_binding()
        # Held to the end of the run: a binding keeps no array that a value on the CPU lies in.
        held = {name: self.up("", each) if isinstance(each, np.ndarray) else each for name, each in feeds.items()}
        for name, value in held.items():
            binding.bind_ortvalue_input(name, value)
        names = [part.name for part in opened.get_outputs()]
        for name in names:
            binding.bind_output(name, self._where, self._index)
        opened.run_with_iobinding(binding)
        return dict(zip(names, binding.get_outputs(), strict=True))

    def _opened(self, path: Path, model: bytes | None = None) -> Any:
        return session(path, model, providers=self._providers, threads=self._threads)


def _stacking(count: int, kind: int) -> bytes:
    """A graph that puts values of five dimensions one after the other."""
    from onnx import helper

    names = [f"x{place}" for place in range(count)]
    shape = ["n", "c", "d", "h", "w"]
    inputs = [helper.make_tensor_value_info(name, kind, [f"{name}n", *shape[1:]]) for name in names]
    node = helper.make_node("Concat", names, ["out"], axis=0)
    graph = helper.make_graph([node], "stack", inputs, [helper.make_tensor_value_info("out", kind, shape)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def chosen(device: str) -> str:
    """The provider for a device; "auto" takes a GPU where the package can. Says which, and why. Raises StageError."""
    able = CUDA in onnxruntime.get_available_providers()
    if device.startswith("cuda") and not able:
        raise StageError("this ONNX Runtime cannot use a GPU; install its other package: pip install onnxruntime-gpu")
    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise StageError(f"ONNX Runtime runs Ditto on auto, cuda or cpu, not on {device!r}")
    provider = CUDA if able and device != "cpu" else CPU
    why = f"the settings name {device}" if device != "auto" else "of its providers it is the first that we know"
    log.info("ditto runs on %s of onnxruntime %s: %s", provider, onnxruntime.__version__, why)
    return provider


def load(models: Path, device: str = "auto") -> GraphRuntime:
    """From the files of a conversion; graphs are made of them where they are missing. Raises StageError."""
    provider = chosen(device)
    precision = build.wanted(models, "fp16" if provider == CUDA else "fp32")
    files = build.graph_files(models, build.WHOLE, precision, build.logged)
    index = int(device.partition(":")[2] or 0)
    return GraphRuntime(Sessions({**files, "hubert": models / "hubert.onnx"}, provider, index))
