"""A reply made up for tests of faces: a voice-like buzz with phones, and spans cut from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streaming.media import FRAME, RATE, frames_for
from streaming.stages import Codec, Phone, Span

MS = RATE // 1000

SAYING = (
    ("", 120, 0), ("m", 80, 0), ("A", 180, 1), ("b", 70, 0), ("i", 120, 0), ("", 300, 0), ("f", 90, 0), ("O", 200, 1),
    ("ɹ", 60, 0), ("w", 70, 0), ("u", 130, 1), ("p", 80, 0), ("ɑ", 190, 1), ("", 240, 0),
)  # fmt: skip
"""(symbol, milliseconds, stress)"""


def phones(saying: Sequence[tuple[str, int, int]] = SAYING) -> tuple[Phone, ...]:
    made, start = [], 0
    for symbol, length, stress in saying:
        made.append(Phone(symbol, start, length * MS, stress))
        start += length * MS
    return tuple(made)


def sound(saying: Sequence[tuple[str, int, int]] = SAYING) -> bytes:
    """Buzz under every phone, louder under vowels, silence under silence."""
    parts, hertz = [], 180.0
    for symbol, length, stress in saying:
        hertz = 230.0 if stress else 180.0
        level = 0 if not symbol else 0.25 if symbol in "AiOuɑ" else 0.06
        parts.append(level * buzz(hertz, length * MS))
    return (np.concatenate(parts) * 32767).astype("<i2").tobytes()


def buzz(hertz: float, count: int) -> np.ndarray:
    """A voice-like tone: harmonics that fall off."""
    at = np.arange(count) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * n * at) / n for n in range(1, 12))
    return wave / np.abs(wave).max()


def span(
    pcm: bytes,
    known: Sequence[Phone] = (),
    first: int = 0,
    frames: int | None = None,
    look_ahead: int | None = None,
    *,
    session: str = "story",
    skip: int = 0,
    codec: Codec = "h264",
    idle_frame: int = 40,
    seed: int = 7,
    slack_ms: int = 3_600_000,
) -> Span:
    """Frames ``first`` on of a reply; with ``look_ahead`` (samples) it knows just so much and more is to come."""
    length = len(pcm) // 2
    count = frames_for(length) - first if frames is None else frames
    until = length if look_ahead is None else min(length, (first + count) * FRAME + look_ahead)
    near = tuple(p for p in known if p.start < until and p.start + p.samples > first * FRAME - RATE // 2)
    return Span(
        session, 1, first * FRAME, pcm[2 * first * FRAME : 2 * until], count, near, look_ahead is None, seed, "",
        codec, slack_ms, idle_frame, skip,
    )  # fmt: skip
