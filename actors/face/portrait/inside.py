"""The strip of the picture where the mouth opens: two cut textures over cavity, teeth and tongue.

It is told where the skin went and paints; below a gap of a tenth of the mouth's half width the cut is faded out,
so that a closed mouth is the portrait's own picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.mouth import Opening
from actors.face.portrait.rig import PATCHES, Pixels, Portrait
from actors.face.portrait.warp import Field, look_up

_MARGIN = 24  # texture pixels of head motion that the crops allow for
_TEETH_DOWN, _TEETH_UP_ROUND = 0.06, 0.12  # of m
_LIGHT = (1.35, 1.25, 0.75)  # shade falls on blue, green, red: grey shade looks like dirty teeth

Soft = NDArray[np.float32]


class Inside:
    """Paints the open mouth of one face."""

    def __init__(self, portrait: Portrait) -> None:
        rig = portrait.rig
        self._m, self._patches = rig.m, portrait.patches
        width, height = rig.size
        x0 = max(0, int(rig.mouth[0] - 1.9 * rig.m) - _MARGIN)
        x1 = min(width, int(rig.mouth[0] + 1.9 * rig.m) + _MARGIN)
        # In a wide mouth the strip reaches above the nose's base, or below a small chin.
        y0 = max(0, int(min(rig.nose_base[1], rig.mouth[1] - 0.8 * rig.m)) - _MARGIN)
        y1 = min(height, int(max(rig.chin[1], rig.mouth[1] + 1.3 * rig.m)) + _MARGIN)
        self._corner = np.array([x0, y0], np.float32)
        box = (slice(y0, y1), slice(x0, x1))
        yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        below = yy - np.interp(xx, rig.lip_line[:, 0], rig.lip_line[:, 1]).astype(np.float32)
        beyond = np.clip((np.abs(xx - rig.mouth[0]) - rig.m) / 2 + 0.5, 0, 1)
        self._upper_alpha = np.clip(0.5 - below, 0, 1)
        self._lower_alpha = np.maximum(np.clip(0.5 + below, 0, 1), beyond)
        self._open, self._closed = portrait.open[box], portrait.closed[box]
        levels = np.arange(256, dtype=np.float32) / 255
        self._shade = np.stack([levels**power for power in _LIGHT], axis=1).astype(np.float32)
        self._cut = self._textures(1.0)

    def _textures(self, openness: float) -> tuple[Pixels, Pixels]:
        """Upper and lower texture, BGRA with colour multiplied by alpha."""
        colour = np.asarray(cv2.addWeighted(self._open, openness, self._closed, 1 - openness, 0), np.uint8)
        lower = np.maximum(self._lower_alpha, 1 - openness)
        return _premultiplied(colour, self._upper_alpha), _premultiplied(colour, lower)

    def paint(self, upper: Field, lower: Field, rest: Field, how: Opening) -> Pixels:
        """The strip's pixels (h, w, 3), given the texture positions of its skin and of its skull (h, w, 2)."""
        openness = min(1.0, how.gap / (0.10 * self._m))
        above, below = self._cut if openness >= 1 else self._textures(openness * openness * (3 - 2 * openness))
        over, under = _sampled(above, upper - self._corner), _sampled(below, lower - self._corner)
        through = 1 - over[..., 3:]
        hole = through * (1 - under[..., 3:])
        strip = over[..., :3] + through * under[..., :3]
        x, y, width, height = cv2.boundingRect((hole[..., 0] > 0.004).astype(np.uint8))
        if width and height:
            part = (slice(y, y + height), slice(x, x + width))
            strip[part] += hole[part] * self._depths(rest[part], hole[..., 0], part, how)
        return np.clip(strip + 0.5, 0, 255).astype(np.uint8)

    def _depths(self, rest: Field, hole: Soft, part: tuple[slice, slice], how: Opening) -> Soft:
        """Cavity, teeth and tongue, shaded toward the lips."""
        moves = {
            "cavity": 0.4 * how.jaw,
            "lower_teeth": 0.93 * how.jaw + 0.02 * self._m,
            "tongue": 0.80 * how.jaw + 0.09 * self._m - how.tongue * (0.50 * how.jaw + 0.07 * self._m),
            "upper_teeth": self._m * (_TEETH_DOWN - _TEETH_UP_ROUND * how.round),
        }
        seen = np.zeros((*rest.shape[:2], 3), np.float32)
        for name in PATCHES:
            patch = self._patches[name]
            at = rest - np.array([patch.anchor[0], patch.anchor[1] + moves[name]], np.float32)
            layer = _sampled(patch.pixels, at)
            seen = layer[..., :3] + (1 - layer[..., 3:]) * seen
        spread = cv2.GaussianBlur(hole, (0, 0), 3.2)[part]
        light = np.clip(0.30 + 0.95 * spread, 0, 1)
        return (seen * self._shade[np.round(light * 255).astype(np.uint8)]).astype(np.float32, copy=False)


def _premultiplied(colour: Pixels, alpha: NDArray[np.float32]) -> Pixels:
    scaled = np.asarray(cv2.multiply(colour, np.dstack([alpha] * 3), dtype=cv2.CV_8U), np.uint8)
    return np.dstack([scaled, np.round(alpha * 255).astype(np.uint8)])


def _sampled(picture: Pixels, at: Field) -> Soft:
    """BGRA at texture positions relative to the picture's corner: colour 0-255, alpha 0-1; nothing beyond it."""
    found = look_up(picture, at, beyond=cv2.BORDER_CONSTANT).astype(np.float32)
    found[..., 3] *= np.float32(1 / 255)
    return found
