"""The diffusion's schedule and its loop: noise to a window of motion in T steps.

It knows no network: whoever samples brings a function that predicts the clean window. What is constant over the steps
(encoded condition, keys and values, both branches of the guidance) belongs into that function's making, not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.face.ditto.spec import Array

Predict = Callable[[Any, int], Any]
"""(noisy window, time 0-999) to the clean window."""

TRAINED_STEPS = 1000
_OFFSET = 0.008
_LARGEST = 0.999


def betas() -> NDArray[np.float64]:
    """(1000,) of the cosine schedule that the published weights were trained with."""
    at = np.arange(TRAINED_STEPS + 1, dtype=np.float64) / TRAINED_STEPS
    level = np.cos((at + _OFFSET) / (1 + _OFFSET) * np.pi / 2) ** 2
    return np.clip(1 - level[1:] / level[:-1], 0, _LARGEST)


def signal_left() -> Array:
    """(1000,): how much of the clean window's energy is left at each time."""
    return np.cumprod(1 - betas()).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times and weights of T steps."""

    times: tuple[int, ...]
    """T times, falling from 999."""
    keep: Array
    """(T - 1,): weight of the clean window in the next noisy one."""
    eps: Array
    """(T - 1,): weight of the predicted noise in it."""
    sigma: Array
    """(T - 1,): weight of fresh noise in it."""
    recip: Array
    """(T,): sqrt(1 / (1 - a)) at each time."""
    recip_minus: Array
    """(T,): sqrt(1 / a - 1) at each time."""


def schedule(steps: int) -> Schedule:
    """The schedule of ``steps`` steps with eta = 1. Raises ValueError for fewer than one or more than 1000."""
    if not 1 <= steps <= TRAINED_STEPS:
        raise ValueError(f"a window is sampled in 1 to {TRAINED_STEPS} steps, not in {steps}")
    edges = np.linspace(-1, TRAINED_STEPS - 1, steps + 1).astype(int)[::-1]
    left = signal_left()
    now, after = left[edges[:-2]], left[edges[1:-1]]
    sigma = np.sqrt((1 - now / after) * (1 - after) / (1 - now))
    eps = np.sqrt(1 - after - sigma**2)
    at = left[edges[:-1]]
    return Schedule(
        tuple(int(t) for t in edges[:-1]), np.sqrt(after), eps, sigma, np.sqrt(1 / (1 - at)), np.sqrt(1 / at - 1)
    )


def step_noise(seed: int, steps: int, shape: tuple[int, ...]) -> Array:
    """(T - 1, *shape): drawn once and used again for every window, which keeps neighbouring windows alike."""
    return _normal((seed, 0), (steps - 1, *shape))


def first_noise(seed: int, window: int, shape: tuple[int, ...]) -> Array:
    """Where window number ``window`` of a reply begins."""
    return _normal((seed, 1, window), shape)


def _normal(key: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    positive = [part % (1 << 64) for part in key]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(positive))).standard_normal(shape, np.float32)


def sample(predict: Predict, start: Any, noise: Any, plan: Schedule) -> Any:
    """The window that ``predict`` makes of ``start``; ``noise`` is (T - 1, *start.shape) or broadcasts to it.

    Arrays or tensors: what goes in comes out, on the device where it was.
    """
    x = start
    for step, time in enumerate(plan.times):
        clean = predict(x, time)
        if step == len(plan.times) - 1:
            return clean
        eps = x * float(plan.recip[step]) - clean / float(plan.recip_minus[step])
        x = clean * float(plan.keep[step]) + eps * float(plan.eps[step]) + noise[step] * float(plan.sigma[step])
    return x
