"""Do the labels lie where the sound is? One number, from the sound and the labels alone.

Vowels are loud between 300 and 3000 Hz and consonants are not, so the row "vowel or not" is moved against the log
energy of that band until they agree best. (Source: forced-alignment practice; the bar is ours: within 20 ms over at
least 25 s. Single sentences scatter by some 10 ms, words by far more.) Knows no voice, no face, no file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.tts.phones import VOWELS
from streaming.media import RATE
from streaming.stages import Phone

_HOP = 120
"""Samples: 5 ms."""
_WINDOW = 600
"""Samples: 25 ms."""
_REACH = 40
"""Hops: the best shift is looked for within 200 ms."""
_FLOOR = 1e-5
"""Band energy relative to its 95th percentile that counts as silence: 50 dB below speech."""


def label_shift(pcm24k: bytes, phones: Sequence[Phone]) -> float:
    """Milliseconds by which the labels must be moved to fit the sound best; negative: they are late.

    ``phones`` start counting at the first sample of ``pcm24k`` (PCM16 mono). Meaningful from about 25 s of speech.
    Raises ValueError if there is less than a second, or no vowel to go by.
    """
    energy = _band_energy(np.frombuffer(pcm24k, "<i2") / 32768)
    if len(energy) < RATE // _HOP:
        raise ValueError("to compare labels with sound takes at least 1 s of speech, better 25 s")
    vowel = np.zeros(len(energy))
    middles = np.arange(len(energy)) * _HOP
    for phone in phones:
        if phone.symbol in VOWELS:
            vowel[(middles >= phone.start) & (middles < phone.start + phone.samples)] = 1
    if vowel.min() == vowel.max():
        raise ValueError("the labels hold no vowel to go by; they must be of this voice and begin with this sound")
    shifts = np.arange(-_REACH, _REACH + 1)
    inner = slice(_REACH, len(energy) - _REACH)
    fits = np.array([np.corrcoef(energy[inner], np.roll(vowel, shift)[inner])[0, 1] for shift in shifts])
    return float(_summit(shifts, fits)) * _HOP * 1000 / RATE


def _band_energy(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log energy between 300 and 3000 Hz, one value every 5 ms, each at the middle of its window."""
    padded = np.pad(sound, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    frequency = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    kept = (frequency >= 300) & (frequency <= 3000)
    parts = [
        (np.abs(np.fft.rfft(windows[at : at + 2000] * np.hanning(_WINDOW), axis=1)[:, kept]) ** 2).sum(axis=1)
        for at in range(0, len(windows), 2000)
    ]
    energy = np.concatenate(parts)
    return np.log10(np.maximum(energy / max(np.percentile(energy, 95), 1e-12), _FLOOR))


def _summit(at: NDArray[np.int64], height: NDArray[np.float64]) -> float:
    """Where a parabola through the highest point and its neighbours is highest."""
    top = int(np.argmax(height))
    if top in (0, len(height) - 1):
        return float(at[top])
    left, middle, right = height[top - 1 : top + 2]
    return float(at[top] + 0.5 * (left - right) / (left - 2 * middle + right))
