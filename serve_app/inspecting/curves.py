"""Curves over time and how well two of them agree, and when. It does not know what they mean.

Every curve has a value each 5 ms from sample 0 on. A lag is positive where the first curve, the lips, comes late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serve_app.inspecting.labels import STEP
from streaming.media import RATE

Curve = NDArray[np.float64]

STEP_MS = 1000 * STEP / RATE
_REACH = 40  # steps: lags within 200 ms
_WINDOW_MS = 40
_QUIET = 0.01  # of loud speech (its 95th percentile): 40 dB below is silence


@dataclass(frozen=True, slots=True)
class Agreement:
    """Correlation of two curves."""

    r: float
    """At lag 0."""
    peak: float
    """The highest within 200 ms."""
    lag_ms: float
    """Where that is; positive: the lips are late."""


def resampled(times: NDArray[np.float64], values: Curve, end: int) -> Curve:
    """Straight lines through ``values`` at ``times`` (samples at 24 kHz), every 5 ms from 0 to ``end``."""
    return np.interp(np.arange(-(-end // STEP)) * STEP, times, values)


def agreement(lips: Curve, other: Curve) -> Agreement:
    """How well the lips follow the other curve, and how late. All zero where one of the two never changes."""
    length = min(len(lips), len(other))
    lips, other = lips[:length], other[:length]
    if length <= 4 * _REACH or lips.std() < 1e-9 or other.std() < 1e-9:
        return Agreement(0.0, 0.0, 0.0)
    inner = other[_REACH : length - _REACH]
    fits = np.array([_r(lips[_REACH + lag : length - _REACH + lag], inner) for lag in range(-_REACH, _REACH + 1)])
    top = int(np.argmax(fits))
    lag, peak = float(top - _REACH), float(fits[top])
    if 0 < top < 2 * _REACH:  # between the steps: a parabola through three values
        left, right = fits[top - 1], fits[top + 1]
        bend = left - 2 * peak + right
        if bend < 0:
            offset = 0.5 * (left - right) / bend
            lag, peak = lag + offset, peak - 0.25 * (left - right) * offset
    return Agreement(float(fits[_REACH]), float(peak), float(lag * STEP_MS))


def _r(a: Curve, b: Curve) -> float:
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 1e-12 else 0.0


def loudness(sound: NDArray[np.int16]) -> Curve:
    """Root mean square of 40 ms of sound at 24 kHz around every 5 ms, 1 where loud (the 95th percentile)."""
    half = RATE * _WINDOW_MS // 2000
    square = np.concatenate(([0.0], np.cumsum((sound.astype(np.float64) / 32768) ** 2)))
    at = np.arange(-(-len(sound) // STEP)) * STEP
    first, last = np.maximum(at - half, 0), np.minimum(at + half, len(sound))
    level = np.sqrt(np.maximum(square[last] - square[first], 0) / (last - first))
    return level / max(float(np.percentile(level, 95)), 1e-4) if len(level) else level


def quiet_stretches(level: Curve) -> list[tuple[int, int]]:
    """Where nothing is heard: (first sample, sample after the last). ``level`` as of ``loudness``."""
    quiet = np.concatenate(([False], level < _QUIET, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))).reshape(-1, 2) * STEP
    return [(int(first), int(last)) for first, last in edges]
