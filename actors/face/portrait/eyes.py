"""Pictures with the eyes in another state: painted lids, and irises that look aside.

The iris is moved by a small warp inside the opening between the lids. It knows nothing of head or mouth.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from actors.face.portrait.rig import Eye, Pixels, Portrait
from actors.face.portrait.warp import look_up

_GAZE_STEP = 0.25  # texture pixels; finer cannot be seen
_LOOKS_KEPT = 12


class Eyes:
    """Whole textures by state of the eyes; the last few looks are kept."""

    def __init__(self, portrait: Portrait) -> None:
        self._lids = portrait.lids
        self._irises = [_Iris(portrait.closed, eye) for eye in portrait.rig.eyes]
        self._looking = lru_cache(_LOOKS_KEPT)(self._look)

    def texture(self, lid: float, gaze_x: float, gaze_y: float) -> Pixels:
        """The picture with lids closed by ``lid`` (0-1, the nearest painted state) or eyes looking aside."""
        state = min(range(len(self._lids)), key=lambda i: abs(self._lids[i][0] - lid))
        if state:
            return self._lids[state][1]
        return self._looking(round(gaze_x / _GAZE_STEP), round(gaze_y / _GAZE_STEP))

    def _look(self, x: int, y: int) -> Pixels:
        picture = self._lids[0][1]
        if x == y == 0:
            return picture
        picture = picture.copy()
        for iris in self._irises:
            iris.move(picture, x * _GAZE_STEP, y * _GAZE_STEP)
        return picture


class _Iris:
    """One eye's surroundings and how much of a gaze each of its pixels follows."""

    def __init__(self, picture: Pixels, eye: Eye) -> None:
        (cx, cy), half, radius = eye.centre, eye.half_width, eye.iris_radius
        x0, x1 = int(cx - half - 8), int(cx + half + 8)
        y0, y1 = int(cy - 0.8 * half - 6), int(cy + 0.8 * half + 6)
        self._box = (slice(y0, y1), slice(x0, x1))
        self._source = np.ascontiguousarray(picture[self._box])
        y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        self._nodes = np.dstack([x - x0, y - y0])
        outline = np.round((eye.opening - (x0, y0)) * 16).astype(np.int32)
        inside = np.zeros(x.shape, np.uint8)
        cv2.fillPoly(inside, [outline], 1, cv2.LINE_8, 4)
        depth = cv2.distanceTransform(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 5)
        rim = np.clip((depth[1:-1, 1:-1] - 0.5) / 2.5, 0, 1)
        off = np.hypot(x - eye.iris_centre[0], y - eye.iris_centre[1])
        reach = np.clip((half - off) / max(half - radius, 1.0), 0, 1)
        self._follow = (rim * reach).astype(np.float32)[..., None]

    def move(self, picture: Pixels, x: float, y: float) -> None:
        """Draw the eye looking ``x``, ``y`` texture pixels aside into a picture."""
        at = self._nodes - self._follow * np.array([x, y], np.float32)
        moved = look_up(self._source, at, cubic=True)
        mixed = self._source + (moved.astype(np.float32) - self._source) * (self._follow > 0)
        picture[self._box] = np.round(mixed).astype(np.uint8)
