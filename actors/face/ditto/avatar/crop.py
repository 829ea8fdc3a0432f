"""Where the face is cut out of a portrait: an upright square about points of the face, and the way back.

It finds no points; they come from whoever looked for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from actors.face.ditto.spec import Array


@dataclass(frozen=True, slots=True)
class Cut:
    """How a square is cut: published settings are SOURCE for the renderer and LANDMARKS for finding more points."""

    side: int
    """Pixels of the square."""
    scale: float
    """Its side as a multiple of the points' extent."""
    down: float
    """How far its centre lies below the points' centre, in its own sides."""
    upright: bool = True
    """Turned so that the face stands upright."""


SOURCE = Cut(512, 2.3, -0.125)
LANDMARKS = Cut(224, 1.5, -0.1)

_EYES_203 = ((0, 6, 12, 18), (24, 30, 36, 42))
_LIPS_203 = (48, 66)
_EYES_106 = ((33, 35, 40, 39), (87, 89, 94, 93))
_LIPS_106 = (52, 61)


def anchors(points: Array) -> Array:
    """(2, 2): the middle of the eyes and of the lips, of 203 or 106 points. Raises ValueError on other counts."""
    known = {203: (_EYES_203, _LIPS_203), 106: (_EYES_106, _LIPS_106)}
    if len(points) not in known:
        raise ValueError(f"a face is known by 203 or 106 points, not by {len(points)}")
    eyes, lips = known[len(points)]
    middle = np.mean([points[list(eye)].mean(0) for eye in eyes], axis=0)
    return np.stack([middle, points[list(lips)].mean(0)])


def limited(height: int, width: int, most: int, multiple: int = 1) -> tuple[int, int]:
    """Height and width of a picture made small enough: no side longer than ``most`` pixels; 0 or less is no limit.

    Sides are cut down to whole multiples. Published code cuts to even ones; we keep odd sizes and pad when encoding.
    """
    longest = max(height, width)
    if 0 < most < longest:
        height, width = (most if side == longest else int(side * (most / longest)) for side in (height, width))
    return height - height % multiple, width - width % multiple


@dataclass(frozen=True, slots=True)
class Square:
    """A square in the portrait, in its pixels."""

    centre: Array
    """(2,)"""
    side: Any
    turned: float
    """Radians by which the face's own down differs from the picture's, clockwise."""


def square(points: Array, eyes_lips: Array, cut: Cut) -> Square:
    """The square about ``points`` (n, 2) whose upright is given by ``eyes_lips`` (2, 2).

    In float32 and in the published order: the rounding of a translation is as large as what two ways may differ by.
    """
    points, eyes_lips = points.astype(np.float32), eyes_lips.astype(np.float32)
    down = eyes_lips[1] - eyes_lips[0]
    length = np.linalg.norm(down)
    down = down / length if length > 1e-3 else np.array([0, 1], np.float32)
    right = np.array([down[1], -down[0]], np.float32)
    middle = points.mean(0)
    seen = (points - middle) @ np.stack([right, down]).T
    low, high = seen.min(0), seen.max(0)
    off, side = (low + high) / 2, (high - low).max() * np.float32(cut.scale)
    centre = middle + right * off[0] + down * off[1] + down * (np.float32(cut.down) * side)
    return Square(centre, side, math.copysign(math.acos(right[0]), right[1]))


def to_square(points: Array, eyes_lips: Array, cut: Cut) -> Array:
    """(3, 3) that takes places in the portrait to places in the square. ``points`` (n, 2), ``eyes_lips`` (2, 2)."""
    found = square(points, eyes_lips, cut)
    zoom, half = cut.side / found.side, cut.side / 2
    turned = found.turned if cut.upright else 0.0
    cos, sin = math.cos(turned), math.sin(turned)
    x, y = found.centre
    return np.array(
        [
            [zoom * cos, zoom * sin, half - zoom * (cos * x + sin * y)],
            [-zoom * sin, zoom * cos, half - zoom * (-sin * x + cos * y)],
            [0, 0, 1],
        ],
        np.float32,
    )


def moved(points: Array, by: Array) -> Array:
    """Places (n, 2) taken by a (3, 3) that turns, scales and shifts."""
    return points @ by[:2, :2].T + by[:2, 2]
