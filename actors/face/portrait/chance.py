"""Chance that depends on nothing but numbers: the same seed, stream and index give the same value anywhere."""

from __future__ import annotations

import math

_MASK = (1 << 64) - 1


def unit(seed: int, stream: int, index: int) -> float:
    """A value in [0, 1), by the SplitMix64 mixing of Steele, Lea and Flood."""
    state = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03 + (index + 1) * 0x8CB92BA72F3D8DD7) & _MASK
    for _ in range(2):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        state = mixed ^ (mixed >> 31)
    return (state >> 11) / (1 << 53)


def normal(seed: int, stream: int, index: int) -> float:
    """A standard normal value, by Box and Muller."""
    radius = math.sqrt(-2 * math.log(1 - unit(seed, stream, 2 * index)))
    return radius * math.cos(2 * math.pi * unit(seed, stream, 2 * index + 1))


def drift(seed: int, stream: int, at: float) -> float:
    """Smooth noise in about -1..1 whose knots are one unit of ``at`` apart."""
    knot = math.floor(at)
    part = at - knot
    blend = part * part * part * (part * (6 * part - 15) + 10)
    first, second = (2 * unit(seed, stream, knot + i) - 1 for i in (0, 1))
    return first + (second - first) * blend
