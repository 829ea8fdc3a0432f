"""What a conversion writes: safetensors, npz and TOML, as bytes. It opens no file."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from actors.face.ditto.spec import Array

_NAMES = {
    "float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


def safetensors(tensors: Mapping[str, Array]) -> bytes:
    """Length of a JSON header (8 bytes), the header, the numbers of all tensors in order of their names."""
    head: dict[str, Any] = {}
    data: list[bytes] = []
    at = 0
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name])
        raw = np.ascontiguousarray(tensor.astype(tensor.dtype.newbyteorder("<"))).tobytes()
        head[name] = {
            "dtype": _NAMES[tensor.dtype.name], "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)],
        }  # fmt: skip
        at += len(raw)
        data.append(raw)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data)


def npz(arrays: Mapping[str, Array]) -> bytes:
    """All arrays by name; to be read with ``allow_pickle=False``."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)  # type: ignore[arg-type]  # names are chosen by the file
    return out.getvalue()


def split(value: Mapping[str, Any], above: str = "") -> tuple[dict[str, Any], dict[str, Array]]:
    """A configuration in two: what TOML can say, and its arrays by dotted name. None is left out."""
    said: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for key, each in value.items():
        name = f"{above}{key}"
        if isinstance(each, np.ndarray):
            arrays[name] = each
        elif isinstance(each, dict):
            said[key], more = split(each, f"{name}.")
            arrays |= more
        elif isinstance(each, list) and not all(isinstance(part, bool | int | float | str) for part in each):
            inner, more = split({str(place): part for place, part in enumerate(each)}, f"{name}.")
            arrays |= more
            if inner:
                said[key] = inner
        elif each is not None:
            said[key] = each
    return said, arrays


def toml(value: Mapping[str, Any]) -> str:
    """A configuration as TOML: text, numbers, truth, lists of those, and tables of all that."""
    return "\n".join(_table(value, ())) + "\n"


def _table(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    flat = {key: each for key, each in value.items() if not isinstance(each, dict)}
    if path and (flat or not value):
        yield f"\n[{'.'.join(map(_text, path))}]"
    for key, each in flat.items():
        yield f"{_text(key)} = {_said(each)}"
    for key, each in value.items():
        if isinstance(each, dict):
            yield from _table(each, (*path, key))


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    return json.dumps(value).replace("\x7f", "\\u007f")
