"""Where everything is: the measures of this one face in texture pixels, and the curves made from them.

The rig and the painter both read this file, so that they cannot disagree. It paints nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.paint.canvas import through

Curve = NDArray[Any]

CX = 288.0
M = 49.0  # half mouth width, the unit of mouth motion
MOUTH_Y = 492.0
EYE_Y = 370.0
EYE_DX = 66.0
EYE_HALF = 36.5
IRIS_R = 20.5
IRIS_DY = -1.5
NOSE_BASE = (CX, 457.0)
CHIN = (CX, 579.0)
JAW_Y = 536.0
NECK = (CX, 650.0)
LID_BOX = (168, 318, 408, 412)
LID_STATES = (0.2, 0.4, 0.6, 0.8, 0.92, 1.0)

# row, half width of the head's silhouette: squared before it is interpolated, so both ends are round
_HALF_WIDTH = (
    (104, 0), (118, 52), (140, 86), (180, 114), (230, 129), (290, 134), (340, 133), (380, 131), (420, 126.5),
    (455, 119), (490, 107), (520, 90), (545, 69), (562, 49), (573, 29), (580, 0),
)  # fmt: skip


def half_width(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half width of the head at each row, 0 outside it."""
    rows, widths = np.array(_HALF_WIDTH, float).T
    return np.sqrt(np.maximum(through(rows, widths**2, y), 0)).astype(np.float32)


def face_outline(top: float = 104.0) -> Curve:
    """Closed outline of the head from row `top` down, (n, 2)."""
    rows = 580 - (580 - top) * (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, 120)))
    widths = half_width(rows.astype(np.float32))
    right = np.column_stack([CX + widths, rows])
    return np.vstack([right, np.column_stack([CX - widths, rows])[::-1]])


def lip_line(count: int = 17) -> Curve:
    """The cut between the lips from left corner to right corner: a shallow bow with raised corners."""
    u = np.linspace(-1, 1, count)
    bow = 1.5 * np.exp(-((u / 0.16) ** 2)) - 1.2 * np.exp(-(((np.abs(u) - 0.42) / 0.22) ** 2))
    return np.column_stack([CX + M * u, MOUTH_Y + bow - 7.0 * np.abs(u) ** 2.2 - 0.5 * u + 1.6])


def upper_lip_top(count: int = 17) -> Curve:
    """Outer edge of the upper lip, corner to corner: two peaks and a dip."""
    u = np.linspace(-1, 1, count)
    rise = 13.5 * np.clip(1 - np.abs(u) ** 1.7, 0, 1) ** 0.9 + 2.2 * np.exp(-(((np.abs(u) - 0.2) / 0.13) ** 2))
    dip = 2.2 * np.exp(-((u / 0.11) ** 2))
    return np.column_stack([CX + M * u, lip_line(count)[:, 1] - (rise - dip) * (1 - np.abs(u) ** 8)])


def lower_lip_bottom(count: int = 17) -> Curve:
    """Outer edge of the lower lip, corner to corner: full in the middle."""
    u = np.linspace(-1, 1, count)
    base = MOUTH_Y - 5.5 * np.abs(u) ** 2.6 - 0.5 * u
    drop = 21.5 * np.clip(1 - np.abs(u) ** 2.6, 0, 1) ** 0.85
    blend = np.abs(u) ** 6  # no bow here: it would put a point under the lip
    line = lip_line(count)[:, 1]
    return np.column_stack([CX + M * u, base + (line - base) * blend + drop])


def eye_centre(side: int) -> tuple[float, float]:
    """Middle of an eye; side -1 is the left of the picture, +1 the right."""
    return CX + side * EYE_DX, EYE_Y


def lid_edges(side: int, closing: float, count: int = 41) -> tuple[Curve, Curve]:
    """Upper and lower lid edge from the inner to the outer corner at a closing fraction 0..1, (count, 2) each."""
    cx, cy = eye_centre(side)
    u = np.linspace(-1, 1, count)  # -1 is the inner corner
    tilt = 2.2 - 4.6 * (u + 1) / 2  # the outer corner sits higher
    upper = tilt - 17.2 * np.clip(1 - np.abs(u + 0.02) ** 2.2, 0, 1) ** 0.85 - 1.2 * u * (1 - u**2)
    lower = tilt + 11.8 * np.clip(1 - np.abs(u) ** 2.4, 0, 1) + 2.2 * u * (1 - u**2)
    low = lower - closing * 2.2 * (1 - u**2)  # the lower lid comes up a little
    shut = tilt + (low - tilt) * 0.93
    top = upper + (shut - upper) * closing
    x = cx + side * EYE_HALF * u
    return np.column_stack([x, cy + np.minimum(top, low)]), np.column_stack([x, cy + low])


def eye_opening(side: int, closing: float = 0.0, count: int = 41) -> Curve:
    """Closed outline of the visible eye."""
    top, low = lid_edges(side, closing, count)
    return np.vstack([top, low[::-1]])


def brow_line(side: int, count: int = 40) -> Curve:
    """Middle line of a brow from the nose outward."""
    u = np.linspace(0, 1, count)
    x = CX + side * (30 + 77 * u)
    y = 337.5 - 12.0 * np.sin(np.pi * u**1.2 * 0.88) + 2.0 * u**3
    return np.column_stack([x, y - (1.2 if side > 0 else 0.0)])  # no face is even
