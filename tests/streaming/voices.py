"""Voices to compare: forty tones in eight groups that come and go with every syllable, the same at any rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float64]

SYLLABLE_S = 0.12


def voice(seed: int, rate: int, seconds: float, *, late: float = 0.0, gain: float = 1.0) -> Sound:
    """``seconds`` of the voice ``seed``, which begins ``late`` seconds after the first sample."""
    dice = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate - late
    syllables = np.arange(0, 60, SYLLABLE_S)
    formants = (
        dice.choice([0.0, 0.02, 0.02, 1.0], (8, len(syllables))) * dice.choice([0, 1, 1, 1], len(syllables)) * 800
    )
    sound = np.zeros(len(time))
    for k, tone in enumerate(np.geomspace(150, 4500, 40)):
        loudness = np.interp(time, syllables, formants[k // 5], left=0)
        sound += loudness * np.sin(2 * np.pi * (tone * time + dice.random()))
    return sound * gain


def pcm16(sound: Sound) -> bytes:
    return np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()


def room(seconds: float, rate: int) -> Sound:
    """A quiet room."""
    return np.random.default_rng(0).normal(0, 3, round(seconds * rate))
