"""Ditto's networks in TensorRT 10 or newer, or in TensorRT for RTX: engines by names of tensors, and lasting buffers.

From TensorRT 11.2 on, and in the one for RTX, every network is one engine. Older ones cannot read a volume at places;
there the warp is three engines, and torch reads in between, on the same stream and the same memory. Without that torch
is not needed. Not run on a GPU: the tests have a module of the same form that runs graphs on the CPU.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actors.face.ditto.export import build
from actors.face.ditto.export.files import sha256
from actors.face.ditto.export.graphs import BOTH, MANY, MOST_STEPS, PUBLISHED, STEPS, Graph, Sizes, graphs, split
from actors.face.ditto.runtime import Pose, Window
from actors.face.ditto.runtime import engines as made
from actors.face.ditto.runtime.cuda import Buffer, Cuda
from actors.face.ditto.runtime.machine import GraphRuntime
from actors.face.ditto.spec import CHUNK, CONDITION, MOTION, POINTS, WINDOW, Array
from streaming.stages import StageError

log = logging.getLogger(__name__)


class Engine:
    """One engine, its context, and two sets of outputs that it fills in turn."""

    def __init__(self, trt: Any, cuda: Any, name: str, engine: Any, context: Any) -> None:
        if context is None:
            raise StageError(f"there is no room on {cuda.name} to run {name}; lower what others may take of the GPU")
        self._cuda, self._name, self._engine, self._context = cuda, name, engine, context
        self._turn = 0
        self._types: dict[str, Any] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        for place in range(engine.num_io_tensors):
            tensor = engine.get_tensor_name(place)
            self._types[tensor] = trt.nptype(engine.get_tensor_dtype(tensor))
            mode = engine.get_tensor_mode(tensor)
            (self.inputs if mode == trt.TensorIOMode.INPUT else self.outputs).append(tensor)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Buffer]:
        """Outputs by name; they are good until the second run from now. Raises StageError."""
        self._turn = 1 - self._turn
        context, cuda = self._context, self._cuda
        cuda.use()
        for name in self.inputs:
            value = feeds[name]
            if not isinstance(value, Buffer):
                slot = cuda.slot(f"{self._name} {name}", value.shape, self._types[name])
                value = cuda.write(slot, value)
            if value.kind != self._types[name]:
                raise StageError(f"{self._name} takes {name} as {np.dtype(self._types[name])}, not {value.kind}")
            if not context.set_input_shape(name, value.shape):
                raise StageError(f"the engine {self._name} was not built for {name} of {value.shape}; build it again")
            context.set_tensor_address(name, value.pointer)
        outputs: dict[str, Buffer] = {}
        for name in self.outputs:
            shape = tuple(context.get_tensor_shape(name))
            outputs[name] = cuda.slot(f"{self._name} {name} {self._turn}", shape, self._types[name])
            context.set_tensor_address(name, outputs[name].pointer)
        if not context.execute_async_v3(cuda.stream):
            raise StageError(f"the engine {self._name} could not be run; what TensorRT says of it is in the log above")
        return outputs


class Engined:
    """`actors.face.ditto.runtime.machine.Machine`: an engine a graph, on one GPU."""

    def __init__(self, cuda: Any, engines: Mapping[str, Engine]) -> None:
        self._cuda, self._engines = cuda, engines

    def up(self, slot: str, array: Array) -> Buffer:
        return self._cuda.write(self._cuda.slot(f"up {slot}", array.shape, array.dtype), array)

    def down(self, value: Buffer) -> Array:
        return self._cuda.read(value)

    def keep(self, value: Buffer) -> Buffer:
        kept = self._cuda.empty(value.shape, value.kind)
        self._cuda.copy(kept, value)
        return kept

    def stack(self, slot: str, values: Sequence[Buffer]) -> Buffer:
        if len(values) == 1:
            return values[0]
        shape = (sum(value.shape[0] for value in values), *values[0].shape[1:])
        out = self._cuda.slot(f"stack {slot}", shape, values[0].kind)
        at = 0
        for value in values:
            self._cuda.copy(out, value, at)
            at += value.size
        return out

    def run(self, graph: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if graph == "warp" and graph not in self._engines:
            return self._split_warp(feeds)
        return self._engines[graph].run(feeds)

    def _split_warp(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        from actors.face.ditto.runtime.reading import moved, read

        points = {name: feeds[name] for name in ("kp_source", "kp_driving")}
        first = self._engines["warp_small"].run(feeds)
        stacked = moved(self._cuda, first["small"], first["flows"])
        second = self._engines["warp_flow"].run({**points, "moved": stacked, "flows": first["flows"]})
        volume = read(self._cuda, feeds["feature_3d"], second["deformation"])
        return self._engines["warp_rest"].run({"moved_3d": volume, "occlusion": second["occlusion"]})


def ranges(name: str, graph: Graph) -> dict[str, made.Range]:
    """The shapes that a graph's engine is built for."""
    most = graph.largest

    def shapes(many: int, steps: int) -> dict[str, tuple[int, ...]]:
        sizes = {MANY: many, BOTH: 2 * many, STEPS: steps}
        return build.shapes(graph, sizes)

    least, usual, largest = shapes(1, 1), shapes(max(1, most // 2), 10), shapes(most, MOST_STEPS)
    if name == "hubert":
        return {each: (shape, shape, shape) for each, shape in least.items()}
    return {each: (least[each], usual[each], largest[each]) for each in graph.inputs}


def engine_data(
    files: Mapping[str, Path], kept: made.Engines, precision: str, say: build.Progress, sizes: Sizes = PUBLISHED
) -> dict[str, bytes]:
    """The engines of graphs by name, built where they are missing."""
    told = graphs(sizes) | split(sizes)
    return {
        name: kept.ready(name, path, sha256(path), precision, ranges(name, told[name]), say)
        for name, path in files.items()
    }


def names(runtime: str, version: str) -> Iterable[str]:
    """The graphs that this version of a library needs. Says so if one of them is split."""
    if made.reads_volumes(runtime, version):
        return build.WHOLE
    log.info("ditto: TensorRT %s cannot read a volume at places (11.2 can); the warp is split there", version)
    return build.SPLIT


def prepare(models: Path, runtime: str, target: str | None, precision: str, progress: build.Progress) -> None:
    """Graphs and engines ahead of the first start: `actors.face.ditto.export.build.build`. Raises StageError."""
    trt = made.library(runtime)
    if target is None:
        cuda = Cuda()
        target, gpu = cuda.capability, cuda.name
    else:
        gpu = ""
    files = build.graph_files(models, names(runtime, trt.__version__), precision, progress)
    kept = made.Engines(models / "engines", runtime, trt, capability=target, gpu=gpu)
    engine_data(_with_hubert(models, files), kept, precision, progress)


def opened(trt: Any, cuda: Any, kept: made.Engines, data: Mapping[str, bytes]) -> Engined:
    """Engines of their bytes. Raises StageError for those that the library does not take; they are removed."""
    loader = trt.Runtime(kept.logger)
    found: dict[str, Engine] = {}
    for name, each in data.items():
        engine = loader.deserialize_cuda_engine(each)
        if engine is None:
            kept.forget(name)
            raise StageError(f"the kept engine {name} could not be read and was removed; start again to build it anew")
        found[name] = Engine(trt, cuda, name, engine, kept.context(name, engine))
    return Engined(cuda, found)


def load(models: Path, device: str = "auto") -> GraphRuntime:
    """TensorRT with the files of a conversion; engines are built where they are missing. Raises StageError."""
    return _load(models, device, "tensorrt")


def load_rtx(models: Path, device: str = "auto") -> GraphRuntime:
    """The same with TensorRT for RTX."""
    return _load(models, device, "tensorrt-rtx")


def _load(models: Path, device: str, runtime: str) -> GraphRuntime:
    trt = made.library(runtime)
    if device not in ("auto", "cuda") and not device.startswith("cuda:"):
        raise StageError(f"{runtime} runs on an NVIDIA GPU (auto, cuda, cuda:1), not on {device!r}")
    cuda = Cuda(int(device.partition(":")[2] or 0))
    log.info("ditto runs on %s (%s) with %s %s", cuda.name, cuda.capability, runtime, trt.__version__)
    precision = build.wanted(models, "fp16")
    files = build.graph_files(models, names(runtime, trt.__version__), precision, build.logged)
    kept = made.Engines(models / "engines", runtime, trt, capability=cuda.capability, gpu=cuda.name)
    data = engine_data(_with_hubert(models, files), kept, precision, build.logged)
    ready = GraphRuntime(opened(trt, cuda, kept, data))
    warm(ready)
    kept.remember()
    return ready


def warm(runtime: GraphRuntime) -> None:
    """Run everything once, so that what is late or wrong is so at the start and not in somebody's first sentence."""
    runtime.hear(np.zeros((1, CHUNK), np.float32))
    looked = runtime.look(np.zeros((runtime.side, runtime.side, 3), np.uint8))
    runtime.move([Window(np.zeros(MOTION, np.float32), np.zeros((WINDOW, CONDITION), np.float32), 0, 0, 1)])
    points = np.zeros((1, POINTS, 3), np.float32)
    runtime.draw([Pose(looked, points, points)])


def _with_hubert(models: Path, files: Mapping[str, Path]) -> dict[str, Path]:
    path = models / "hubert.onnx"
    if not path.exists():
        raise StageError(f"there is no {path}; make it with python -m actors.face.ditto.convert")
    return {**files, "hubert": path}
