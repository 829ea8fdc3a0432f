"""Lips from the sound alone, for voices that give no phones.

Cepstra of 120 ms to either side go through fixed random features and one linear layer, which was taught by a voice
that does know its phones (train.py). It makes a lively mouth but misses many closures of p, b and m: with phones
the lips come from motion.py instead.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.hearing import loudness_now
from actors.face.portrait.memory import CEPSTRA, NOW, Memory
from actors.face.portrait.visemes import FV, JAW, PRESS, ROUND, TRACKS, UP, WIDE

Array = NDArray[np.float64]

WEIGHTS = Path(__file__).resolve().parent / "listen.npz"
OFFSETS = np.array([-12, -9, -6, -4, -2, 0, 2, 4, 6, 9, 12])
"""Steps of 10 ms around the moment."""
FEATURES = 600
_INPUTS = len(OFFSETS) * CEPSTRA
_QUIET, _AUDIBLE = 0.03, 0.12  # relative loudness below which the mouth is shut, above which it is free


def random_layer() -> tuple[Array, Array]:
    """Directions (inputs, features) and phases (features,) of the random features: fixed, so never stored.

    Cosine features of Rahimi and Recht, 2007, drawn by a counter hash that no library can change.
    """
    count = (_INPUTS + 1) * FEATURES
    state = (np.arange(2 * count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    flat = ((state ^ (state >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / (1 << 53)
    normal = np.sqrt(-2 * np.log1p(-flat[:count])) * np.cos(2 * np.pi * flat[count:])
    directions = normal[: _INPUTS * FEATURES].reshape(_INPUTS, FEATURES) * (0.45 / np.sqrt(_INPUTS))
    return directions, 2 * np.pi * flat[-FEATURES:]


class Ears:
    """The trained layer, ready to listen."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Raises FileNotFoundError if the weights are missing: `python -m actors.face.portrait.train` makes them."""
        with np.load(weights, allow_pickle=False) as stored:
            self.mean: Array = stored["mean"].astype(np.float64)
            """Expected mean of the cepstra of a voice."""
            self._spread: Array = stored["spread"].astype(np.float64)
            self._out: Array = stored["out"].astype(np.float64)
        self._directions, self._phases = random_layer()

    def lips(self, memory: Memory) -> Array:
        """The lip vector in the middle of the frame whose steps are in ``memory``."""
        inputs = features(memory.cepstra, memory.cepstra_mean, self._spread, NOW)
        hidden = np.cos(np.einsum("i,if->f", inputs, self._directions) + self._phases)
        lips = np.einsum("f,ft->t", np.concatenate([hidden, inputs, [1.0]]), self._out)
        return settled(lips, loudness_now(memory))


def features(cepstra: Array, mean: Array, spread: Array, at: int) -> Array:
    """The inputs for one step: cepstra around it without the speaker's mean, scaled."""
    return ((cepstra[at + OFFSETS] - mean) / spread).reshape(-1)


def settled(lips: Array, loud: float) -> Array:
    """Keep guessed lips within what lips do: shut in silence, shut where they are pressed together."""
    lips = np.clip(lips, 0.0, 1.0) * np.where(np.arange(len(TRACKS)) == WIDE, 0, 1) + np.where(
        np.arange(len(TRACKS)) == WIDE, np.clip(lips, -0.1, 0.12), 0
    )
    heard = min(1.0, max(0.0, (loud - _QUIET) / (_AUDIBLE - _QUIET)))
    lips = lips * heard
    pressed = min(1.0, max(0.0, (lips[PRESS] - 0.25) / 0.3))
    lips[[JAW, UP]] *= 1 - pressed
    lips[PRESS] = pressed
    lips[FV] *= 1 - pressed
    lips[ROUND] = min(lips[ROUND], 0.85)
    lips[JAW] = min(lips[JAW], 0.7)
    return lips
