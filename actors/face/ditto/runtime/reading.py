"""Volumes read at places by torch, between engines that cannot: the same memory, on the engines' stream."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright takes `torch` for the file beside this one where torch is not installed.
from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from actors.face.ditto.export import modules
from actors.face.ditto.nets.blocks import sampled
from actors.face.ditto.runtime.cuda import Buffer


def moved(cuda: Any, small: Buffer, flows: Buffer) -> Buffer:
    """(n, flows, c, d, h, w): the small volume read at every flow."""
    return _held(cuda, small, flows, modules.moved)


def read(cuda: Any, volume: Buffer, places: Buffer) -> Buffer:
    """(n, c, d, h, w) read at (n, d, h, w, 3)."""
    return _held(cuda, volume, places, sampled)


@torch.inference_mode()
def _held(cuda: Any, volume: Buffer, places: Buffer, reading: Any) -> Buffer:
    with _on(cuda):
        numbers = cuda.tensor(volume)
        out = reading(numbers.float(), cuda.tensor(places)).to(numbers.dtype).contiguous()
    return Buffer(out.data_ptr(), tuple(out.shape), np.dtype(volume.kind), out)


def _on(cuda: Any) -> AbstractContextManager[Any]:
    if not torch.cuda.is_available():
        return nullcontext()
    return torch.cuda.stream(torch.cuda.ExternalStream(cuda.stream))
