"""TensorRT's interface by names of tensors, and as much of CUDA's, with ONNX Runtime and the host's memory behind it.

It holds callers to what the real one holds them to: shapes within the profile, an address for every tensor, a graph
that this version can read.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

KINDS = {
    "tensor(float)": np.dtype(np.float32), "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64), "tensor(uint8)": np.dtype(np.uint8),
}  # fmt: skip


class Logger:
    WARNING = 2

    def __init__(self, level: int) -> None:
        self.level = level


class IProgressMonitor:
    """To be subclassed."""


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[Sequence[int]]] = {}

    def set_shape(self, name: str, least: Sequence[int], usual: Sequence[int], largest: Sequence[int]) -> None:
        self.shapes[name] = [least, usual, largest]


class Config:
    progress_monitor: Any = None
    num_compute_capabilities = 0

    def __init__(self) -> None:
        self.profile = Profile()
        self.aimed: Any = None
        self.limits: dict[str, int] = {}
        self._cache: Any = None

    def add_optimization_profile(self, profile: Profile) -> None:
        self.profile = profile

    def create_timing_cache(self, data: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: data + b"t")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> None:
        assert not ignore_mismatch
        self._cache = cache

    def get_timing_cache(self) -> Any:
        return self._cache

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self.limits = {pool: size}

    def set_compute_capability(self, capability: Any, place: int) -> None:
        assert place < self.num_compute_capabilities
        self.aimed = capability


class Engine:
    """A graph and the shapes that it was built for."""

    def __init__(self, profile: dict[str, Any], model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.profile = profile
        self.inputs = {part.name: part for part in self.session.get_inputs()}
        self.outputs = {part.name: part for part in self.session.get_outputs()}
        self.parts = {**self.inputs, **self.outputs}
        self.num_io_tensors = len(self.parts)

    def get_tensor_name(self, place: int) -> str:
        return list(self.parts)[place]

    def get_tensor_dtype(self, name: str) -> Any:
        return KINDS[self.parts[name].type]

    def get_tensor_mode(self, name: str) -> str:
        return "input" if name in self.inputs else "output"

    def create_execution_context(self, config: Any = None) -> Context:
        return Context(self)

    def create_runtime_config(self) -> Any:
        """Of TensorRT for RTX: what it has finished so far is a letter longer after each start."""
        had: list[bytes] = []
        cache = SimpleNamespace(deserialize=had.append, serialize=lambda: b"".join(had) + b"k")
        return SimpleNamespace(create_runtime_cache=lambda: cache, set_runtime_cache=lambda cache: None)


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        least, _, largest = self.engine.profile[name]
        self.shapes[name] = shape
        return len(shape) == len(least) and all(a <= b <= c for a, b, c in zip(least, shape, largest, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        sizes: dict[Any, int] = {}
        for each, part in self.engine.inputs.items():
            sizes |= dict(zip(part.shape, self.shapes[each], strict=True))
        sizes["2n"] = 2 * sizes.get("n", 0)  # the real one works that out of the graph
        return tuple(size if isinstance(size, int) else sizes[size] for size in self.engine.parts[name].shape)

    def set_tensor_address(self, name: str, pointer: int) -> None:
        self.addresses[name] = pointer

    def execute_async_v3(self, stream: int) -> bool:
        def memory(name: str) -> np.ndarray:
            shape = self.shapes[name] if name in self.engine.inputs else self.get_tensor_shape(name)
            kind = self.engine.get_tensor_dtype(name)
            raw = (ctypes.c_uint8 * (int(np.prod(shape)) * kind.itemsize)).from_address(self.addresses[name])
            return np.frombuffer(raw, kind).reshape(shape)

        found = self.engine.session.run(None, {name: memory(name) for name in self.engine.inputs})
        for name, array in zip(self.engine.outputs, found, strict=True):
            memory(name)[...] = array
        return True


def tensorrt(version: str = "11.4.0.106") -> Any:
    """The module, which counts what it builds in ``built``."""
    module: Any = ModuleType("tensorrt")
    reads = tuple(int(part) for part in version.split(".")[:2]) >= (11, 2)

    class Parser:
        def __init__(self, network: Any, logger: Logger) -> None:
            self.network, self.faults = network, []

        def parse(self, model: bytes) -> bool:
            import onnx

            if b"GridSample" in model and not reads:
                self.faults.append("GridSample: no importer for five dimensions")
                return False
            onnx.checker.check_model(model)
            self.network.model = model
            return True

        @property
        def num_errors(self) -> int:
            return len(self.faults)

        def get_error(self, place: int) -> str:
            return self.faults[place]

    class Builder:
        def __init__(self, logger: Logger) -> None:
            """Nothing is kept."""

        def create_network(self, flags: int) -> Any:
            assert flags == 2, "strongly typed"
            return SimpleNamespace(model=b"")

        def create_builder_config(self) -> Config:
            return Config()

        def create_optimization_profile(self) -> Profile:
            return Profile()

        def build_serialized_network(self, network: Any, config: Config) -> bytes | None:
            if module.refuses:
                return None
            monitor = config.progress_monitor
            monitor.phase_start("Building", None, 2)
            monitor.phase_start("Inner", "Building", 9)
            monitor.step_complete("Inner", 0)
            assert monitor.step_complete("Building", 0)
            monitor.phase_finish("Inner")
            head = json.dumps(config.profile.shapes).encode()
            module.built.append(config.aimed)
            module.limits = config.limits
            return b"FAKE" + struct.pack("<I", len(head)) + head + network.model

    class Runtime:
        def __init__(self, logger: Logger) -> None:
            """Nothing is kept."""

        def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
            if data[:4] != b"FAKE":
                return None
            length = struct.unpack_from("<I", data, 4)[0]
            return Engine(json.loads(data[8 : 8 + length]), data[8 + length :])

    module.__version__, module.built, module.refuses = version, [], False
    module.Logger, module.IProgressMonitor, module.Builder, module.Runtime = Logger, IProgressMonitor, Builder, Runtime
    module.OnnxParser, module.nptype = Parser, lambda kind: kind
    module.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    module.TensorIOMode = SimpleNamespace(INPUT="input", OUTPUT="output")
    module.NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    module.ComputeCapability = SimpleNamespace(SM86="SM86", SM89="SM89")
    return module


def cuda(name: str = "NVIDIA L4", capability: tuple[int, int] = (8, 9)) -> Any:
    """`cuda.bindings.runtime` with memory of the host; ``kept`` is what is allocated."""
    module: Any = ModuleType("cuda.bindings.runtime")
    module.kept = {}

    def malloc(size: int, flags: int = 0) -> tuple[int, int]:
        memory = ctypes.create_string_buffer(size)
        pointer = ctypes.addressof(memory)
        module.kept[pointer] = memory
        return 0, pointer

    def free(pointer: int) -> tuple[int]:
        del module.kept[pointer]
        return (0,)

    def copy(to: int, source: int, size: int, kind: str, stream: int) -> tuple[int]:
        assert stream == 7, "everything is on one stream"
        ctypes.memmove(to, source, size)
        return (0,)

    module.cudaMalloc = module.cudaHostAlloc = malloc
    module.cudaFree = module.cudaFreeHost = free
    module.cudaMemcpyAsync = copy
    module.cudaSetDevice = lambda index: (0,) if index == 0 else (101,)
    module.cudaStreamCreate = lambda: (0, 7)
    module.cudaStreamSynchronize = lambda stream: (0,)
    major, minor = capability
    module.cudaGetDeviceProperties = lambda index: (0, SimpleNamespace(name=name.encode(), major=major, minor=minor))
    module.cudaMemcpyKind = SimpleNamespace(
        cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down", cudaMemcpyDeviceToDevice="across"
    )
    return module
