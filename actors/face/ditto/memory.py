"""What Ditto remembers of a reply between two spans, and how that travels as bytes: some 250 kB.

A fixed layout of numbers, little-endian; reading checks sizes and runs nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

from actors.face.ditto.motion.windows import EMPTY, Track
from actors.face.ditto.spec import AUDIO, CHUNK_FRAMES, MOTION, WINDOW, Array

_HEAD = struct.Struct("<4sqqqqqq")
_MAGIC = b"DT01"


class StateUnreadable(ValueError):
    """A FaceState's data that this version of Ditto did not write."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that coming frames depend on besides their sound, the seed and the plan."""

    idle_frame: int
    """Of the idle loop, at the reply's pts 0."""
    audio: Array
    """(80, 1024) float16: the newest features, silence before the reply's first."""
    heard: int
    """Frames of the reply whose features were made; a multiple of 5."""
    track: Track
    first: Array
    """(265,): the frame that all motion is relative to; zeros before the first window."""


def begin(idle_frame: int, silence: Array, frame: int = 0) -> Memory:
    """Before a reply, or before ``frame`` of one whose memory was lost: as if it had been silent until then.

    ``silence``: features (5, 1024) of no sound.
    """
    audio = np.tile(silence.astype(np.float16), (WINDOW // CHUNK_FRAMES, 1))
    heard = frame - frame % CHUNK_FRAMES
    return Memory(idle_frame, audio, heard, replace(EMPTY, end=heard), np.zeros(MOTION, np.float32))


def pack(memory: Memory) -> bytes:
    """Write a memory."""
    track = memory.track
    head = _HEAD.pack(
        _MAGIC, memory.idle_frame, memory.heard, track.end, track.open, track.windows, len(track.frames)
    )  # fmt: skip
    numbers = (memory.audio.astype("<f2"), track.frames.astype("<f4"), memory.first.astype("<f4"))
    return head + b"".join(np.ascontiguousarray(part).tobytes() for part in numbers)


def standing(data: bytes) -> tuple[int, int]:
    """Of a packed memory: frame of the reply after the last one that is in a window, and how many of those are open.

    Raises StateUnreadable.
    """
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise _wrong()
    _, _, _, end, open_, _, _ = _HEAD.unpack_from(data)
    return end, open_


def unpack(data: bytes) -> Memory:
    """Read a memory. Raises StateUnreadable on anything that `pack` did not write."""
    standing(data)
    _, idle_frame, heard, end, open_, windows, kept = _HEAD.unpack_from(data)
    if kept not in (0, WINDOW) or not 0 <= open_ <= WINDOW:
        raise _wrong()
    shapes = (("<f2", (WINDOW, AUDIO)), ("<f4", (kept, MOTION if kept else 0)), ("<f4", (MOTION,)))
    if len(data) != _HEAD.size + sum(int(kind[-1]) * int(np.prod(shape)) for kind, shape in shapes):
        raise _wrong()
    parts, at = [], _HEAD.size
    for kind, shape in shapes:
        count = int(np.prod(shape))
        parts.append(np.frombuffer(data, kind, count, at).reshape(shape).copy())
        at += int(kind[-1]) * count
    return Memory(idle_frame, parts[0], heard, Track(parts[1], end, open_, windows), parts[2])


def _wrong() -> StateUnreadable:
    return StateUnreadable("this face state was not written by this version of Ditto; start the reply anew")
