"""What the portrait remembers of a reply between two spans, and how that travels as bytes.

A fixed layout of numbers, little-endian; reading checks the size and runs nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RING = 64
"""Steps of 10 ms that are kept, the newest 240 ms after the middle of the frame being drawn."""
NOW = RING - 1 - 24
"""Place in the ring of the middle of the frame being drawn."""
CEPSTRA = 13
LEVEL_BINS = 60
PITCH_BINS = 72

_HEAD = struct.Struct("<4sqqqqqqqddd")
_MAGIC = b"PF01"

Array = NDArray[np.float64]


class StateUnreadable(ValueError):
    """A FaceState's data that this version of the portrait did not write."""


@dataclass(slots=True)
class Memory:
    """Everything that a frame depends on besides its sound and phones; changed frame by frame."""

    seed: int
    idle_frame: int
    has_phones: bool = False
    blink_at: int = -1000
    """First frame of the newest blink that speech added."""
    blink_due: int = 0
    gaze_until: int = 0
    draws: int = 0
    """How many random decisions were taken."""
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    heard: float = 0.0
    """Voiced steps that the mean of the cepstra has seen."""
    brows_at: Array = field(default_factory=lambda: np.full(2, -1e6))
    """Steps at which the brows are highest, older first."""
    pitch: Array = field(default_factory=lambda: np.zeros(RING))
    """log2 of F0 in Hz by step; 0 where there is no voice."""
    level: Array = field(default_factory=lambda: np.full(RING, -90.0))
    """Sound level in dB below full scale by step."""
    cepstra: Array = field(default_factory=lambda: np.zeros((RING, CEPSTRA)))
    cepstra_mean: Array = field(default_factory=lambda: np.zeros(CEPSTRA))
    levels: Array = field(default_factory=lambda: np.zeros(LEVEL_BINS))
    """Fading histogram of level while there is sound."""
    pitches: Array = field(default_factory=lambda: np.zeros(PITCH_BINS))
    """Fading histogram of log2 F0."""


_ARRAYS = {
    "brows_at": (2,),
    "pitch": (RING,),
    "level": (RING,),
    "cepstra": (RING, CEPSTRA),
    "cepstra_mean": (CEPSTRA,),
    "levels": (LEVEL_BINS,),
    "pitches": (PITCH_BINS,),
}
_SIZE = _HEAD.size + 8 * sum(int(np.prod(shape)) for shape in _ARRAYS.values())


def pack(memory: Memory) -> bytes:
    """Write a memory; about 9 kB."""
    m = memory
    head = _HEAD.pack(
        _MAGIC, m.seed, m.idle_frame, int(m.has_phones), m.blink_at, m.blink_due, m.gaze_until, m.draws,
        m.gaze_x, m.gaze_y, m.heard,
    )  # fmt: skip
    return head + b"".join(np.ascontiguousarray(getattr(m, name), "<f8").tobytes() for name in _ARRAYS)


def unpack(data: bytes) -> Memory:
    """Read a memory. Raises StateUnreadable on anything that `pack` did not write."""
    if len(data) != _SIZE or data[:4] != _MAGIC:
        raise StateUnreadable("this face state was not written by this version of the portrait; start the reply anew")
    _, seed, idle_frame, has_phones, *numbers = _HEAD.unpack_from(data)
    blink_at, blink_due, gaze_until, draws, gaze_x, gaze_y, heard = numbers
    arrays, offset = {}, _HEAD.size
    for name, shape in _ARRAYS.items():
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(data, "<f8", count, offset).reshape(shape).copy()
        offset += 8 * count
    return Memory(
        seed, idle_frame, bool(has_phones), blink_at, blink_due, gaze_until, draws, gaze_x, gaze_y, heard, **arrays
    )
