"""The picture brought into the texture: eyes level, a set distance apart, as much of the frame filled as can be.

Where the picture ends inside the frame its edge goes on, blurred. Faces that cannot be used are refused here, each
with a sentence. It changes no pixel of the face but by this one turn and scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from actors.face.landmarks import Found, PictureRefused
from actors.face.portrait.photo import mesh
from actors.face.portrait.rig import Pixels, Points

SIZE = (576, 864)
"""Width and height of the texture."""
SMALLEST = 40.0
"""Pixels between the irises below which nothing but blur is left."""
GOOD = 86.0
"""Pixels between the irises from which the enlargement, 1.5, cannot be seen in what is shown."""

_APART = (129.0, 136.0, 143.0, 150.0)  # texture pixels between the irises, the best first
_ACROSS = (258.0, 318.0)  # where the middle of the eyes may lie
_DOWN = (300.0, 376.0)
_MIDDLE = (288.0, 352.0)
_BELOW_CHIN = 48.0  # texture pixels of neck that the picture must show
_TURNED, _NODDED, _TILTED = 22.0, 24.0, 35.0  # degrees
_SHUT, _AGAPE = 0.10, 0.55  # eye's height of its width; lips apart, of half the mouth's width


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture in the texture's size."""

    pixels: Pixels
    points: Points
    """(478, 2) landmarks."""
    depth: Points
    """(478,) how near each is, on the same scale."""
    turn: Points
    """(2, 3) from the picture as it was found to the texture."""
    notes: tuple[str, ...]
    """What is not as good as it could be, a sentence each."""


def fit(found: Found) -> Fitted:
    """Bring a face into the texture. Raises PictureRefused."""
    _check(found)
    matrix = _placed(found)
    points = found.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    height, width = found.pixels.shape[:2]
    there = np.asarray(cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, SIZE), np.uint8)
    column = there[int(np.clip(points[mesh.CHIN][1], 0, SIZE[1] - 1)) :, int(points[mesh.CHIN][0])]
    if np.count_nonzero(column) < _BELOW_CHIN:
        raise PictureRefused("too_tight", "the picture ends just below the chin; send one with neck and shoulders")
    notes = []
    if found.apart < GOOD:
        notes.append(
            f"the face is small, {found.apart:.0f} pixels from eye to eye: it will look soft; 130 and more look sharp"
        )
    if np.count_nonzero(there) < 0.97 * there.size:
        notes.append("the picture is tightly cut: what lies beyond its edge is made up and blurred")
    pixels, placed = follow(found, matrix)
    return Fitted(pixels, placed[:, :2], placed[:, 2], matrix, tuple(notes))


def follow(found: Found, turn: Points) -> tuple[Pixels, Points]:
    """A frame of a film brought into the texture as its first one was: pixels, and landmarks (478, 3) in them."""
    height, width = found.pixels.shape[:2]
    there = np.asarray(cv2.warpAffine(np.full((height, width), 255, np.uint8), turn, SIZE), np.uint8)
    pixels = cv2.warpAffine(found.pixels, turn, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    flat = found.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    near = found.points[:, 2] * float(np.hypot(*turn[0, :2]))
    return _continued(np.asarray(pixels, np.uint8), there), np.column_stack([flat, near])


def _check(found: Found) -> None:
    """Refuse what cannot speak. Raises PictureRefused."""
    points, (height, width) = found.points, found.pixels.shape[:2]
    if found.apart < SMALLEST:
        raise PictureRefused(
            "too_small",
            f"the face is too small, {found.apart:.0f} pixels from eye to eye; send a picture with at least "
            f"{SMALLEST:.0f}, better 130",
        )
    oval = points[list(mesh.OVAL), :2]
    if oval.min() < 0 or (oval.max(axis=0) > (width, height)).any():
        raise PictureRefused("cut_off", "the face is cut off by the picture's edge; send one that shows all of it")
    turned, nodded, tilted = _angles(points)
    if abs(turned) > _TURNED:
        raise PictureRefused("profile", "this is a face from the side; send one that looks into the camera")
    if abs(nodded) > _NODDED:
        raise PictureRefused("looks_away", "the face looks up or down; send one that looks into the camera")
    if abs(tilted) > _TILTED:
        raise PictureRefused("tilted", "the head lies on its side; turn the picture until the eyes are level")
    lids = zip(mesh.UPPER_LIDS, mesh.LOWER_LIDS, strict=True)
    if min(_opening(points, upper, lower) for upper, lower in lids) < _SHUT:
        raise PictureRefused("eyes_shut", "the eyes are shut; send a picture with open ones")
    half = np.linalg.norm(points[mesh.CORNERS[1]] - points[mesh.CORNERS[0]]) / 2
    apart = np.linalg.norm(points[mesh.INNER_BOTTOM[5]] - points[mesh.INNER_TOP[5]])
    if apart > _AGAPE * half:
        raise PictureRefused("mouth_open", "the mouth is wide open; send a picture with the lips together")


def _angles(points: Points) -> tuple[float, float, float]:
    """Degrees that the head is turned to the side, up or down, and tilted; MediaPipe's depth is as large as width."""
    across = points[mesh.SIDES[1]] - points[mesh.SIDES[0]]
    down = points[mesh.CHIN] - points[mesh.FOREHEAD]
    eyes = points[mesh.IRIS[1]] - points[mesh.IRIS[0]]
    turned = math.degrees(math.atan2(across[2], math.hypot(across[0], across[1])))
    nodded = math.degrees(math.atan2(down[2], math.hypot(down[0], down[1])))
    return turned, nodded, math.degrees(math.atan2(eyes[1], eyes[0]))


def _opening(points: Points, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    middle = len(upper) // 2
    height = np.linalg.norm(points[upper[middle], :2] - points[lower[middle], :2])
    return float(height / np.linalg.norm(points[upper[0], :2] - points[upper[-1], :2]))


def _placed(found: Found) -> Points:
    """The turn, scale and shift (2, 3) that leave least of the frame empty; of equals the smallest face."""
    left, right = (found.points[iris, :2] for iris in mesh.IRIS)
    middle, across = (left + right) / 2, right - left
    apart = float(np.hypot(*across))
    height, width = found.pixels.shape[:2]
    best: tuple[float, Points] | None = None
    for wished in _APART:
        scale = wished / apart
        cos, sin = scale * across[0] / apart, scale * across[1] / apart
        turn = np.array([[cos, sin], [-sin, cos]])
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - middle
        around = corners @ turn.T
        x = _between(_MIDDLE[0], SIZE[0] - around[:, 0].max(), -around[:, 0].min(), _ACROSS)
        y = _between(_MIDDLE[1], SIZE[1] - around[:, 1].max(), -around[:, 1].min(), _DOWN)
        matrix = np.column_stack([turn, np.array([x, y]) - turn @ middle])
        there = cv2.warpAffine(np.ones((height, width), np.uint8), matrix, SIZE, flags=cv2.INTER_NEAREST)
        empty = 1 - float(there.mean())
        if best is None or empty < best[0] - 0.02:
            best = empty, matrix
    assert best is not None
    return best[1]


def _between(wished: float, least: float, most: float, allowed: tuple[float, float]) -> float:
    """Where the eyes go: between ``least`` and ``most`` the picture covers the frame; ``allowed`` wins over that."""
    if least <= most:
        wished = min(max(wished, least), most)
    else:
        wished = (least + most) / 2
    return min(max(wished, allowed[0]), allowed[1])


def _continued(pixels: Pixels, there: Pixels) -> Pixels:
    """Blur what lies beyond the picture, more with the distance from it."""
    if there.all():
        return pixels
    beyond = cv2.distanceTransform((there < 255).astype(np.uint8), cv2.DIST_L2, 3)
    weak, strong = cv2.GaussianBlur(pixels, (0, 0), 6), cv2.GaussianBlur(pixels, (0, 0), 30)
    near, far = (np.clip(beyond / reach, 0, 1)[..., None] for reach in (12.0, 90.0))
    mixed = pixels * (1 - near) + near * (weak * (1 - far) + strong * far)
    return np.round(mixed).astype(np.uint8)
