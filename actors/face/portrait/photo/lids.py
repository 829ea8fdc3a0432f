"""Eyes of a picture closing: the skin under the brow drawn down over the ball, its lashes kept, an edge laid below.

One picture for each state of closing, as the engine wants them. It knows nothing of the rest of the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from actors.face.portrait.photo import mesh
from actors.face.portrait.rig import Pixels, Points

STATES = (0.2, 0.4, 0.6, 0.8, 0.92, 1.0)
_LASHES = 0.11  # of the eye's width: this band above the lid's edge moves as it is
_SHUT = 0.93  # of the way from the upper lid to the lower one


@dataclass(frozen=True, slots=True)
class Eye:
    """The lines of one eye, each as (n, 2) from the left of the picture to the right."""

    upper: Points
    lower: Points
    brow: Points
    """Lower edge of the brow."""

    @property
    def width(self) -> float:
        return float(self.upper[-1, 0] - self.upper[0, 0])


def eyes(points: Points) -> tuple[Eye, Eye]:
    """Both eyes out of the landmarks, left of the picture first."""
    left, right = (
        Eye(*(_rising(points[list(row)]) for row in (mesh.UPPER_LIDS[k], mesh.LOWER_LIDS[k], mesh.BROWS_BOTTOM[k])))
        for k in (0, 1)
    )
    return left, right


def box(both: tuple[Eye, Eye]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 about everything that moves in a blink."""
    lines = np.vstack([line for eye in both for line in (eye.upper, eye.lower, eye.brow)])
    (x0, y0), (x1, y1) = lines.min(axis=0), lines.max(axis=0)
    return int(x0) - 8, int(y0) - 4, int(x1) + 9, int(y1) + 9


def states(pixels: Pixels, both: tuple[Eye, Eye]) -> list[Pixels]:
    """The whole picture for every one of ``STATES``."""
    made = []
    for closing in STATES:
        picture = pixels.copy()
        for eye in both:
            _close(picture, pixels, eye, closing)
        made.append(picture)
    return made


def _rising(row: Points) -> Points:
    row = row.copy()
    row[:, 0] = np.maximum.accumulate(row[:, 0] + 1e-3 * np.arange(len(row)))
    return row


def _close(picture: Pixels, pixels: Pixels, eye: Eye, closing: float) -> None:
    x0, x1 = int(eye.upper[0, 0]), int(np.ceil(eye.upper[-1, 0])) + 1
    y0, y1 = int(eye.brow[:, 1].min()), int(eye.lower[:, 1].max()) + 8
    yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    u = np.clip((xx[0] - eye.upper[0, 0]) / eye.width * 2 - 1, -1, 1)
    upper, lower = np.interp(xx[0], *eye.upper.T), np.interp(xx[0], *eye.lower.T)
    drop = np.maximum(lower - upper, 0) * _SHUT * closing
    edge = upper + drop
    band = _LASHES * eye.width * np.sqrt(np.clip(1 - u**2, 0, 1))
    top = np.minimum(np.interp(xx[0], *eye.brow.T), upper - band - 2)
    stretched = top + (yy - top) * (upper - band - top) / np.maximum(edge - band - top, 1)
    source = np.where(yy < edge - band, np.where(yy < top, yy, stretched), yy - drop)
    at = np.dstack([xx, source]).astype(np.float32)
    drawn = cv2.remap(pixels, at, None, cv2.INTER_CUBIC).astype(np.float32)  # type: ignore[call-overload, arg-type]
    over = np.clip(edge - yy + 0.5, 0, 1)[..., None]  # the lid lies over what is left of the eye
    line = closing * np.exp(-(((yy - edge) / 1.4) ** 2)) * np.clip(1 - u**6, 0, 1)
    mixed = pixels[y0:y1, x0:x1] * (1 - over) + drawn * over
    picture[y0:y1, x0:x1] = np.clip(np.round(mixed * (1 - 0.55 * line[..., None])), 0, 255).astype(np.uint8)
