"""Pictures of a face put back into the portrait: a soft-edged square, and only where it lies.

What does not change from frame to frame, the turned mask and the box that it covers, is made once for an avatar.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actors.face.ditto.spec import Array

Pixels = NDArray[np.uint8]
INNER = 0.9
"""Share of each side within which the face is seen fully."""


def soft_square(height: int, width: int, inner: tuple[float, float] = (INNER, INNER)) -> Array:
    """(height, width): 1 inside, falling in a line to 0 at the sides and round the corners. ``inner`` by axis."""
    off = []
    for side, share in zip((height, width), inner, strict=True):
        border = (side - int(side * share)) // 2
        fall = 1 - np.linspace(0, 1, border, dtype=np.float32)
        off.append(np.concatenate([fall, np.zeros(side - 2 * border, np.float32), fall[::-1]]))
    return np.clip(1 - np.hypot(off[0][:, None], off[1][None]), 0, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a face goes in a portrait of one size."""

    box: tuple[int, int, int, int]
    """x, y, width, height of the part that it touches; may be empty."""
    turn: Array
    """(2, 3) from the face's pixels to those of the box."""
    mask: Array
    """(height, width, 1) of the box."""
    rest: Array
    """(height, width, 1): what the mask leaves of the portrait."""


def place(to_portrait: Array, side: int, width: int, height: int) -> Place:
    """Where a square of ``side`` pixels goes in a portrait of ``width`` and ``height``. ``to_portrait`` is (3, 3)."""
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ to_portrait[:2].T
    low = np.clip(np.floor(corners.min(0)) - 1, 0, [width, height]).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 2, 0, [width, height]).astype(int)
    x, y, across, down = (*low.tolist(), *(high - low).tolist())
    turn = np.array(to_portrait[:2], np.float64)
    turn[:, 2] -= (x, y)
    if not across or not down:
        return Place((x, y, 0, 0), turn, np.zeros((0, 0, 1), np.float32), np.zeros((0, 0, 1), np.float32))
    warped = cv2.warpAffine(soft_square(side, side), turn, (across, down), flags=cv2.INTER_LINEAR)
    mask = np.asarray(warped, np.float32)[..., None]
    return Place((x, y, across, down), turn, mask, 1 - mask)


def paste(portrait: Pixels, face: Array, where: Place) -> Pixels:
    """A copy of the portrait (height, width, 3) with the face (side, side, 3), 0 to 255, in it.

    A face of bytes takes a fourth of the time that one of float32 takes, and is at most one level off it.
    """
    out = portrait.copy()
    x, y, across, down = where.box
    if not across or not down:
        return out
    moved = np.asarray(cv2.warpAffine(face, where.turn, (across, down), flags=cv2.INTER_LINEAR))
    under = np.ascontiguousarray(portrait[y : y + down, x : x + across])
    if moved.dtype == np.uint8:
        blended = np.asarray(cv2.blendLinear(moved, under, where.mask, where.rest))
    else:
        blended = (moved * where.mask + under * where.rest).astype(np.uint8)
    out[y : y + down, x : x + across] = blended
    return out
