"""MediaPipe's mesh of a face: which of its 478 points Ditto uses, and its two published networks, run by themselves.

Where a folder holds them (`blaze_face.onnx`, `face_mesh.onnx`), a face is found without MediaPipe: the arithmetic
around the networks, anchors, detections that are blended, the turned region and the way back, is here in numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from actors.face.ditto.avatar.graphs import Graph
from actors.face.ditto.nets.graph import GraphWrong
from actors.face.ditto.spec import Array

POINTS = 478
EYES = ((33, 159, 133, 145), (362, 386, 263, 374))
"""Corners, upper and lower lid of each eye: the counterparts of what `crop.anchors` takes of 203 points."""
LIPS = (61, 291)
_JAW = (356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_INSIDE = (*EYES[0], *EYES[1], *LIPS, 0, 17, 1, 2, 98, 327)
OUTLINE = (*_JAW, *_BROWS, *_INSIDE)
"""From the brows down, as far as the 106 and 203 points reach: the mesh's forehead would make every cut wider."""

DETECTOR, MESH = "blaze_face.onnx", "face_mesh.onnx"
_SEEN, _DRAWN = 128, 256  # pixels of the two networks' inputs
_LAYERS = ((16, 2), (8, 6))  # cells a side, anchors in each cell
_LEAST, _SAME = 0.5, 0.3  # score of a face; overlap of two detections of one face
_ROOM = 1.5  # side of the region, in sides of the detection


def anchors(points: Array) -> Array:
    """(2, 2): the middle of the eyes and of the lips, of a mesh (478, 2 or more)."""
    middle = np.mean([points[list(eye), :2].mean(0) for eye in EYES], axis=0)
    return np.stack([middle, points[list(LIPS), :2].mean(0)])


def outline(points: Array) -> Array:
    """(n, 2): the points that a cut goes about."""
    return points[list(OUTLINE), :2]


# ---- around the networks -----------------------------------------------------------------------------------


def cells() -> Array:
    """(896, 2): middles of the detector's anchors, in shares of the picture's sides."""
    rows = []
    for side, times in _LAYERS:
        across = (np.arange(side, dtype=np.float32) + 0.5) / side
        y, x = np.meshgrid(across, across, indexing="ij")
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], -1), times, 0))
    return np.concatenate(rows)


def detections(raw: Array, scores: Array, at: Array) -> Array:
    """(m, 17) faces, the surest first: box x0 y0 x1 y1, six points x y, score; places in shares of the sides.

    ``raw`` (n, 16) and ``scores`` (n,) as the detector gives them for the anchors ``at`` (n, 2). Detections of one face
    are blended, each by its score; what comes of it has their mean score.
    """
    sure = 1 / (1 + np.exp(-np.clip(scores, -50, 100)))
    told = raw.reshape(len(raw), 8, 2) / _SEEN
    middle, half, points = at + told[:, 0], told[:, 1] / 2, at[:, None] + told[:, 2:]
    rows = np.concatenate([middle - half, middle + half, points.reshape(len(raw), 12), sure[:, None]], 1)
    left = rows[sure >= _LEAST]
    left = left[np.argsort(-left[:, 16], kind="stable")]
    out: list[Array] = []
    while len(left):
        same = _overlap(left[0], left) > _SAME
        same[0] = True
        weight = left[same, 16:]
        out.append(np.append((left[same, :16] * weight).sum(0) / weight.sum(), weight.mean()))
        left = left[~same]
    return np.array(out, np.float32).reshape(-1, 17)


def _overlap(one: Array, others: Array) -> Array:
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:4], others[:, 2:4])
    both = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 2:4] - others[:, :2]).prod(1)
    return both / np.maximum((one[2:4] - one[:2]).prod() + areas - both, 1e-12)


@dataclass(frozen=True, slots=True)
class Region:
    """A turned square of a picture, in its pixels."""

    x: float
    y: float
    side: float
    turned: float
    """Radians, clockwise."""

    @property
    def out(self) -> Array:
        """(2, 3) from shares of the square's sides to the picture's pixels."""
        cos, sin = self.side * math.cos(self.turned), self.side * math.sin(self.turned)
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([turn, [self.x, self.y] - turn @ [0.5, 0.5]])


def region(face: Array, width: int, height: int) -> Region:
    """Where the mesh is looked for: about a row of `detections`, its two eyes level."""
    size = np.array([width, height], np.float64)
    low, high, eyes = face[:2] * size, face[2:4] * size, face[4:8].reshape(2, 2) * size
    x, y = (low + high) / 2
    dx, dy = eyes[1] - eyes[0]
    return Region(float(x), float(y), float((high - low).max()) * _ROOM, math.atan2(dy, dx))


def projected(points: Array, where: Region) -> Array:
    """(n, 3) in the picture's pixels of places (n, 3) in the mesh network's; nearness is scaled like width."""
    flat = np.asarray(points[:, :2], np.float64) / _DRAWN
    out = flat @ where.out[:, :2].T + where.out[:, 2]
    return np.column_stack([out, points[:, 2] * (where.side / _DRAWN)])


# ---- the networks ------------------------------------------------------------------------------------------


def detector(path: Path) -> Graph:
    """The network that finds faces. Raises GraphWrong."""
    return Graph(path, "input", ("regressors", "classificators"))


def drawer(path: Path) -> Graph:
    """The network that finds a face's mesh. Raises GraphWrong."""
    return Graph(path, "input", ("Identity",))


class Finder:
    """Both networks, open."""

    def __init__(self, folder: Path) -> None:
        """Raises GraphWrong where one is missing or is another network."""
        self._detector = detector(folder / DETECTOR)
        self._mesh = drawer(folder / MESH)
        self._cells = cells()

    def __call__(self, picture: Array) -> Array | None:
        """(478, 3) in pixels of the only face of RGB bytes (height, width, 3); None of no face, or of several."""
        height, width = picture.shape[:2]
        small = cv2.resize(picture, (_SEEN, _SEEN), interpolation=cv2.INTER_LINEAR)
        raw, scores = self._detector(np.asarray(small, np.float32)[None] / 127.5 - 1)
        faces = detections(raw.reshape(-1, 16), scores.reshape(-1), self._cells)
        if len(faces) != 1:
            return None
        where = region(faces[0], width, height)
        turn = where.out @ np.diag([1 / _DRAWN, 1 / _DRAWN, 1])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        upright = cv2.warpAffine(picture, turn, (_DRAWN, _DRAWN), flags=flags)
        [numbers] = self._mesh(np.asarray(upright, np.float32)[None] / 255)
        if numbers.size != 3 * POINTS:
            raise GraphWrong(f"{MESH} gives {numbers.shape}, not {POINTS} points")
        return projected(numbers.reshape(POINTS, 3), where)
