"""How light falls on skin: wrapped per colour channel, so that shadow edges run red as in a living face.

It turns a height map and an albedo into linear light; it knows nothing of what the hills mean.
"""

from __future__ import annotations

import numpy as np

from actors.face.portrait.paint.canvas import Array, blur

Vector = tuple[float, float, float]

KEY: Vector = (-0.50, -0.56, 0.66)  # toward the lamp: upper left, in front
FILL: Vector = (0.72, -0.05, 0.60)
KEY_COLOUR: Vector = (1.42, 1.33, 1.20)
FILL_COLOUR: Vector = (0.150, 0.126, 0.112)
SKY_COLOUR: Vector = (0.240, 0.220, 0.212)
BOUNCE_COLOUR: Vector = (0.235, 0.170, 0.125)
RIM_COLOUR: Vector = (1.5, 1.15, 0.85)  # the glowing wall behind the far shoulder
WRAP = (0.50, 0.27, 0.18)  # red light travels farthest under the skin
SOFTEN = (3.4, 1.8, 1.1)  # blur of the normals, texture pixels


def unit(vector: Vector) -> Array:
    """The direction with length one."""
    v = np.array(vector, np.float32)
    return v / np.linalg.norm(v)


def normals(height: Array, soften: float, scale: int) -> tuple[Array, Array, Array]:
    """Surface normal (x, y, z) of a height map after a blur of `soften` texture pixels."""
    smooth = blur(height, soften, scale)
    dy, dx = np.gradient(smooth, 1 / scale)
    steep = np.sqrt(1 + (dx * dx + dy * dy) / 9)  # no normal may turn fully away: it would draw an outline
    dx, dy = dx / steep, dy / steep
    length = np.sqrt(dx * dx + dy * dy + 1)
    return -dx / length, -dy / length, 1 / length


def occlusion(height: Array, scale: int) -> Array:
    """0..1: how open each pixel is to the sky, from how far it lies under its surroundings at two reaches."""
    near = np.maximum(blur(height, 5, scale) - height, 0)
    far = np.maximum(blur(height, 16, scale) - height, 0)
    return np.exp(-0.060 * near - 0.020 * far).astype(np.float32)


def skin(height: Array, albedo: Array, open_sky: Array, shade: Array, gloss: Array, edge: Array, scale: int) -> Array:
    """Linear light of skin, (h, w, 3).

    `open_sky` and `shade` (cast shadow on the key light, 1 = lit) are (h, w); `gloss` scales the soft
    highlight, `edge` the warm light on surfaces turned to the right.
    """
    key, fill = unit(KEY), unit(FILL)
    out = np.empty_like(albedo)
    for channel in range(3):
        nx, ny, nz = normals(height, SOFTEN[channel], scale)
        wrap = WRAP[channel]
        lit = np.maximum(nx * key[0] + ny * key[1] + nz * key[2] + wrap, 0) / (1 + wrap)
        side = np.maximum(nx * fill[0] + ny * fill[1] + nz * fill[2] + 0.3, 0) / 1.3
        up = 0.5 - 0.5 * ny
        soft_shade = shade ** (0.84, 1.0, 1.07)[channel]
        deep = open_sky ** (0.72, 1.0, 1.15)[channel]
        total = KEY_COLOUR[channel] * lit**1.12 * soft_shade * (0.35 + 0.65 * deep)
        total += deep * (FILL_COLOUR[channel] * side + SKY_COLOUR[channel] * up + BOUNCE_COLOUR[channel] * (1 - up))
        rim = np.clip(nx - 0.45, 0, 1) * np.clip(0.8 - nz, 0, 1)
        total += RIM_COLOUR[channel] * rim * deep * edge
        out[..., channel] = albedo[..., channel] * total
    return out + _shine(height, gloss * shade * open_sky, scale)[..., None]


def _shine(height: Array, gloss: Array, scale: int) -> Array:
    nx, ny, nz = normals(height, 1.6, scale)
    half = unit(tuple(unit(KEY) + np.array([0, 0, 1], np.float32)))  # type: ignore[arg-type]
    facing = np.maximum(nx * half[0] + ny * half[1] + nz * half[2], 0)
    grazing = (1 - np.clip(nz, 0, 1)) ** 3
    return gloss * (0.055 * facing**14 + 0.075 * facing**60 + 0.02 * grazing * facing)
