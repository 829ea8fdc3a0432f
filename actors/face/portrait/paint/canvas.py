"""The painter's paper: coordinates, linear light, vector layers and the laying of one layer over another.

Every coordinate is a texture pixel (576 x 864, x right, y down, whole numbers at pixel centres); the paper itself is
`scale` times finer. It knows nothing of faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

WIDTH, HEIGHT = 576, 864

Array = NDArray[Any]  # the painter mixes float32 pictures and float64 curves
Points = Sequence[tuple[float, float]] | Array


def grid(scale: int) -> tuple[Array, Array]:
    """Texture coordinates (x, y) of every fine pixel, each of shape (864 * scale, 576 * scale)."""
    x = (np.arange(WIDTH * scale, dtype=np.float32) + 0.5) / scale - 0.5
    y = (np.arange(HEIGHT * scale, dtype=np.float32) + 0.5) / scale - 0.5
    return np.meshgrid(x, y)  # type: ignore[return-value]


def blur(image: Array, sigma: float, scale: int) -> Array:
    """Gaussian blur; sigma in texture pixels. Wide blurs run on a smaller copy, which looks the same."""
    fine = sigma * scale
    shrink = 1
    while fine / shrink > 8:
        shrink *= 2
    if shrink == 1:
        return cv2.GaussianBlur(image, (0, 0), max(fine, 1e-3))
    size = (image.shape[1] // shrink, image.shape[0] // shrink)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), fine / shrink)
    return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between; `low` may exceed `high` to turn it round."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: Array, y: Array, at: tuple[float, float], spread: tuple[float, float]) -> Array:
    """Gaussian hill of height 1 centred at `at` with standard deviations `spread`, texture pixels."""
    return np.exp(-0.5 * (((x - at[0]) / spread[0]) ** 2 + ((y - at[1]) / spread[1]) ** 2))


def linear(colour: Array | tuple[float, float, float]) -> Array:
    """sRGB 0..255 to linear light 0..1."""
    value = np.asarray(colour, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode(light: Array) -> Array:
    """Linear light to sRGB 0..255 (float) through one gentle filmic shoulder that begins at 0.55."""
    knee = 0.55
    over = np.maximum(light - knee, 0)
    soft = np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
    soft = np.clip(soft, 0, 1)
    srgb = np.where(soft <= 0.0031308, soft * 12.92, 1.055 * np.maximum(soft, 1e-6) ** (1 / 2.4) - 0.055)
    return (srgb * 255).astype(np.float32)


def layer(scale: int, draw: Callable[[skia.Canvas], None]) -> tuple[Array, Array]:
    """What `draw` puts on an empty skia canvas: (linear rgb (h, w, 3), alpha (h, w)), straight alpha."""
    surface = skia.Surface(WIDTH * scale, HEIGHT * scale)
    canvas = surface.getCanvas()
    canvas.clear(skia.Color(0, 0, 0, 0))
    canvas.scale(scale, scale)
    canvas.translate(0.5, 0.5)
    draw(canvas)
    pixels = surface.makeImageSnapshot().toarray(
        colorType=skia.ColorType.kRGBA_8888_ColorType, alphaType=skia.AlphaType.kUnpremul_AlphaType
    )
    return linear(pixels[..., :3].astype(np.float32)), pixels[..., 3].astype(np.float32) / 255


def mask(scale: int, outline: Points, soften: float = 0.0) -> Array:
    """Anti-aliased inside of a closed outline, 0..1, its edge softened by `soften` texture pixels."""
    paint = skia.Paint(AntiAlias=True, Color=skia.ColorWHITE)
    inside = layer(scale, lambda canvas: canvas.drawPath(polygon(outline), paint))[1]
    return blur(inside, soften, scale) if soften > 0 else inside


def polygon(points: Points, closed: bool = True) -> skia.Path:
    """Straight-edged path through the points."""
    path = skia.Path()
    path.moveTo(*map(float, points[0]))
    for point in points[1:]:
        path.lineTo(*map(float, point))
    if closed:
        path.close()
    return path


def curve(points: Points, count: int) -> Array:
    """`count` points of a centripetal-like Catmull-Rom curve through the given points, even in chord length."""
    p = np.asarray(points, float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    chords = np.hypot(*np.diff(p[1:-1], axis=0).T)
    at = np.concatenate([[0], np.cumsum(chords)])
    s = np.linspace(0, at[-1], count)
    i = np.clip(np.searchsorted(at, s, side="right") - 1, 0, len(chords) - 1)
    t = ((s - at[i]) / chords[i])[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def through(knots: Array, values: Array, at: Array) -> Array:
    """Monotone cubic through (knots, values) evaluated `at`: no overshoot (Fritsch and Carlson's harmonic slopes).

    `values` is (n, ...) and the result (len(at), ...); outside the knots the end values hold.
    """
    values = np.asarray(values, float)
    tail = (1,) * (values.ndim - 1)
    h = np.diff(knots).reshape(-1, *tail)
    d = np.diff(values, axis=0) / h
    slope = np.zeros_like(values)
    same = d[:-1] * d[1:] > 0
    safe = np.where(same, d[:-1] + d[1:], 1)
    slope[1:-1] = np.where(same, 2 * d[:-1] * d[1:] / safe, 0)
    slope[0], slope[-1] = d[0], d[-1]
    x = np.clip(np.asarray(at, float), knots[0], knots[-1])
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    t = ((x - np.asarray(knots)[i]) / np.diff(knots)[i]).reshape(-1, *tail)
    a, b, ma, mb = values[i], values[i + 1], slope[i] * h[i], slope[i + 1] * h[i]
    return a + ma * t + (3 * (b - a) - 2 * ma - mb) * t**2 + (2 * (a - b) + ma + mb) * t**3


def table(rows: Sequence[tuple[float, float]], at: Array) -> Array:
    """The monotone cubic through (place, value) rows, evaluated `at`."""
    knots, values = np.array(rows, float).T
    return through(knots, values, at)


def over(base: Array, colour: Array | tuple[float, float, float], alpha: Array) -> None:
    """Lay linear `colour` with `alpha` (h, w) over `base` (h, w, 3), in place."""
    base += (np.asarray(colour, np.float32) - base) * alpha[..., None]


def reduce(image: Array, scale: int) -> Array:
    """Mean over scale x scale blocks: the fine paper brought to texture size."""
    if scale == 1:
        return image
    return cv2.resize(image, (image.shape[1] // scale, image.shape[0] // scale), interpolation=cv2.INTER_AREA)
