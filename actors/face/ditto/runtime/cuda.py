"""Memory and one stream of one GPU, by NVIDIA's own bindings: 8 MB, where torch for the same would be gigabytes.

Whoever runs engines needs no more of CUDA than this. Every call that fails raises StageError with CUDA's own name for
it. Not run on a GPU.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright takes `torch` for the file beside this one where torch is not installed.
from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from actors.face.ditto.spec import Array
from streaming.stages import StageError


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Buffer:
    """Memory on the device that is freed when nobody holds it."""

    pointer: int
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    owner: Any = field(default=None, repr=False)
    """What keeps the memory; None for the one that was allocated."""

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.kind.itemsize

    def shaped(self, shape: tuple[int, ...]) -> Buffer:
        """Its beginning as another shape."""
        return Buffer(self.pointer, shape, self.kind, self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.kind.str, "data": (self.pointer, False), "version": 3}


class Cuda:
    """One device."""

    def __init__(self, index: int = 0) -> None:
        """Raises StageError where the bindings, the driver or the device is missing."""
        try:
            self._cuda: Any = import_module("cuda.bindings.runtime")
        except ImportError as error:
            raise StageError("engines need NVIDIA's cuda-bindings: pip install 'cuda-bindings>=13'") from error
        self._index = index
        self.use()
        self._stream = self._call("cudaStreamCreate")
        self._slots: dict[str, Buffer] = {}
        self._pinned: Buffer | None = None
        told = self._call("cudaGetDeviceProperties", index)
        self.name = told.name.decode() if isinstance(told.name, bytes) else str(told.name)
        self.capability = f"sm{told.major}{told.minor}"

    def use(self) -> None:
        """Make it this thread's device, which each thread has to be told."""
        self._call("cudaSetDevice", self._index)

    @property
    def stream(self) -> int:
        """The handle of the stream that everything here is ordered by."""
        return int(self._stream)

    def empty(self, shape: tuple[int, ...], kind: Any) -> Buffer:
        """Memory of its own."""
        self.use()
        made = Buffer(0, shape, np.dtype(kind))
        pointer = int(self._call("cudaMalloc", max(made.size, 1)))
        buffer = Buffer(pointer, shape, made.kind)
        weakref.finalize(buffer, self._cuda.cudaFree, pointer).atexit = False
        return buffer

    def slot(self, name: str, shape: tuple[int, ...], kind: Any) -> Buffer:
        """Memory that lasts under a name; it is replaced only by larger."""
        wanted = Buffer(0, shape, np.dtype(kind))
        had = self._slots.get(name)
        if had is None or had.size < wanted.size or had.kind != wanted.kind:
            had = self._slots[name] = self.empty(shape, kind)
        return had.shaped(shape)

    def write(self, buffer: Buffer, array: Array) -> Buffer:
        """An array into memory."""
        array = np.ascontiguousarray(array, buffer.kind)
        self._copy(buffer.pointer, array.ctypes.data, buffer.size, "cudaMemcpyHostToDevice")
        return buffer

    def read(self, buffer: Buffer) -> Array:
        """Memory as an array, once all that was begun before is done; by way of pages that the device may write to."""
        if self._pinned is None or self._pinned.size < buffer.size:
            pointer = int(self._call("cudaHostAlloc", buffer.size, 0))
            self._pinned = Buffer(pointer, (buffer.size,), np.dtype(np.uint8))
            weakref.finalize(self._pinned, self._cuda.cudaFreeHost, pointer).atexit = False
        self._copy(self._pinned.pointer, buffer.pointer, buffer.size, "cudaMemcpyDeviceToHost")
        self._call("cudaStreamSynchronize", self._stream)
        return host(self._pinned.pointer, buffer).copy()

    def copy(self, to: Buffer, source: Buffer, offset: int = 0) -> None:
        """Memory into memory, ``offset`` bytes in."""
        self._copy(to.pointer + offset, source.pointer, source.size, "cudaMemcpyDeviceToDevice")

    def tensor(self, buffer: Buffer) -> Any:
        """The same memory as a tensor of torch."""
        import torch

        return torch.as_tensor(buffer, device="cuda")

    def _copy(self, to: int, source: int, size: int, way: str) -> None:
        self._call("cudaMemcpyAsync", to, source, size, getattr(self._cuda.cudaMemcpyKind, way), self._stream)

    def _call(self, name: str, *given: Any) -> Any:
        code, *results = getattr(self._cuda, name)(*given)
        if int(code):
            raise StageError(f"the GPU cannot be used: {name} gives {getattr(code, 'name', code)}")
        return results[0] if results else None


def host(pointer: int, like: Buffer) -> Array:
    """Memory of the host as an array, not copied."""
    import ctypes

    raw = (ctypes.c_uint8 * like.size).from_address(pointer)
    return np.frombuffer(memoryview(raw), like.kind).reshape(like.shape)
