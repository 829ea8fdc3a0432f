"""What the portrait hears: level, pitch and cepstra in steps of 10 ms, with running statistics.

A frame brings exactly four new steps, the last 240 ms after its middle, so every step is computed once, from the
same samples, however a reply is cut. It knows nothing of lips or heads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.memory import CEPSTRA, LEVEL_BINS, NOW, PITCH_BINS, Memory
from streaming.media import FRAME, RATE

STEP = RATE // 100
"""Samples of one step."""
WARM_UP = 6
"""Frames before the first whose steps must be heard so that the ring is full."""

_HALF = 480
_FIRST = 23 * STEP - _HALF  # first sample of a frame's four windows, from the frame's own first
_SPAN = 3 * STEP + 2 * _HALF
_SLOW = RATE // 4
_SHORTEST, _LONGEST = _SLOW // 420, _SLOW // 70
_WINDOW = np.hanning(2 * _HALF // 4 + 2)[1:-1]
_FFT = 512
_WINDOW_SHAPE = np.fft.irfft(np.abs(np.fft.rfft(_WINDOW, _FFT)) ** 2)[: _LONGEST + 2]
_LOWEST_OCTAVE = np.log2(60.0)
_FADE = 0.9995
_QUIET_DB = -50.0
_PRIOR_LEVEL, _PRIOR_STEPS = -23.0, 25.0


class Sound:
    """A reply's sound from some sample on, silent before and after."""

    def __init__(self, pcm24k: bytes, start: int) -> None:
        self._samples = np.frombuffer(pcm24k, "<i2").astype(np.float32) / 32768.0
        self._start = start
        self.end = start + len(self._samples)

    def cut(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples ``first .. first + count`` of the reply."""
        cut = np.zeros(count, np.float32)
        low, high = max(first, self._start), min(first + count, self.end)
        if low < high:
            cut[low - first : high - first] = self._samples[low - self._start : high - self._start]
        return cut


def begin(seed: int, idle_frame: int, cepstra_mean: NDArray[np.float64]) -> Memory:
    """The memory of a reply that begins, with an expectation of how loud a voice is."""
    memory = Memory(seed, idle_frame, cepstra_mean=cepstra_mean.copy())
    memory.levels[_level_bin(_PRIOR_LEVEL)] = _PRIOR_STEPS
    return memory


def hear(sound: Sound, frame: int, memory: Memory) -> None:
    """Take in the four steps that frame ``frame`` adds."""
    windows = _windows(sound, frame)
    level = 20 * np.log10(np.sqrt(np.mean(windows[:, 240:-240] ** 2, axis=1, dtype=np.float64)) + 1e-5)
    pitch = _pitches(windows, level)
    memory.level = np.concatenate([memory.level[4:], level])
    memory.pitch = np.concatenate([memory.pitch[4:], pitch])
    if not memory.has_phones:
        _keep_cepstra(cepstra(windows), level, memory)
    for db, octave in zip(level, pitch, strict=True):
        if db > _QUIET_DB:
            memory.levels *= _FADE
            memory.levels[_level_bin(db)] += 1
        if octave > 0:
            memory.pitches *= _FADE
            memory.pitches[_pitch_bin(octave)] += 1


def _windows(sound: Sound, frame: int) -> NDArray[np.float32]:
    stretch = sound.cut(frame * FRAME + _FIRST, _SPAN)
    return np.stack([stretch[i * STEP : i * STEP + 2 * _HALF] for i in range(4)])


def _keep_cepstra(new: NDArray[np.float64], level: NDArray[np.float64], memory: Memory) -> None:
    for db, row in zip(level, new, strict=True):
        if db > _QUIET_DB:
            memory.heard = min(memory.heard + 1, 800.0)
            memory.cepstra_mean = memory.cepstra_mean + (row - memory.cepstra_mean) / (150 + memory.heard)
    memory.cepstra = np.concatenate([memory.cepstra[4:], new])


def _pitches(windows: NDArray[np.float32], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """log2 F0 of (4, 960) samples, 0 without voice: the normalised autocorrelation of Boersma, 1993."""
    slow = windows.reshape(4, -1, 4).mean(axis=2, dtype=np.float64)
    slow = (slow - slow.mean(axis=1, keepdims=True)) * _WINDOW
    power = np.fft.irfft(np.abs(np.fft.rfft(slow, _FFT)) ** 2)[:, : _LONGEST + 2]
    alike = power / (_WINDOW_SHAPE / _WINDOW_SHAPE[0]) / (power[:, :1] + 1e-9)
    alike[:, : _SHORTEST - 1] = 0
    lags = np.arange(_LONGEST + 2)
    peaks = (alike[:, 1:-1] >= alike[:, :-2]) & (alike[:, 1:-1] > alike[:, 2:])
    score = np.where(peaks, alike[:, 1:-1] - 0.03 * np.log2(lags[1:-1] / _SHORTEST), -1.0)
    best = score.argmax(axis=1) + 1
    rows = np.arange(4)
    left, middle, right = (alike[rows, best + i] for i in (-1, 0, 1))
    curve = left - 2 * middle + right
    exact = best + np.where(curve < 0, 0.5 * (left - right) / np.where(curve < 0, curve, 1.0), 0.0)
    voiced = (middle > 0.55) & (level > _QUIET_DB + 5)
    return np.where(voiced, np.log2(_SLOW / np.maximum(exact, 1.0)), 0.0)


# ---- running statistics ------------------------------------------------------------------------------------


def _level_bin(db: float) -> int:
    return int(min(LEVEL_BINS - 1, max(0.0, db + 65.0)))


def _pitch_bin(octave: float) -> int:
    return int(min(PITCH_BINS - 1, max(0.0, (octave - _LOWEST_OCTAVE) * 24)))


def _quantile(histogram: NDArray[np.float64], share: float) -> float:
    """Place of a quantile in bins, between their edges."""
    sums = histogram.cumsum()
    wanted = share * sums[-1]
    place = int(np.searchsorted(sums, wanted))
    below = sums[place - 1] if place else 0.0
    return place + (wanted - below) / max(histogram[place], 1e-9)


def loudness(memory: Memory) -> NDArray[np.float64]:
    """Amplitude of every step relative to the running 85th percentile of sound, at most 1.5: (RING,)."""
    usual = _quantile(memory.levels, 0.85) - 65.0
    return np.minimum(10 ** ((memory.level - usual) / 20), 1.5)


def usual_pitch(memory: Memory) -> float | None:
    """Running median of log2 F0; None until a voice was heard for 50 ms."""
    if memory.pitches.sum() < 5:
        return None
    return _quantile(memory.pitches, 0.5) / 24 + _LOWEST_OCTAVE


def loudness_now(memory: Memory) -> float:
    """Loudness in the middle of the frame, smoothed over 50 ms."""
    return float((loudness(memory)[NOW - 2 : NOW + 3] * (0.1, 0.2, 0.4, 0.2, 0.1)).sum())


# ---- cepstra -----------------------------------------------------------------------------------------------

_BANDS = 26
_MEL_FFT = 1024
_SHORT = np.hanning(602)[1:-1]


def _mel_bank() -> NDArray[np.float64]:
    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127 * np.log1p(hz / 700)

    edges = np.linspace(mel(np.array(80.0)), mel(np.array(8000.0)), _BANDS + 2)
    bins = mel(np.asarray(np.fft.rfftfreq(_MEL_FFT, 1 / RATE), np.float64))
    up = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(up, down))


_BANK = _mel_bank()
_COSINES = np.cos(np.pi / _BANDS * (np.arange(_BANDS)[None] + 0.5) * np.arange(CEPSTRA)[:, None]) / np.sqrt(_BANDS)


def cepstra(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mel cepstra of the middle 25 ms of each window: (n, 960) to (n, 13)."""
    spectrum = np.abs(np.fft.rfft(windows[:, 180:-180] * _SHORT, _MEL_FFT)) ** 2
    bands = np.log(np.einsum("nf,bf->nb", spectrum, _BANK) + 1e-7)
    return np.einsum("nb,cb->nc", bands, _COSINES)
