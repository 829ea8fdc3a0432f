"""Everything behind and below the face: background, neck and sweater.

It knows the head only as something that shades the neck.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import skia

from actors.face.portrait.paint.canvas import (
    Array,
    blur,
    bump,
    curve,
    layer,
    linear,
    mask,
    over,
    polygon,
    smoothstep,
    table,
)
from actors.face.portrait.paint.light import FILL, KEY, skin, unit
from actors.face.portrait.paint.shape import CX, face_outline

WOOL = (124, 52, 58)
_NECK = ((480, 78), (560, 71), (610, 69), (638, 73), (660, 86), (682, 118), (740, 190), (780, 240))
# x, row, angle from upright, length, height of the sweater's folds
_FOLDS = ((150, 800, 0.55, 70, 9), (430, 806, -0.5, 75, 9), (215, 850, 0.25, 60, 6), (372, 846, -0.3, 60, 6),
          (90, 850, 0.9, 50, 8), (492, 850, -0.9, 50, 8))  # fmt: skip
COLLAR = ((190, 671), (214, 695), (250, 713), (290, 719), (330, 713), (366, 695), (390, 671))
SHOULDER = ((-30, 872), (-6, 807), (30, 760), (82, 723), (140, 695), (174, 677), (189, 671))


def paint_background(x: Array, y: Array) -> Array:
    """A plain studio wall: cool at the key side, a warm glow behind the far shoulder.

    No detail on purpose: the wall is warped with the head, and only smoothness hides that.
    """
    top, bottom = linear((112, 142, 150)), linear((72, 98, 108))
    t = smoothstep(0, 864, y)[..., None]
    wall = top * (1 - t) + bottom * t
    over(wall, linear((238, 206, 166)), 0.80 * bump(x, y, (520, 210), (190, 260)))
    over(wall, linear((60, 84, 96)), 0.40 * bump(x, y, (40, 560), (190, 260)))
    return wall.astype(np.float32)


def neck_outline() -> list[tuple[float, float]]:
    """Closed outline of neck and upper chest."""
    rows = np.linspace(480, 780, 80)
    widths = table(_NECK, rows)
    left, right = np.column_stack([CX - widths, rows]), np.column_stack([CX + widths, rows])
    return [tuple(p) for p in np.vstack([right, left[::-1]])]


def paint_neck(picture: Array, x: Array, y: Array, scale: int) -> None:
    """Neck with the chin's shadow, tendons and collar bones, in place."""
    rows = np.clip(y[:, 0], 480, 780)
    width = table(_NECK, rows)[:, None].astype(np.float32)
    height = 62 * np.sqrt(np.clip(1 - np.clip(np.abs(x - CX) / (width * 1.02), 0, 1) ** 2.2, 0, 1))
    for side in (-1, 1):
        lean = CX + side * (16 + 0.22 * np.clip(720 - y, 0, 200))
        height += 2.6 * np.exp(-0.5 * ((x - lean) / 7) ** 2) * smoothstep(600, 690, y)
        bone = 716 - 0.10 * np.abs(x - CX)
        height += 4.0 * np.exp(-0.5 * ((y - bone) / 6) ** 2) * bump(x, y, (CX + side * 52, 710), (26, 40))
    height -= 3.5 * bump(x, y, (CX, 712), (10, 12))
    albedo = linear((222, 164, 134)) * np.ones((*x.shape, 1), np.float32)
    chin = mask(scale, [(px + 12, py + 46) for px, py in face_outline(330)])
    shade = 1 - 0.92 * blur(chin, 7, scale)
    shade *= 1 - 0.35 * bump(x, y, (CX + 60, 640), (40, 70))
    sky = np.clip(1 - 0.62 * smoothstep(660, 560, y) - 0.45 * smoothstep(40, 80, np.abs(x - CX)), 0.2, 1)
    lit = skin(
        height.astype(np.float32),
        albedo,
        sky.astype(np.float32),
        shade.astype(np.float32),
        0.5 * sky,
        0 * sky,
        scale,
    )
    over(picture, lit, mask(scale, neck_outline(), 0.5))


def sweater_outline() -> list[tuple[float, float]]:
    """Closed outline of the sweater; its top is the collar."""
    left = curve(SHOULDER, 60)
    right = left.copy()[::-1]
    right[:, 0] = 2 * CX - right[:, 0] + 2
    return [tuple(p) for p in np.vstack([left, curve(COLLAR, 60), right])]


def paint_sweater(picture: Array, x: Array, y: Array, scale: int) -> None:
    """A crew-neck of fine knit with a ribbed collar, in place."""
    inside = mask(scale, sweater_outline(), 0.4)
    height = _body(x, y)
    light = _cloth_light(height, scale)
    stitch = _knit(x, y, height)
    wool = linear(WOOL) * light * (1 + 0.045 * stitch[..., None])
    shade = blur(inside, 10, scale)
    wool *= (0.62 + 0.38 * smoothstep(0.35, 0.95, shade))[..., None]
    over(picture, wool.astype(np.float32), inside)
    _collar(picture, scale, light)


def _body(x: Array, y: Array) -> Array:
    """Shoulders and chest as a broad hill with a few soft folds."""
    u = np.clip(np.abs(x - CX) / 340, 0, 1)
    height = 120 * np.sqrt(np.clip(1 - u**2.2, 0, 1)) * smoothstep(650, 900, y + 0 * x) ** 0.6
    for px, py, angle, length, depth in _FOLDS:
        along = (x - px) * np.sin(angle) + (y - py) * np.cos(angle)
        across = (x - px) * np.cos(angle) - (y - py) * np.sin(angle)
        height += depth * np.exp(-0.5 * ((across / 11) ** 2 + (along / length) ** 2))
    return height.astype(np.float32)


def _cloth_light(height: Array, scale: int) -> Array:
    smooth = blur(height, 2.5, scale)
    dy, dx = np.gradient(smooth, 1 / scale)
    length = np.sqrt(dx * dx + dy * dy + 1)
    key, fill = unit(KEY), unit(FILL)
    lit = np.maximum((-dx * key[0] - dy * key[1] + key[2]) / length + 0.15, 0) / 1.15
    side = np.maximum((-dx * fill[0] - dy * fill[1] + fill[2]) / length, 0)
    colour = np.array([1.15, 1.08, 1.0], np.float32), np.array([0.20, 0.23, 0.28], np.float32)
    return lit[..., None] * colour[0] + side[..., None] * colour[1] + 0.22


def _knit(x: Array, y: Array, height: Array) -> Array:
    """Rows of small v-shaped stitches that follow the body, -1..1."""
    column = (x - CX) * (1 + 0.0006 * np.abs(x - CX)) / 6.4
    row = (y + 0.10 * height) / 5.6
    v = np.abs(column - np.round(column)) * 2
    return (np.sin(2 * np.pi * (row + 0.55 * v)) * 0.7 + 0.5 * np.cos(2 * np.pi * column) * 0.6).astype(np.float32)


def _collar(picture: Array, scale: int, light: Array) -> None:
    """The ribbed band round the neck, and its shadow on skin and wool."""
    inner, outer = (
        curve(COLLAR, 90),
        curve([(x + (x - CX) * 0.05, y + 15 - 9 * (abs(x - CX) / 100) ** 2) for x, y in COLLAR], 90),
    )
    band = mask(scale, np.vstack([inner, outer[::-1]]), 0.4)
    drop = mask(scale, np.vstack([inner, outer[::-1]]) + np.array((0, 4)), 3.0)
    over(picture, linear((70, 26, 18)), 0.45 * np.clip(drop - band, 0, 1))

    def ribs(canvas: skia.Canvas) -> None:
        paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=1.5, Color=skia.Color(0, 0, 0))
        for i in range(1, 89):
            canvas.drawPath(polygon([inner[i], outer[i]], closed=False), paint)

    lines = blur(layer(scale, ribs)[1], 0.6, scale)
    over(picture, (linear(WOOL) * light * 1.06).astype(np.float32), band)
    over(picture, (linear(WOOL) * light * 0.45).astype(np.float32), 0.65 * lines * band)


def shade_body(picture: Array, masses: Sequence[list[tuple[float, float]]], scale: int) -> None:
    """The soft shadow of the hair on neck and sweater, in place."""
    body = np.maximum(mask(scale, sweater_outline()), mask(scale, neck_outline()))
    fallen = np.zeros_like(body)
    for outline in masses:
        fallen = np.maximum(fallen, mask(scale, [(x + 7, y + 9) for x, y in outline]))
    picture *= 1 - (0.55 * blur(fallen, 6.0, scale) * body)[..., None]


def paint_necklace(picture: Array, scale: int) -> None:
    """A fine gold chain with a small round pendant, and their shadow on the skin, in place."""
    chain = polygon(
        curve(((205, 660), (232, 682), (262, 695), (288, 700), (314, 695), (344, 682), (371, 660)), 60), False
    )
    thread = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=1.4, Color=skia.ColorBLACK)
    skin_only = mask(scale, neck_outline()) * (1 - mask(scale, sweater_outline()))

    def draw(canvas: skia.Canvas) -> None:
        canvas.drawPath(chain, thread)
        canvas.drawCircle(288, 703.0, 3.4, skia.Paint(AntiAlias=True, Color=skia.ColorBLACK))

    gold = layer(scale, draw)[1] * skin_only
    drop = np.roll(gold, (2 * scale, scale), (0, 1))
    over(picture, linear((110, 58, 40)), 0.5 * blur(drop, 1.0, scale) * skin_only)
    rows, columns = (np.arange(n, dtype=np.float32) / scale for n in gold.shape)
    shine = 0.55 + 0.45 * np.sin(columns / 2.1)[None, :] * np.cos(rows / 5.0)[:, None]
    over(picture, linear((214, 164, 92)) * (0.85 + 0.45 * shine[..., None]), 0.85 * gold)
