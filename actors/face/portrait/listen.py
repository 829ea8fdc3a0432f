"""Lips from the sound alone, for voices that give no phones.

Cepstra of 120 ms to either side go through a small network, which was taught by a voice that does know its phones
(train.py). It makes a lively mouth but misses some closures of p, b and m: with phones the lips come from
motion.py instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.hearing import loudness_now
from actors.face.portrait.memory import CEPSTRA, NOW, Memory
from actors.face.portrait.visemes import FV, JAW, PRESS, TRACKS, UP, WIDE

Array = NDArray[np.float64]

WEIGHTS = Path(__file__).resolve().parent / "listen.npz"
OFFSETS = np.array([-12, -9, -6, -4, -2, 0, 2, 4, 6, 9, 12])
"""Steps of 10 ms around the moment."""
LAYERS = (len(OFFSETS) * CEPSTRA, 96, 64, len(TRACKS))
"""Numbers that go into each layer, and what comes out of the last."""

_LOW = np.where(np.arange(len(TRACKS)) == WIDE, -0.1, 0.0)
_HIGH = np.array([0.7, 0.12, 0.85, 0.12, 1.0, 1.0, 1.0, 0.4])
_QUIET, _AUDIBLE = 0.03, 0.10  # relative loudness below which the mouth is shut, above which it is free


class Ears:
    """The trained network, ready to listen."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Raises FileNotFoundError if the weights are missing: `python -m actors.face.portrait.train` makes them."""
        with np.load(weights, allow_pickle=False) as stored:
            self.mean: Array = stored["mean"].astype(np.float64)
            """Expected mean of the cepstra of a voice."""
            self._spread: Array = stored["spread"].astype(np.float64)
            self._matrices = [stored[f"matrix{i}"].astype(np.float64) for i in range(len(LAYERS) - 1)]
            self._offsets = [stored[f"offset{i}"].astype(np.float64) for i in range(len(LAYERS) - 1)]

    def lips(self, memory: Memory) -> Array:
        """The lip vector in the middle of the frame whose steps are in ``memory``."""
        inputs = features(memory.cepstra, memory.cepstra_mean, self._spread, NOW)
        return settled(guess(inputs, self._matrices, self._offsets), loudness_now(memory))


def features(cepstra: Array, mean: Array, spread: Array, at: int) -> Array:
    """The inputs for one step: cepstra around it without the speaker's mean, scaled."""
    return ((cepstra[at + OFFSETS] - mean) / spread).reshape(-1)


def guess(inputs: Array, matrices: Sequence[Array], offsets: Sequence[Array]) -> Array:
    """What the network says for one step."""
    for matrix, offset in zip(matrices[:-1], offsets[:-1], strict=True):
        inputs = np.tanh(np.einsum("i,io->o", inputs, matrix) + offset)
    return np.einsum("i,io->o", inputs, matrices[-1]) + offsets[-1]


def settled(lips: Array, loud: float) -> Array:
    """Keep guessed lips within what lips do: shut in silence, shut where they are pressed together."""
    lips = np.clip(lips, _LOW, _HIGH) * min(1.0, max(0.0, (loud - _QUIET) / (_AUDIBLE - _QUIET)))
    pressed = min(1.0, max(0.0, (lips[PRESS] - 0.25) / 0.25))
    lips[[JAW, UP, FV]] *= 1 - pressed
    lips[PRESS] = pressed
    return lips
