"""The mouth of a picture: shut where it stands open, and where it is cut.

An open mouth is shut by pulling the lower lip up to the upper one; what was between them is gone, and a thin dark
line is drawn where they meet. It knows nothing of teeth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from actors.face.portrait.photo import mesh
from actors.face.portrait.rig import Pixels, Points

_OPEN = 0.07  # of half the mouth's width: lips further apart than this are pulled together
_EDGE = 1.5  # texture pixels about the lips' edges that still hold something of the teeth
_COUNT = 17


@dataclass(frozen=True, slots=True)
class Mouth:
    """A shut mouth."""

    closed: Pixels
    open: Pixels
    """The same without the line between the lips, to be cut there."""
    line: Points
    """(17, 2) from corner to corner: the cut."""
    top: Points
    """Upper edge of the upper lip."""
    bottom: Points
    """Lower edge of the lower lip."""

    @property
    def half(self) -> float:
        """Half the mouth's width, the unit m."""
        return float(self.line[-1, 0] - self.line[0, 0]) / 2


def shut(pixels: Pixels, points: Points) -> Mouth:
    """The mouth of a fitted picture, given its landmarks."""
    top, bottom = _row(points, mesh.LIP_TOP), _row(points, mesh.LIP_BOTTOM)
    above, below = _row(points, mesh.INNER_TOP), _row(points, mesh.INNER_BOTTOM)
    corners = points[list(mesh.CORNERS)]
    x = np.linspace(corners[0, 0], corners[1, 0], _COUNT)
    upper = np.interp(x, *_with(corners, above).T)
    lower = np.interp(x, *_with(corners, below).T)
    gap = np.maximum(lower - upper, 0)
    if gap.max() <= _OPEN * (x[-1] - x[0]) / 2:
        line = np.column_stack([x, _smooth((upper + lower) / 2)])
        return Mouth(pixels, pixels, line, top, bottom)
    shown = np.clip(gap / 4, 0, 1)
    line = np.column_stack([x, _smooth(upper - _EDGE * shown)])
    lift = gap + 2 * _EDGE * shown
    pulled = _pulled(pixels, line, lift, bottom, points[mesh.CHIN])
    bottom = np.column_stack([bottom[:, 0], bottom[:, 1] - np.interp(bottom[:, 0], x, lift)])
    return Mouth(_creased(pulled, line), pulled, line, top, bottom)


def _row(points: Points, numbers: tuple[int, ...]) -> Points:
    """Landmarks with x rising, as a lookup by x needs it."""
    row = points[list(numbers)]
    row[:, 0] = np.maximum.accumulate(row[:, 0] + 1e-3 * np.arange(len(row)))
    return row


def _with(corners: Points, row: Points) -> Points:
    """An inner edge led on to the corners of the mouth."""
    inside = row[(row[:, 0] > corners[0, 0]) & (row[:, 0] < corners[1, 0])]
    return np.vstack([corners[:1], inside, corners[1:]])


def _smooth(line: Points) -> Points:
    """Take the landmarks' small steps out of a line, keeping its ends."""
    padded = np.concatenate([line[:1], line, line[-1:]])
    return np.concatenate([line[:1], (padded[:-2] + 2 * padded[1:-1] + padded[2:])[1:-1] / 4, line[-1:]])


def _pulled(pixels: Pixels, line: Points, lift: Points, bottom: Points, chin: Points) -> Pixels:
    """Everything below the line goes up: the lip by ``lift``, less toward the chin."""
    x0, x1 = int(line[0, 0]), int(np.ceil(line[-1, 0])) + 1
    y0, y1 = int(line[:, 1].min()) - 2, int(chin[1])
    yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    up = np.interp(xx[0], line[:, 0], lift, 0, 0)
    edge = np.interp(xx[0], *bottom.T) - up  # of the lower lip, once it is up
    along = np.clip((yy - edge) / np.maximum(y1 - edge, 1), 0, 1)
    fade = 1 - along * along * (3 - 2 * along)
    below = yy > np.interp(xx[0], *line.T)
    source = (yy + below * fade * up).astype(np.float32)
    moved = cv2.remap(pixels, np.dstack([xx, source]), None, cv2.INTER_CUBIC)  # type: ignore[call-overload, arg-type]
    whole = pixels.copy()
    whole[y0:y1, x0:x1] = moved
    return whole


def _creased(pixels: Pixels, line: Points) -> Pixels:
    """A soft dark line where the lips meet."""
    half, middle = (line[-1, 0] - line[0, 0]) / 2, (line[0, 0] + line[-1, 0]) / 2
    x0, x1 = int(line[0, 0]), int(np.ceil(line[-1, 0])) + 1
    y0, y1 = int(line[:, 1].min()) - 12, int(line[:, 1].max()) + 12
    yy, xx = np.mgrid[y0:y1, x0:x1]
    off = yy - np.interp(xx[0], *line.T)
    within = np.clip(1.05 - np.abs((xx - middle) / half) ** 4, 0, 1)
    dark = within * (0.40 * np.exp(-((off / 1.2) ** 2)) + 0.14 * np.exp(-((off / 4.5) ** 2)))
    ink = 1 - dark[..., None] * np.array([0.85, 1.0, 0.55])  # blue, green, red: the line is warm
    whole = pixels.copy()
    whole[y0:y1, x0:x1] = np.round(pixels[y0:y1, x0:x1] * ink)
    return whole
