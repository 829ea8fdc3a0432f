"""The face as a landscape: how far each pixel comes forward, in texture pixels.

Analytic: a head of given silhouette and middle profile, and soft hills and dents on it. It knows no colour and
no light.
"""

from __future__ import annotations

import numpy as np

from actors.face.portrait.paint.canvas import Array, bump, smoothstep, table
from actors.face.portrait.paint.shape import CX, EYE_DX, EYE_Y, MOUTH_Y, half_width, lip_line

_PROFILE = ((104, 60), (150, 96), (200, 114), (260, 122), (320, 122), (370, 119), (420, 119), (460, 117), (492, 114),
            (520, 108), (545, 99), (565, 86), (580, 70))  # fmt: skip
_NOSE_RISE = ((325, 0), (345, 1.5), (362, 5), (385, 9), (415, 15), (438, 21), (448, 18), (457, 7), (464, 0))
_NOSE_WIDTH = ((325, 15), (362, 12), (400, 13.5), (438, 15.5), (464, 17))

# x offset (mirrored unless 0), row, spread x, spread y, height
_HILLS = (
    (66, 366, 38, 22, -12), (60, 334, 40, 12, 4), (0, 352, 13, 17, -2),
    (20, 447, 6.8, 7.2, 9.5), (29, 446, 5, 11, -3), (11.5, 440, 3.5, 8, -1.5), (0, 441, 10, 9, 8),
    (80, 418, 34, 30, 8), (66, 430, 20, 15, 3), (47, 462, 7, 15, -1.3), (95, 480, 30, 26, -3), (0, 250, 80, 40, 2),
    (0, 470, 4.2, 8, -1.8), (7.5, 470, 3.6, 8, 1.3),
    (0, 521, 27, 7, -5), (0, 553, 26, 17, 8), (54, 489, 7, 8, -2.6), (64, 494, 12, 14, 2),
)  # fmt: skip


def face_height(x: Array, y: Array) -> Array:
    """Height of the skin, lids shut over the eyeballs; 0 outside the head."""
    rows = y[:, 0]
    width = np.maximum(half_width(rows), 1e-3)[:, None]
    depth = table(_PROFILE, rows)[:, None]
    across = np.clip(1 - np.abs((x - CX) / width) ** 2.5, 0, 1) ** (1 / 2.2)
    height = depth * across
    height += _nose(x, rows)
    for dx, row, sx, sy, rise in _HILLS:
        for side in (-1, 1) if dx else (1,):
            height += rise * bump(x, y, (CX + side * dx, row), (sx, sy))
    for side in (-1, 1):
        height += _eyeball(x, y, side)
    return (height + _lips(x, y)).astype(np.float32)


def _nose(x: Array, rows: Array) -> Array:
    rise = table(_NOSE_RISE, rows)[:, None]
    width = table(_NOSE_WIDTH, rows)[:, None]
    return rise * np.exp(-0.5 * ((x - CX) / width) ** 2)


def _eyeball(x: Array, y: Array, side: int) -> Array:
    """A ball under the lids, its rim smoothed so that it grows out of the socket."""
    r2 = ((x - CX - side * EYE_DX) / 40) ** 2 + ((y - EYE_Y + 1) / np.where(y < EYE_Y, 27, 32)) ** 2
    return 13 * np.clip(1 - r2, 0, 1) ** 1.7


def _lips(x: Array, y: Array) -> Array:
    """Two pillows either side of the lip line; they thin out toward the corners."""
    line = lip_line(65)
    middle = np.interp(x[0], line[:, 0], line[:, 1])[None, :]
    u = np.clip((x - CX) / 50, -1, 1)
    full = (1 - u**2) ** 0.7
    below = (y - middle).astype(np.float32)
    upper = 5.2 * np.exp(-(((below + 7.0) / 6.4) ** 2)) * full
    lower = 7.0 * np.exp(-(((below - 10.0) / 8.6) ** 2)) * full**1.2
    crease = -5.0 * np.exp(-((below / 2.6) ** 2)) * smoothstep(1.04, 0.86, np.abs(x - CX) / 50)
    beak = 1.4 * bump(x, y, (CX, MOUTH_Y - 5), (6, 5))
    return upper + lower + crease + beak
