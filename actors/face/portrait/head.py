"""How head, shoulders and brows move: fields for one face on a coarse grid over the whole picture.

The head is one surface with the depth of an ellipsoid plus a nose, so that a small turn looks solid. It knows
nothing of the mouth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.pose import Pose
from actors.face.portrait.rig import Rig
from actors.face.portrait.warp import Field, Grid, combine, inverse, resized, smoothstep

_CELL = 8  # output pixels between nodes


class Head:
    """Maps of the whole picture."""

    def __init__(self, rig: Rig, width: int, height: int) -> None:
        """``width`` and ``height`` of the output in pixels; the texture is scaled to it."""
        scale = rig.size[0] / width
        columns, rows = -(-width // _CELL) + 2, -(-height // _CELL) + 2
        # Node 0 lies half a cell outside, where cv2.resize has its first sample after the crop of one cell.
        first = scale * (-_CELL / 2) - 0.5
        self._grid = Grid(first, first, scale * _CELL, columns, rows)
        self._nodes = self._grid.nodes()
        self._size = (columns * _CELL, rows * _CELL)
        self._crop = (slice(_CELL, _CELL + height), slice(_CELL, _CELL + width))
        self._fields = _fields(rig, self._nodes.astype(np.float64))

    def map(self, pose: Pose) -> Field:
        """Texture position shown by every output pixel, mouth at rest: (height, width, 2)."""
        amounts = (pose.tx, pose.ty, pose.roll, pose.yaw, pose.pitch, -pose.breath, -pose.brow)
        field = combine(self._fields, np.array(amounts, np.float32))
        rest = self._nodes - inverse(field, self._grid, self._nodes, 2)
        return resized(rest, *self._size)[self._crop]


def _fields(rig: Rig, at: NDArray[np.float64]) -> NDArray[np.float32]:
    x, y = at[..., 0], at[..., 1]
    head = _head_weight(rig, x, y)
    depth = _depth(rig, x, y) * head
    zero = np.zeros_like(x)
    brow = _brow_weight(rig, x, y)
    body = _body_weight(rig, x, y)
    made = [
        (head, zero),
        (zero, head),
        (-(y - rig.neck[1]) * head, (x - rig.neck[0]) * head),
        (depth, zero),
        (zero, depth),
        (zero, body),
        (zero, brow),
    ]
    return np.stack([np.dstack(pair) for pair in made]).astype(np.float32)


def _head_weight(rig: Rig, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 on head and hair, 0 on the shoulders and at the picture's edges."""
    width, _ = rig.size
    below = smoothstep(y, rig.neck[1] + 0.75 * (rig.neck[1] - rig.chin[1]) + 60, rig.chin[1] - 10)
    side = np.minimum(x, width - 1 - x)
    return below * smoothstep(side, 0, 0.16 * width) * smoothstep(y, -1, 60)


def _depth(rig: Rig, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearness of the surface, 1 at the middle of the face, a little more at the nose, less than 0 far behind."""
    (cx, cy), (rx, ry, _) = rig.depth_centre, rig.depth_radii
    square = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
    bulge = np.sqrt(np.maximum(1 - square, 0) + 0.02) - np.sqrt(0.02)
    behind = 0.25 * smoothstep(square, 0.9, 2.2)
    nose = np.exp(-(((x - rig.nose[0]) / (0.55 * rig.m)) ** 2) - ((y - rig.nose[1]) / (0.9 * rig.m)) ** 2)
    return bulge + 0.22 * nose - behind


def _brow_weight(rig: Rig, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 on the brows, 0 at the lids and well up the forehead."""
    weight = np.zeros_like(x)
    lids = min(eye.opening[:, 1].min() for eye in rig.eyes)
    for x0, y0, x1, y1 in rig.brows:
        middle, half, height = (x0 + x1) / 2, (x1 - x0) / 2, (y0 + y1) / 2
        across = np.exp(-(np.maximum(np.abs(x - middle) - 0.55 * half, 0) ** 2) / (0.55 * half) ** 2)
        above = np.exp(-((np.maximum(height - y, 0) / 34) ** 2))
        weight = np.maximum(weight, across * above * smoothstep(y, lids + 4, height + 2))
    return weight


def _body_weight(rig: Rig, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rise of the shoulders with a breath; the head follows by a third."""
    width, height = rig.size
    side = smoothstep(np.minimum(x, width - 1 - x), -80, 0.25 * width)
    shoulders = smoothstep(y, rig.chin[1], 0.88 * height)
    return side * np.maximum(shoulders, 0.33 * _head_weight(rig, x, y))
