"""How open the eyes of a portrait are, and where they look: what the diffusion is told of them."""

from __future__ import annotations

import numpy as np

from actors.face.ditto.spec import Array

CORNERS = ((33, 133), (263, 362))
"""Outer and inner corner of each eye in MediaPipe's mesh: the eye left in the picture, then the other."""
LIDS = (((145, 159), (144, 160), (153, 158)), ((374, 386), (373, 387), (380, 385)))
"""Three heights of each."""
IRISES = (468, 473)


def of_mesh(points: Array) -> tuple[Array, Array]:
    """(2,) how open and (6,) how turned the eyes are, of MediaPipe's 478 points (478, 3) of the cut-out face."""
    opened, turned = [], []
    for (outer, inner), lids, iris in zip(CORNERS, LIDS, IRISES, strict=True):
        heights = [np.linalg.norm(points[low] - points[high]) for low, high in lids]
        opened.append(sum(heights) / np.linalg.norm(points[outer] - points[inner]))
        turned.append(_turned(points[outer], points[inner], points[iris]))
    return np.array(opened, np.float32), np.stack(turned, -1).reshape(-1).astype(np.float32)


def of_outlines(outlines: Array, irises: Array) -> tuple[Array, Array]:
    """The same of what a portrait's folder keeps: outlines (2, n, 2) of the openings, centres (2, 2) of the irises.

    An outline goes along the upper lid and back along the lower one, n / 2 points each.
    """
    opened, turned = [], []
    for eye, iris in zip(outlines, irises, strict=True):
        half = len(eye) // 2
        upper, lower = eye[:half], eye[half:][::-1]
        at = [round(share * (half - 1)) for share in (0.25, 0.5, 0.75)]
        left, right = eye[eye[:, 0].argmin()], eye[eye[:, 0].argmax()]
        width = np.linalg.norm(right - left)
        opened.append(np.linalg.norm(upper[at] - lower[at], axis=1).sum() / width)
        outer, inner = (left, right) if not turned else (right, left)
        turned.append(np.append(_turned(outer, inner, iris), 0))
    return np.array(opened, np.float32), np.stack(turned, -1).reshape(-1).astype(np.float32)


def _turned(outer: Array, inner: Array, iris: Array) -> Array:
    """Which way the iris lies off the eye's middle, less the eye's own axis, by how far."""
    off, axis = iris - (outer + inner) / 2, outer - inner
    far = float(np.linalg.norm(off))
    return off - axis / np.linalg.norm(axis) * far
