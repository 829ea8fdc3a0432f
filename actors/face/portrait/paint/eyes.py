"""Eyes, lids, lashes and brows, painted for any closing fraction.

It paints over finished skin on which the lids are shut, so a blink only makes the opening smaller.
"""

from __future__ import annotations

import numpy as np
import skia

from actors.face.portrait.paint.canvas import (
    Array,
    blur,
    bump,
    curve,
    grid,
    layer,
    linear,
    mask,
    over,
    polygon,
    smoothstep,
)
from actors.face.portrait.paint.shape import (
    EYE_HALF,
    IRIS_DY,
    IRIS_R,
    brow_line,
    eye_centre,
    eye_opening,
    lid_edges,
)

LASH = (34, 22, 20)
BROW = (78, 52, 41)


def paint_eyes(picture: Array, closing: float, scale: int, seed: int) -> None:
    """Both eyes at a closing fraction 0 (open) to 1 (shut), in place."""
    for side in (-1, 1):
        _lid_shade(picture, side, scale)
        _fold(picture, side, closing, scale)
        if closing < 0.99:
            _ball(picture, side, closing, scale, seed)
        _rims(picture, side, closing, scale)
        _lashes(picture, side, closing, scale, seed)


def paint_brows(picture: Array, scale: int, seed: int) -> None:
    """Both brows as short hairs along the brow line, in place."""
    for side in (-1, 1):
        _brow(picture, side, scale, seed)


def _colour(rgb: tuple[float, float, float], alpha: float) -> int:
    return skia.Color(*(int(np.clip(c, 0, 255)) for c in rgb), int(np.clip(alpha, 0, 1) * 255))


def _fold(picture: Array, side: int, closing: float, scale: int) -> None:
    """The crease above the upper lid; it smooths out as the lid comes down."""
    top, _ = lid_edges(side, 0.0)
    rise = np.interp(np.linspace(0, 1, len(top)), (0, 0.2, 0.5, 0.85, 1), (2.0, 5.5, 8.0, 7.5, 5.5))
    line = top - np.column_stack([np.zeros(len(top)), rise])
    paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=2.0, Color=_colour((0, 0, 0), 1))
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    alpha = layer(scale, lambda canvas: canvas.drawPath(polygon(line[3:], closed=False), paint))[1]
    strength = 0.62 * (1 - 0.55 * closing)
    over(picture, linear((112, 58, 44)), strength * blur(alpha, 0.9, scale))
    over(picture, linear((150, 88, 68)), 0.30 * (1 - 0.3 * closing) * blur(alpha, 3.0, scale))


def _lid_shade(picture: Array, side: int, scale: int) -> None:
    """A breath of brown on the lid, deeper toward the outer corner."""
    x, y = grid(scale)
    cx, cy = eye_centre(side)
    over(picture, linear((126, 72, 56)), 0.20 * bump(x, y, (cx + side * 12, cy - 17), (22, 7)))
    over(picture, linear((112, 60, 48)), 0.22 * bump(x, y, (cx + side * 33, cy - 6), (10, 6)))


def _ball(picture: Array, side: int, closing: float, scale: int, seed: int) -> None:
    x, y = grid(scale)
    cx, cy = eye_centre(side)
    iris_x, iris_y = cx, cy + IRIS_DY
    ball = _white(x, y, cx, cy, side)
    distance = np.hypot(x - iris_x, y - iris_y)
    over(ball, _iris(x, y, iris_x, iris_y, seed + side), smoothstep(IRIS_R + 0.7, IRIS_R - 0.9, distance))
    over(ball, linear((12, 8, 9)), smoothstep(8.1, 6.7, distance))
    opening = mask(scale, eye_opening(side, closing))
    top, low = lid_edges(side, closing)
    edge = np.interp(x[0], *_rising(top))[None, :]
    under = smoothstep(11.0, -1.0, (y - edge).astype(np.float32))
    ball *= 1 - 0.62 * under[..., None] * np.array([0.92, 1.0, 1.0], np.float32)
    rim = np.interp(x[0], *_rising(low))[None, :]
    ball *= 1 - 0.16 * smoothstep(5.0, 0.0, (rim - y).astype(np.float32))[..., None]
    _glints(ball, iris_x, iris_y, scale)
    over(picture, ball, opening)


def _rising(line: Array) -> tuple[Array, Array]:
    order = np.argsort(line[:, 0])
    return line[order, 0], line[order, 1]


def _white(x: Array, y: Array, cx: float, cy: float, side: int) -> Array:
    """The white, rounded by shade, pinker toward the inner corner."""
    u = (x - cx) / EYE_HALF
    round_off = 1 - 0.34 * np.clip(np.abs(u), 0, 1.2) ** 2.2 - 0.10 * np.clip((y - cy) / 14, -1, 1) ** 2
    ball = linear((236, 231, 227)) * round_off[..., None]
    pink = smoothstep(-0.55, -0.98, side * u)
    over(ball, linear((205, 134, 122)), 0.85 * pink)
    over(ball, linear((206, 160, 150)), 0.25 * smoothstep(0.6, 1.0, side * u))
    return ball.astype(np.float32)


def _iris(x: Array, y: Array, ix: float, iy: float, seed: int) -> Array:
    """Radial fibres, an amber collar round the pupil, light pooled low, a dark ring at the limbus."""
    angle = np.arctan2(y - iy, x - ix)
    r = np.hypot(x - ix, y - iy) / IRIS_R
    rng = np.random.default_rng(seed)
    fibres = np.zeros_like(r)
    for wave in (11, 17, 23, 31, 43, 59, 71):
        phase, twist = rng.uniform(0, 2 * np.pi), rng.uniform(-1.2, 1.2)
        fibres += np.sin(wave * angle + phase + twist * r * 3) * (0.5 + 0.5 * np.sin(3 * angle + phase)) / 4
    base = linear((112, 68, 34)) * np.ones((*r.shape, 1), np.float32)
    over(base, linear((172, 112, 52)), np.clip(0.65 * smoothstep(0.95, 0.45, r) + 0.30 * fibres, 0, 1))
    over(base, linear((52, 28, 16)), np.clip(-0.45 * fibres, 0, 0.6) * smoothstep(0.3, 0.6, r))
    low = smoothstep(-0.3, 0.9, ((y - iy) * 0.9 + (x - ix) * 0.35) / IRIS_R)
    base *= 0.62 + 1.05 * low[..., None]
    over(base, linear((92, 84, 44)), 0.55 * smoothstep(0.50, 0.85, r))
    over(base, linear((28, 18, 12)), 0.90 * smoothstep(0.76, 1.02, r))
    over(base, linear((40, 22, 14)), 0.6 * smoothstep(0.52, 0.38, r))
    return base.astype(np.float32)


def _glints(ball: Array, ix: float, iy: float, scale: int) -> None:
    """The window's reflection upper left, and a faint one opposite."""
    window = mask(scale, [(ix - 9.2, iy - 8.0), (ix - 3.0, iy - 9.2), (ix - 2.6, iy - 3.2), (ix - 8.4, iy - 2.4)], 0.75)
    over(ball, linear((255, 252, 246)), 0.96 * window)
    small = mask(scale, [(ix + 5.5, iy + 6.0), (ix + 8.5, iy + 5.4), (ix + 8.2, iy + 8.0), (ix + 5.8, iy + 8.4)], 0.7)
    over(ball, linear((236, 226, 214)), 0.55 * small)


def _rims(picture: Array, side: int, closing: float, scale: int) -> None:
    """Wet edge of the lower lid, and the dark thick edge of the upper one."""
    top, low = lid_edges(side, closing)
    wet = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=1.5, Color=_colour((0, 0, 0), 1))
    if closing < 0.95:
        alpha = layer(scale, lambda canvas: canvas.drawPath(polygon(low[3:-2], closed=False), wet))[1]
        over(picture, linear((222, 164, 148)), 0.75 * (1 - closing) * blur(alpha, 0.35, scale))
    path = _band(top, side, 0.9, 3.8)
    dark = layer(scale, lambda canvas: canvas.drawPath(path, skia.Paint(AntiAlias=True, Color=_colour((0, 0, 0), 1))))[
        1
    ]
    over(picture, linear(LASH), 0.88 * blur(dark, 0.35, scale))
    over(picture, linear((120, 66, 50)), 0.35 * blur(dark, 2.0, scale))


def _band(line: Array, side: int, thin: float, thick: float) -> skia.Path:
    """A stroke that grows from the inner to the outer corner."""
    u = np.linspace(0, 1, len(line))
    width = thin + (thick - thin) * np.sin(np.pi * np.clip(u, 0, 1) ** 0.8 * 0.86) * (0.45 + 0.55 * u)
    upper = line - np.column_stack([np.zeros(len(line)), width])
    upper[-1] += (side * 3.0, -1.5)
    return polygon(np.vstack([upper, (line + np.array((0, 0.3)))[::-1]]))


def _lashes(picture: Array, side: int, closing: float, scale: int, seed: int) -> None:
    top, low = lid_edges(side, closing, 201)
    rng = np.random.default_rng(seed + 7 * (side + 1))

    def draw(canvas: skia.Canvas) -> None:
        for u in np.sort(rng.uniform(0.10, 1.0, 84)):
            root = top[int(u * 200)]
            length = (3.2 + 7.5 * u**1.4) * rng.uniform(0.75, 1.1)
            lean = side * (-0.35 + 1.35 * u) + rng.normal(0, 0.08)
            rise = (1 - 2.0 * closing) * (1 - 0.25 * u) if closing < 0.5 else -0.75 * (2 * closing - 1)
            _lash(canvas, root, length, lean, rise, 0.85)
        for u in np.sort(rng.uniform(0.30, 0.97, 22)):
            root = low[int(u * 200)] + (0, 0.8)
            _lash(canvas, root, rng.uniform(2.0, 3.6), side * (-0.2 + 1.1 * u), -0.75, 0.30)

    rgb, alpha = layer(scale, draw)
    over(picture, rgb, alpha)


def _lash(canvas: skia.Canvas, root: Array, length: float, lean: float, rise: float, alpha: float) -> None:
    """One hair: a thin curved wedge from the lid edge outward; `rise` > 0 points up."""
    tip = root + np.array((lean * length * 0.85, -rise * length))
    bend = root + np.array((lean * length * 0.25, -rise * length * 0.25 + (1.0 if rise > 0 else 0.6)))
    line = curve([tuple(root), tuple((bend + tip) / 2 + np.array((0, 0.3))), tuple(tip)], 7)
    for i in range(6):
        paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, Color=_colour(LASH, alpha))
        paint.setStrokeWidth(1.15 * (1 - i / 6.5))
        canvas.drawLine(*line[i], *line[i + 1], paint)


def _brow(picture: Array, side: int, scale: int, seed: int) -> None:
    line = brow_line(side, 101)
    rng = np.random.default_rng(seed + 31 * (side + 1))
    soft = skia.Paint(AntiAlias=True, Color=_colour((0, 0, 0), 1))
    u = np.linspace(0, 1, 101)
    half = 5.9 * np.clip(u / 0.12, 0.45, 1) * (1 - u) ** 0.6 + 0.6
    band = polygon(np.vstack([line - np.column_stack([0 * u, half]), (line + np.column_stack([0 * u, half]))[::-1]]))
    alpha = layer(scale, lambda canvas: canvas.drawPath(band, soft))[1]
    over(picture, linear((104, 68, 52)), 0.52 * blur(alpha, 2.0, scale))

    def draw(canvas: skia.Canvas) -> None:
        for at in np.sort(rng.uniform(0, 0.985, 300)):
            i = int(at * 100)
            root = line[i] + (rng.normal(0, 0.7), rng.uniform(-1, 1) * half[i] * 0.95)
            slope = line[min(i + 6, 100)] - line[max(i - 6, 0)]
            along = slope / np.hypot(*slope)
            above = (root[1] - line[i][1]) / max(half[i], 0.5)
            lift = 0.8 * (1 - at) ** 2.2 * (0.55 + 0.45 * above) + 0.28 * above
            direction = along + np.array((0, -lift))
            length = rng.uniform(6, 10) * (1 - 0.35 * at)
            shade = rng.uniform(-10, 14)
            paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=rng.uniform(0.6, 1.0))
            paint.setColor(_colour(tuple(c + shade for c in BROW), 0.62 * min(1.0, 0.35 + 6 * at)))  # type: ignore[arg-type]
            tip = root + direction / np.hypot(*direction) * length
            canvas.drawLine(*root, *tip, paint)

    rgb, alpha = layer(scale, draw)
    over(picture, rgb, alpha)
