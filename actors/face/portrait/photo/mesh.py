"""MediaPipe's 478 landmarks by what they mark, each row from the left of the picture to its right. Numbers only."""

from __future__ import annotations

IRIS = (468, 473)
"""Centres; left and right of the picture, as everywhere here."""
IRIS_RINGS = ((469, 470, 471, 472), (474, 475, 476, 477))
UPPER_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
LOWER_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
BROWS_TOP = ((70, 63, 105, 66, 107), (336, 296, 334, 293, 300))
BROWS_BOTTOM = ((46, 53, 52, 65, 55), (285, 295, 282, 283, 276))

CORNERS = (61, 291)
LIP_TOP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIP_BOTTOM = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_TOP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_BOTTOM = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

NOSE_TIP, NOSE_BASE, CHIN, FOREHEAD = 4, 2, 152, 10
SIDES = (234, 454)
JAWS = (172, 397)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
