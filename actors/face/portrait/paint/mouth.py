"""The lips' colour and the dark crease between them.

The lips' form is in the height map; here are only pigment and crease. It knows nothing of teeth.
"""

from __future__ import annotations

import numpy as np
import skia

from actors.face.portrait.paint.canvas import (
    Array,
    blur,
    bump,
    grid,
    layer,
    linear,
    mask,
    over,
    polygon,
    smoothstep,
)
from actors.face.portrait.paint.shape import CX, MOUTH_Y, M, lip_line, lower_lip_bottom, upper_lip_top

LIP = (196, 98, 92)


def lip_mask(scale: int, soften: float = 0.9) -> Array:
    """Where the lips' pigment lies, 0..1."""
    return mask(scale, np.vstack([upper_lip_top(65), lower_lip_bottom(65)[::-1]]), soften)


def tint_lips(albedo: Array, x: Array, y: Array, scale: int, seed: int) -> None:
    """Lay the lips' pigment into the skin's albedo, in place: upper lip darker, fine upright lines."""
    inside = lip_mask(scale)
    line = np.interp(x[0], *lip_line(65).T)[None, :]
    rng = np.random.default_rng(seed)
    folds = np.zeros_like(x[0])
    for wave in (0.31, 0.47, 0.73, 1.05):
        folds += np.sin(x[0] * wave * 2 * np.pi / 3.1 + rng.uniform(0, 6)) / 4
    pigment = linear(LIP) * (1 + 0.055 * folds[None, :, None]) * np.ones((*x.shape, 1), np.float32)
    upper = smoothstep(1.0, -3.0, (y - line).astype(np.float32))
    pigment *= 1 - 0.20 * upper[..., None]
    pigment *= 1 - 0.12 * smoothstep(0.6, 1.0, np.abs(x - CX) / M)[..., None]
    over(albedo, pigment.astype(np.float32), 0.90 * inside)
    halo = np.clip(blur(inside, 3.5, scale) - 0.5 * inside, 0, 1)
    over(albedo, linear((205, 130, 112)), 0.22 * halo)


def lip_gloss(x: Array, y: Array) -> Array:
    """Extra sheen on the lips, multiples of the skin's."""
    return 2.2 * bump(x, y, (CX - 5, MOUTH_Y + 10), (24, 7)) + 0.9 * bump(x, y, (CX - 4, MOUTH_Y - 9), (20, 5))


def paint_crease(picture: Array, strength: float, scale: int) -> None:
    """The dark line where the lips meet, in place; strength 1 for the shut mouth."""
    line = lip_line(129)
    u = np.abs(np.linspace(-1.0, 1.0, 129))
    half = 0.55 + 0.75 * (1 - u**2) ** 0.8 + 0.5 * np.exp(-(((u - 0.93) / 0.06) ** 2))
    band = polygon(
        np.vstack([line - np.column_stack([0 * u, half * 0.9]), (line + np.column_stack([0 * u, half * 0.7]))[::-1]])
    )
    alpha = layer(scale, lambda c: c.drawPath(band, skia.Paint(AntiAlias=True, Color=skia.ColorBLACK)))[1]
    over(picture, linear((84, 26, 28)), strength * 0.85 * blur(alpha, 0.55, scale))
    x, y = grid(scale)
    for corner in (line[0], line[-1]):
        over(picture, linear((134, 60, 48)), 0.42 * bump(x, y, (corner[0], corner[1] + 1), (4.0, 3.4)))
    over(picture, linear((120, 44, 42)), strength * 0.45 * blur(alpha, 2.2, scale))
