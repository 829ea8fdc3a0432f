"""Engines of TensorRT and TensorRT for RTX: built from graphs, and kept for the next start.

An engine belongs to a kind of GPU, a version of the library, a graph, a precision and the sizes that it was built for;
all of that is in its name, so one that does not fit is never found. Precisions are those that the graph is written in:
networks are strongly typed. One engine is built at a time, and what was tuned for one is remembered for the next.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from actors.caps import cap
from actors.face.ditto.export.files import told, write, write_told
from streaming.stages import StageError

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
Range = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Least, usual and largest shape of an input."""

LIBRARIES = {"tensorrt": ("tensorrt", "tensorrt_bindings"), "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""Modules to look for, by runtime; the second is there where only the wheels with the library are installed."""
_MISSING = {
    "tensorrt": "PyPI has only stubs of it: install tensorrt 11.2 or newer from NVIDIA's own index, or its container",
    "tensorrt-rtx": "install it: pip install 'realtime-avatar[tensorrt-rtx]'",
}


@dataclass(frozen=True, slots=True)
class Made:
    """What an engine was made of and for."""

    graph: str
    """sha256 of the graph."""
    precision: str
    library: str
    """Name and version."""
    capability: str
    """As "sm89"."""
    gpu: str
    """Its name; "" where engines fit every GPU of an architecture."""
    ranges: Mapping[str, Range]

    @property
    def key(self) -> str:
        """Sixteen letters that differ whenever anything above does."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def library(runtime: str) -> Any:
    """The module of a runtime. Raises StageError that says where it comes from."""
    reasons: list[str] = []
    for name in LIBRARIES[runtime]:
        try:
            return import_module(name)
        except ImportError as error:
            reasons.append(str(error))
    raise StageError(f"the runtime {runtime!r} is not installed ({'; '.join(reasons)}); {_MISSING[runtime]}")


def reads_volumes(runtime: str, version: str) -> bool:
    """Whether this version can read a volume at places; where not, the warp is split there."""
    if runtime == "tensorrt-rtx":
        return True
    return tuple(int(part) for part in version.split(".")[:2]) >= (11, 2)


class Engines:
    """The engines of one folder, for one library and kind of GPU."""

    def __init__(self, folder: Path, runtime: str, trt: Any, *, capability: str, gpu: str) -> None:
        """``capability``: "sm89"; ``gpu``: the name of the GPU of this machine."""
        self._folder, self._runtime, self._trt = folder, runtime, trt
        self._capability = capability
        self._card = gpu
        self._gpu = "" if runtime == "tensorrt-rtx" else gpu
        self._caches: dict[str, Any] = {}
        self.logger = trt.Logger(trt.Logger.WARNING)

    def ready(
        self, name: str, graph: Path, sha: str, precision: str, ranges: Mapping[str, Range], say: Progress
    ) -> bytes:
        """The engine of a graph, built if there is none yet. Raises StageError if it cannot be."""
        version = f"{self._runtime} {self._trt.__version__}"
        made = Made(sha, precision, version, self._capability, self._gpu, ranges)
        path = self._folder / f"{name}-{made.key}.engine"
        if told(path) is not None:
            log.info("ditto: the engine %s is there", path.name)
            return path.read_bytes()
        log.info("ditto: building %s for %s with %s", path.name, self._gpu or self._capability, version)
        data = self._built(name, graph, ranges, say)
        write_told(path, data, asdict(made))
        log.info("ditto: built %s, %.1f MB", path.name, len(data) / 1e6)
        return data

    def context(self, name: str, engine: Any) -> Any:
        """What an engine runs in; None if there is no room. TensorRT for RTX gets the kernels of the last start."""
        if self._runtime != "tensorrt-rtx":
            return engine.create_execution_context()
        config = engine.create_runtime_config()
        cache = config.create_runtime_cache()
        path = self._kernels(name)
        if path.exists():
            cache.deserialize(path.read_bytes())
        config.set_runtime_cache(cache)
        self._caches[name] = cache
        return engine.create_execution_context(config)

    def remember(self) -> None:
        """Keep the kernels that TensorRT for RTX has finished on this GPU for the next start."""
        for name, cache in self._caches.items():
            write(self._kernels(name), bytes(cache.serialize()))

    def _kernels(self, name: str) -> Path:
        named = f"{self._card} {self._capability} {self._trt.__version__}"
        return self._folder / f"{name}-{hashlib.sha256(named.encode()).hexdigest()[:16]}.kernels"

    def forget(self, name: str) -> None:
        """Remove a graph's engines that could not be used."""
        for path in self._folder.glob(f"{name}-*"):
            path.unlink(missing_ok=True)

    def _built(self, name: str, graph: Path, ranges: Mapping[str, Range], say: Progress) -> bytes:
        trt = self._trt
        builder = trt.Builder(self.logger)
        network = builder.create_network(_typed(trt))
        parser = trt.OnnxParser(network, self.logger)
        if not parser.parse(graph.read_bytes()):
            faults = "; ".join(str(parser.get_error(place)) for place in range(parser.num_errors))
            raise StageError(f"{self._runtime} cannot read {graph}: {faults}")
        config = builder.create_builder_config()
        self._aim(config)
        if megabytes := cap("tensorrt_mb"):
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(megabytes) << 20)
        profile = builder.create_optimization_profile()
        for each, (least, usual, largest) in ranges.items():
            profile.set_shape(each, least, usual, largest)
        config.add_optimization_profile(profile)
        if hasattr(trt, "IProgressMonitor"):
            config.progress_monitor = _monitor(trt, name, say)
        timings = self._timings(config)
        data = builder.build_serialized_network(network, config)
        if data is None:
            raise StageError(f"{self._runtime} cannot build {name}; what it says of it is in the log above")
        if timings is not None:
            write(timings, bytes(config.get_timing_cache().serialize()))
        say(name, 1.0)
        return bytes(data)

    def _aim(self, config: Any) -> None:
        """TensorRT for RTX compiles for an architecture that it is told; the other one for the GPU that is there."""
        if self._runtime != "tensorrt-rtx":
            return
        wanted = getattr(self._trt.ComputeCapability, self._capability.upper(), None)
        if wanted is None:
            raise StageError(
                f"TensorRT for RTX {self._trt.__version__} has no GPU {self._capability!r}; it knows"
                f" {', '.join(name.lower() for name in dir(self._trt.ComputeCapability) if name.startswith('SM'))}"
            )
        config.num_compute_capabilities = 1
        config.set_compute_capability(wanted, 0)

    def _timings(self, config: Any) -> Path | None:
        """What was measured while other engines were built. The ahead-of-time compiler measures nothing."""
        if self._runtime == "tensorrt-rtx":
            return None
        named = f"{self._gpu} {self._capability} {self._trt.__version__}"
        path = self._folder / f"timings-{hashlib.sha256(named.encode()).hexdigest()[:16]}.cache"
        cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
        return path


def _typed(trt: Any) -> int:
    """The flags of a strongly typed network; from TensorRT 11 on there is no other kind."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    if flag is None:
        raise StageError(f"TensorRT {trt.__version__} cannot take precisions from the graph; use 10 or newer")
    return 1 << int(flag)


def _monitor(trt: Any, name: str, say: Progress) -> Any:
    """Tells the outermost phase's share."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self._outer: str | None = None
            self._steps = 1

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                self._outer, self._steps = phase_name, max(num_steps, 1)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name == self._outer:
                say(name, min((step + 1) / self._steps, 1.0))
            return True

        def phase_finish(self, phase_name: str) -> None:
            """Nothing is told: the next phase or the end is."""

    return Monitor()
