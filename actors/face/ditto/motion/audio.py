"""Sound at 24 kHz to the audio encoder's chunks at 16 kHz, and its answers to one feature a frame.

Each sample and each feature depends on its own place in the reply only, never on how the reply was cut, to the
last bit: sums run in a fixed order. It knows no encoder, only what one takes and gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from actors.face.ditto.spec import CHUNK, CHUNK_BEFORE, CHUNK_FRAMES, ENCODED, HOP, Array

Encode = Callable[[Array], Array]
"""6480 samples at 16 kHz in [-1, 1] to 20 rows at 50 Hz."""

_REACH = 24
"""Samples at 24 kHz that the low-pass reaches to each side."""
_CUTOFF = 7_400 / 24_000
"""The low-pass is at half its height here; 8 kHz is the end of what 16 kHz can carry."""

CHUNK_REACH = 3 * (CHUNK - CHUNK_BEFORE) // 2 + _REACH - 1
"""Samples at 24 kHz, from a chunk's first frame on, that the chunk needs to be known or past the end: 6863."""


def _taps(shift: float) -> Array:
    """A windowed sinc about ``shift`` samples at 24 kHz, its sum 1."""
    at = np.arange(-_REACH, _REACH + 1) - shift
    taps = np.sinc(2 * _CUTOFF * at) * np.cos(np.pi * at / (2 * _REACH + 2)) ** 2
    return (taps / taps.sum()).astype(np.float32)


_EVEN, _ODD = _taps(0.0), _taps(0.5)


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of a reply's sound; before and after it there is silence."""

    start: int
    """Samples at 24 kHz from the reply's first."""
    wave: Array
    """In [-1, 1] at 24 kHz."""

    @classmethod
    def of(cls, pcm24k: bytes, start: int) -> Sound:
        """From PCM16 mono."""
        return cls(start, np.frombuffer(pcm24k, "<i2").astype(np.float32) / 32768)

    @property
    def end(self) -> int:
        """Samples at 24 kHz from the reply's first to after the last."""
        return self.start + len(self.wave)

    def at_24k(self, first: int, count: int) -> Array:
        """``count`` samples from ``first`` on, zeros where there is none."""
        out = np.zeros(count, np.float32)
        low, high = max(first, self.start), min(first + count, self.end)
        if low < high:
            out[low - first : high - first] = self.wave[low - self.start : high - self.start]
        return out

    def at_16k(self, first: int, count: int) -> Array:
        """``count`` samples at 16 kHz from sample ``first`` (at 16 kHz) on; ``first`` is even."""
        if first % 2:
            raise ValueError(f"sound at 16 kHz is asked for from an even sample on, not from {first}")
        pairs = -(-count // 2)
        base = first // 2 * 3
        near = self.at_24k(base - _REACH, 3 * pairs + 2 * _REACH + 1)
        out = np.zeros((pairs, 2), np.float32)
        span = 3 * (pairs - 1) + 1
        for tap in range(2 * _REACH + 1):
            out[:, 0] += near[tap : tap + span : 3] * _EVEN[tap]
            out[:, 1] += near[tap + 1 : tap + 1 + span : 3] * _ODD[tap]
        return out.reshape(-1)[:count]


def chunk(sound: Sound, frame: int) -> Array:
    """The 6480 samples at 16 kHz that the encoder hears for the five frames from ``frame`` on."""
    return sound.at_16k(frame * HOP - CHUNK_BEFORE, CHUNK)


def features(encoded: Array) -> Array:
    """The encoder's (20, n) rows at 50 Hz to (5, n), one a frame."""
    if encoded.shape[0] != ENCODED:
        raise ValueError(f"the audio encoder gives {ENCODED} rows for {CHUNK} samples, not {encoded.shape[0]}")
    return encoded[-14:-4].reshape(CHUNK_FRAMES, 2, -1).mean(1, dtype=np.float32)


def whole(wave16k: Array, encode: Encode, *, before: int = CHUNK_BEFORE) -> Array:
    """All features of a sound at 16 kHz, one a started frame: (frames, n).

    ``before``: samples that a chunk hears before its first frame. Published code takes 1920 in its streaming path
    and 2000 in its other one, so that the two hear the same sound 5 ms apart.
    """
    count = -(-len(wave16k) // HOP)
    chunks = -(-count // CHUNK_FRAMES)
    padded = np.zeros(chunks * CHUNK_FRAMES * HOP + CHUNK, np.float32)
    padded[before : before + len(wave16k)] = wave16k
    step = CHUNK_FRAMES * HOP
    return np.concatenate([features(encode(padded[k * step : k * step + CHUNK])) for k in range(chunks)])[:count]
