"""The inside of the mouth as separate patches: cavity, lower teeth, tongue, upper teeth.

Each patch is straight-alpha RGBA with the texture position of its top left corner at rest, teeth shut behind
closed lips: the upper teeth end 0.05 m under the lip line, the lower ones and the tongue begin 0.06 and 0.12 m above.
It knows where the lip line is; how far the jaw drops is the renderer's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.paint.canvas import Array, encode, linear, smoothstep
from actors.face.portrait.paint.shape import CX, MOUTH_Y, M

FINE = 4  # patches are painted four times finer than the texture


@dataclass(frozen=True, slots=True)
class Patch:
    """A picture to be laid into the mouth: RGBA uint8 (h, w, 4), anchor of its top left corner in texture pixels."""

    name: str
    pixels: NDArray[np.uint8]
    anchor: tuple[float, float]


def patches() -> list[Patch]:
    """The four patches in drawing order."""
    return [_cavity(), _lower_teeth(), _tongue(), _upper_teeth()]


def _canvas(width: float, height: float, top: float) -> tuple[Array, Array, tuple[int, int], tuple[float, float]]:
    """Coordinates relative to the middle of the lip line for a patch `width` x `height` that begins at `top`."""
    w, h = 2 * round(width / 2), round(height)
    x = (np.arange(w * FINE, dtype=np.float32) + 0.5) / FINE - w / 2
    y = (np.arange(h * FINE, dtype=np.float32) + 0.5) / FINE + top
    xx, yy = np.meshgrid(x, y)
    return xx, yy, (w, h), (CX + 0.5 - w / 2, MOUTH_Y + 0.5 + top)


def _patch(name: str, rgb: Array, alpha: Array, size: tuple[int, int], anchor: tuple[float, float]) -> Patch:
    premul = cv2.resize(np.dstack([rgb * alpha[..., None], alpha]), size, interpolation=cv2.INTER_AREA)
    straight = encode(premul[..., :3] / np.maximum(premul[..., 3:], 1e-4))
    pixels = np.dstack([straight, premul[..., 3] * 255])
    return Patch(name, np.clip(np.round(pixels), 0, 255).astype(np.uint8), anchor)


def _cavity() -> Patch:
    x, y, size, anchor = _canvas(2.6 * M, 2.2 * M, -0.5 * M)
    depth = np.exp(-((x / (0.9 * M)) ** 2) - ((y - 0.30 * M) / (0.62 * M)) ** 2)
    rgb = linear((112, 44, 40)) * (1 - depth[..., None]) + linear((58, 20, 20)) * depth[..., None]
    return _patch("cavity", rgb.astype(np.float32), np.ones_like(x), size, anchor)


def _row(x: Array, widths: tuple[float, ...]) -> tuple[Array, Array]:
    """Position within a tooth -1..1 and the tooth's number from the middle, for mirrored teeth of given widths."""
    edges = np.concatenate([[0], np.cumsum(widths)])
    a = np.abs(x)
    k = np.clip(np.searchsorted(edges, a, side="right") - 1, 0, len(widths) - 1)
    middle = (edges[k] + edges[k + 1]) / 2
    return ((a - middle) / ((edges[k + 1] - edges[k]) / 2)).astype(np.float32), k.astype(np.float32)


def _teeth_light(x: Array, within: Array, span: float) -> Array:
    """Ivory that darkens toward the corners, with faint lines between teeth."""
    arc = np.clip(1 - (np.abs(x) / span) ** 2.0, 0, 1)
    gap = 1 - 0.16 * smoothstep(0.80, 1.0, np.abs(within))
    form = 1 - 0.07 * within**2
    return (0.30 + 0.70 * arc**0.8) * gap * form


def _upper_teeth() -> Patch:
    x, y, size, anchor = _canvas(2.2 * M, 0.62 * M, -0.50 * M)
    within, number = _row(x, (9.0, 7.2, 7.6, 7.0, 7.0, 7.0, 7.0))
    edge = 0.05 * M - 0.9 * (number == 1) - 0.4 * (number == 2) - 0.0042 * x**2 * 0.55 - 1.1 * np.abs(within) ** 4
    alpha = smoothstep(0.5, -0.5, y - edge) * smoothstep(1.07 * M, 0.98 * M, np.abs(x))
    light = _teeth_light(x, within, 1.15 * M) * (1 - 0.20 * smoothstep(-8, -22, y))
    rgb = linear((236, 222, 204)) * light[..., None]
    gum = smoothstep(-17.0, -20.0, y + 2.2 * np.abs(within) ** 2)
    rgb = rgb * (1 - gum[..., None]) + linear((172, 88, 82)) * (0.75 * light * gum)[..., None]
    return _patch("upper_teeth", rgb.astype(np.float32), alpha.astype(np.float32), size, anchor)


def _lower_teeth() -> Patch:
    x, y, size, anchor = _canvas(2.0 * M, 0.62 * M, -0.14 * M)
    within, number = _row(x, (5.6, 6.0, 6.8, 7.0, 7.0, 7.0, 7.0))
    edge = -0.06 * M + 0.3 * (number == 1) + 0.0018 * x**2 + 0.9 * np.abs(within) ** 4
    alpha = smoothstep(-0.5, 0.5, y - edge) * smoothstep(0.92 * M, 0.82 * M, np.abs(x))
    light = _teeth_light(x, within, 1.0 * M)
    rgb = linear((196, 178, 160)) * light[..., None] * 0.9
    gum = smoothstep(11.0, 14.5, y - 1.6 * np.abs(within) ** 2)
    rgb = rgb * (1 - gum[..., None]) + linear((140, 66, 62)) * (0.8 * light * gum)[..., None]
    return _patch("lower_teeth", rgb.astype(np.float32), alpha.astype(np.float32), size, anchor)


def _tongue() -> Patch:
    x, y, size, anchor = _canvas(1.8 * M, 1.0 * M, -0.22 * M)
    half = 0.74 * M
    u = np.clip(np.abs(x) / half, 0, 1)
    top = -0.12 * M + 0.36 * M * u**3.0 + 1.6 * np.exp(-((x / 5) ** 2))
    inside = y - top
    alpha = smoothstep(-0.8, 1.0, inside) * smoothstep(1.0, 0.93, np.abs(x) / half)
    light = 0.55 + 0.45 * smoothstep(-2, 13, inside) - 0.25 * u**2
    light -= 0.16 * np.exp(-((x / 2.6) ** 2)) * smoothstep(0, 8, inside)
    rgb = linear((186, 88, 86)) * light[..., None]
    sheen = 0.16 * np.exp(-(((np.abs(x) - 11) / 7) ** 2) - ((inside - 7) / 4) ** 2)
    rgb += sheen[..., None] * np.array([0.9, 0.62, 0.58], np.float32)
    return _patch("tongue", rgb.astype(np.float32), alpha.astype(np.float32), size, anchor)
