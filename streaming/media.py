"""Sound and pictures as they travel: rates, encoded frames, and the 16-byte header of the wire.

There is one clock. ``pts`` counts samples at 24 kHz from the first sample of a reply, so that audio,
video frames, captions and the cut after an interruption share one axis: frame ``k`` has ``pts == 960 * k``.

This file knows nothing of turns taken, of codecs' insides, or of sockets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

RATE = 24_000
"""Samples per second of everything that is heard: the reply's clock."""

MIC_RATE = 16_000
"""Samples per second of everything that is spoken into a microphone."""

FPS = 25
"""Pictures per second."""

FRAME = RATE // FPS
"""Samples of sound under one picture: exactly 960."""

SAMPLE_BYTES = 2
"""Bytes of one PCM16 sample, mono, little-endian."""


def samples(pcm: bytes) -> int:
    """How many samples a block of PCM16 mono holds. Raises ValueError on half a sample."""
    if len(pcm) % SAMPLE_BYTES:
        raise ValueError(f"PCM16 comes in whole samples of 2 bytes, not in {len(pcm)} bytes; buffer the odd byte")
    return len(pcm) // SAMPLE_BYTES


def frames_for(sample_count: int) -> int:
    """How many pictures cover ``sample_count`` samples at 24 kHz: the last one may be part filled."""
    return -(-sample_count // FRAME)


@dataclass(frozen=True, slots=True)
class FramePacket:
    """One encoded picture: one H.264 access unit (Annex B) or one JPEG."""

    pts: int
    """Sample at 24 kHz, counted from the reply's first, at which the picture is due."""
    data: bytes
    """The encoded picture."""
    key: bool
    """True if decoding can begin here."""
    check: int = 0
    """CRC-32 of the picture before encoding (BGR rows, top to bottom); 0 where the engine gives none."""


class Kind(IntEnum):
    """What a binary message holds."""

    VIDEO = 1
    AUDIO = 2
    END = 3
    MICROPHONE = 16


class Flag(IntFlag):
    """What a receiver must know before it reads the payload."""

    NONE = 0
    KEY = 1
    LAST = 2
    DISCONTINUITY = 4


_HEADER = struct.Struct("<BBHIII")
HEADER_BYTES = _HEADER.size


class WireError(ValueError):
    """A binary message that cannot be read. Answer the sender with it; the connection may live."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One binary message of the ``realtime-avatar.v1`` subprotocol."""

    kind: Kind
    flags: Flag
    turn: int
    """Reply number, modulo 65,536."""
    seq: int
    """Count of all messages in this direction, modulo 2**32."""
    pts: int
    """Samples: at 24 kHz from the reply's first sample; at 16 kHz from the session's first for a microphone."""
    sender_ms: int
    """The sender's own clock in milliseconds, modulo 2**32; only differences mean anything."""
    payload: bytes = b""


def pack(unit: Unit) -> bytes:
    """Write a unit as header and payload."""
    wrap = 0xFFFFFFFF
    head = _HEADER.pack(
        unit.kind, unit.flags, unit.turn & 0xFFFF, unit.seq & wrap, unit.pts & wrap, unit.sender_ms & wrap
    )
    return head + unit.payload


def unpack(message: bytes) -> Unit:
    """Read a unit. Raises WireError if it is shorter than its header or of a kind that nobody defined."""
    if len(message) < HEADER_BYTES:
        raise WireError(f"a binary message starts with {HEADER_BYTES} header bytes; this one has {len(message)}")
    kind, flags, turn, seq, pts, sender_ms = _HEADER.unpack_from(message)
    try:
        known = Kind(kind)
    except ValueError:
        raise WireError(f"binary message of unknown kind {kind}; known are 1, 2, 3 and 16") from None
    return Unit(known, Flag(flags & 7), turn, seq, pts, sender_ms, bytes(message[HEADER_BYTES:]))
