"""One frame's picture from its pose: the whole portrait warped once, the open mouth painted into it.

It knows no time and no speech.
"""

from __future__ import annotations

import numpy as np

from actors.face.portrait.eyes import Eyes
from actors.face.portrait.head import Head
from actors.face.portrait.inside import Inside
from actors.face.portrait.mouth import Lips, Opening, opening
from actors.face.portrait.pose import Pose
from actors.face.portrait.rig import Pixels, Portrait
from actors.face.portrait.warp import Field, look_up, resized

_CELL = 4  # output pixels between samples of the mouth's fields
_STILL = 1e-3  # lips that move less than this show the resting picture
_HEAD_ROOM = 14.0  # texture pixels that the head may move


class Renderer:
    """Draws one portrait at one size."""

    def __init__(self, portrait: Portrait, width: int, height: int) -> None:
        """Raises ValueError if the size is not a multiple of 8 or not the texture's shape."""
        rig = portrait.rig
        if width % 8 or height % 8 or abs(rig.size[0] * height - rig.size[1] * width) > rig.size[0]:
            raise ValueError(
                f"a {rig.size} portrait is drawn in its own shape, in multiples of 8, not {width}x{height}"
            )
        self._scale = rig.size[0] / width
        self._rig, self._limit = rig, (width, height)
        self._eyes, self._head = Eyes(portrait), Head(rig, width, height)
        self._lips, self._inside = Lips(rig), Inside(portrait)
        self._box = self._output(*self._lips.box, align=_CELL)
        x, y, m = *rig.mouth, rig.m
        self._strip = self._output(x - 1.4 * m, y - 0.55 * m, x + 1.4 * m, y + 1.05 * m, align=1)

    def draw(self, pose: Pose) -> Pixels:
        """The picture, BGR uint8 (height, width, 3)."""
        texture = self._eyes.texture(pose.lid, pose.gaze_x, pose.gaze_y)
        rest = self._head.map(pose)
        if np.abs(pose.lips).max() < _STILL:
            return look_up(texture, rest)
        how = opening(pose.lips, self._rig.unit)
        upper, lower = self._shifts(rest, how)
        shown = np.ascontiguousarray(rest)
        x0, y0, x1, y1 = self._box
        cut = (self._strip[1] + self._strip[3]) // 2 - y0
        shown[y0 : y0 + cut, x0:x1] -= upper[:cut]
        shown[y0 + cut : y1, x0:x1] -= lower[cut:]
        sx0, sy0, sx1, sy1 = self._strip
        inner = (slice(sy0 - y0, sy1 - y0), slice(sx0 - x0, sx1 - x0))
        still = rest[sy0:sy1, sx0:sx1]
        picture = look_up(texture, shown)
        strip = self._inside.paint(still - upper[inner], still - lower[inner], still, how)
        picture[sy0:sy1, sx0:sx1] = strip
        return picture

    def _shifts(self, rest: Field, how: Opening) -> tuple[Field, Field]:
        """What to subtract from ``rest`` in the mouth's box, above the cut and below."""
        x0, y0, x1, y1 = self._box
        size = (x1 - x0, y1 - y0)
        coarse = resized(rest[y0:y1, x0:x1], size[0] // _CELL, size[1] // _CELL, mean=True)
        upper, lower = (self._lips.grid.sample(field, coarse) for field in self._lips.shifts(how))
        return resized(upper, *size), resized(lower, *size)

    def _output(self, x0: float, y0: float, x1: float, y1: float, align: int) -> tuple[int, int, int, int]:
        """Output rectangle that shows a texture rectangle wherever the head is."""
        room, scale, (width, height) = _HEAD_ROOM, self._scale, self._limit
        left, top = (max(0, int((v - room) / scale) // align * align) for v in (x0, y0))
        right = min(width, -(-int((x1 + room) / scale) // align) * align)
        bottom = min(height, -(-int((y1 + room) / scale) // align) * align)
        return left, top, right, bottom
