"""Pickles of arrays and plain containers, read without running anything that they name.

A pickle names functions; the few that arrays need stand for harmless ones of this file, every other name is refused.
Arrays come out as numpy's, made from their bytes here; nothing of torch or numpy is handed to the pickle.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from actors.face.ditto.spec import Array


class Refused(ValueError):
    """A file that is not read; the message says what it wanted, or what is wrong with it."""


KINDS = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1", "BoolStorage": "|b1",
}  # fmt: skip
"""torch's storages that numpy has numbers for."""
_PLAIN = "biuf"
"""Kinds of numpy numbers that are read: truth, whole, and broken ones. No objects, no text."""


class _Named:
    """A name that may be mentioned and means nothing by itself."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Kind:
    """numpy.dtype(...) as a pickle makes it."""

    def __init__(self, code: Any = "V", *_: Any) -> None:
        self.kind = np.dtype(code) if isinstance(code, str) and code[:1] in _PLAIN else None
        if self.kind is None:
            raise Refused(f"the pickle holds an array of {code!r}; only plain numbers are read")

    def __setstate__(self, state: Any) -> None:
        assert self.kind is not None
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise Refused("the pickle describes numbers in a way that is not known")
        self.kind = self.kind.newbyteorder(state[1])


class _Array:
    """numpy._reconstruct(...) as a pickle makes it; its numbers come afterwards."""

    def __init__(self, *_: Any) -> None:
        self.array: Array | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise Refused("the pickle describes an array in a way that is not known")
        _, shape, kind, by_column, data = state
        self.array = _filled(data, kind, shape, "F" if by_column else "C")


def _filled(data: Any, kind: Any, shape: Any, order: Any = "C") -> Array:
    if not isinstance(kind, _Kind) or not isinstance(data, bytes | bytearray) or not isinstance(shape, tuple):
        raise Refused("the pickle describes an array in a way that is not known")
    if order not in ("C", "F"):
        raise Refused("the pickle describes an array in a way that is not known")
    return np.frombuffer(bytes(data), kind.kind).reshape(shape, order=order).copy()


def _scalar(kind: Any, data: Any) -> Any:
    return _filled(data, kind, ()).item()


def _encoded(text: Any, coding: Any = "latin1") -> bytes:
    """How old pickles write bytes."""
    if not isinstance(text, str) or coding not in ("latin1", "latin-1"):
        raise Refused("the pickle writes bytes in a way that is not known")
    return text.encode("latin1")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Array:
    """A view of a storage, copied out after its bounds were looked at."""
    if not isinstance(storage, np.ndarray) or not all(
        isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides)
    ):
        raise Refused("the pickle describes a tensor in a way that is not known")
    count = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if all(shape) else 0
    if offset + count > storage.size or math.prod(shape) > storage.size:
        raise Refused("the pickle describes a tensor that is larger than its numbers")
    bytes_each = storage.itemsize
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [bytes_each * step for step in strides])
    return np.ascontiguousarray(view).reshape(shape)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_NUMPY: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Named("ndarray"),
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): OrderedDict,
}
for _core in ("numpy.core", "numpy._core"):
    _NUMPY[f"{_core}.multiarray", "_reconstruct"] = _Array
    _NUMPY[f"{_core}.multiarray", "scalar"] = _scalar
    _NUMPY[f"{_core}.numeric", "_frombuffer"] = _filled
_TORCH: dict[tuple[str, str], Any] = {
    **_NUMPY,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", kind): _Named(kind) for kind in KINDS},
}


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes, allowed: Mapping[tuple[str, str], Any], storage: Callable[[Any], Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._allowed, self._storage = allowed, storage

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return self._allowed[module_name, global_name]
        except KeyError:
            raise Refused(f"the pickle asks for {module_name}.{global_name}, which no file of numbers needs") from None

    def persistent_load(self, pid: Any) -> Any:
        return self._storage(pid)


def read_pickle(data: bytes) -> Any:
    """Dictionaries, lists, numbers, text and arrays of a pickle. Raises Refused on anything else."""
    return _plain(_read(data, _NUMPY, _no_storage))


def read_checkpoint(data: bytes) -> dict[str, Any]:
    """What torch.save wrote: containers and arrays. Raises Refused on anything else."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        raise Refused("this is no checkpoint of torch 1.6 or later; save it again with a newer torch") from None
    names = archive.namelist()
    inner = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
    if len(inner) != 1:
        raise Refused("this is no checkpoint of torch: it holds no data.pkl")
    home = inner[0].removesuffix("data.pkl")
    if home + "byteorder" in names and archive.read(home + "byteorder") != b"little":
        raise Refused("this checkpoint was saved on a machine of the other byte order; save it on this one")

    def storage(pid: Any) -> Array:
        if not isinstance(pid, tuple) or len(pid) != 5 or not isinstance(pid[1], _Named) or pid[1].name not in KINDS:
            raise Refused("the checkpoint holds numbers of a kind that is not read")
        place = f"{home}data/{pid[2]}"
        if place not in names:
            raise Refused(f"the checkpoint lacks {place}")
        return np.frombuffer(archive.read(place), KINDS[pid[1].name])

    found = _plain(_read(archive.read(inner[0]), _TORCH, storage))
    if not isinstance(found, dict):
        raise Refused("the checkpoint holds no names")
    return found


def _no_storage(pid: Any) -> Any:
    raise Refused("the pickle refers to something outside itself")


def _read(data: bytes, allowed: Mapping[tuple[str, str], Any], storage: Callable[[Any], Any]) -> Any:
    try:
        return _Reader(data, allowed, storage).load()
    except Refused:
        raise
    except Exception as error:  # whatever a broken pickle does to the machine that reads it
        raise Refused(f"the pickle is broken: {type(error).__name__}") from error


def _plain(value: Any) -> Any:
    """Stand-ins replaced by arrays; what is neither a number, text, array nor container is refused."""
    if isinstance(value, _Array):
        if value.array is None:
            raise Refused("the pickle holds an array without numbers")
        return value.array
    if isinstance(value, dict):
        return {_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str | np.ndarray):
        return value
    raise Refused(f"the pickle holds {type(value).__name__}, which is not read")


def _key(key: Any) -> str:
    if not isinstance(key, str | int):
        raise Refused(f"the pickle names something by {type(key).__name__}; only text and numbers are names")
    return str(key)
