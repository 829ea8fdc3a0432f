"""The bare face: pigment zones, freckles, nostrils, and the light on them.

It puts height, light and mouth pigment together; eyes, brows and hair come later.
"""

from __future__ import annotations

import cv2
import numpy as np

from actors.face.portrait.paint.canvas import Array, blur, bump, linear, mask, over, smoothstep
from actors.face.portrait.paint.height import face_height
from actors.face.portrait.paint.light import occlusion, skin
from actors.face.portrait.paint.mouth import lip_gloss, tint_lips
from actors.face.portrait.paint.shape import CX, EYE_DX, eye_opening, face_outline

SKIN = (226, 172, 142)

# x offset (mirrored unless 0), row, spread x, spread y, colour, strength
_ZONES = (
    (0, 250, 90, 52, (228, 178, 146), 0.45),
    (74, 426, 25, 20, (222, 122, 102), 0.36),
    (0, 440, 15, 13, (218, 124, 102), 0.34),
    (19, 447, 9, 9, (206, 112, 92), 0.30),
    (66, 352, 36, 13, (196, 128, 104), 0.38),
    (66, 392, 30, 9, (200, 138, 118), 0.26),
    (0, 560, 28, 14, (224, 140, 116), 0.24),
    (0, 515, 60, 16, (214, 158, 130), 0.25),
)  # fmt: skip


def face_albedo(x: Array, y: Array, scale: int, seed: int) -> Array:
    """Colour of the skin without light, linear (h, w, 3)."""
    albedo = linear(SKIN) * np.ones((*x.shape, 1), np.float32)
    for dx, row, sx, sy, colour, strength in _ZONES:
        for side in (-1, 1) if dx else (1,):
            over(albedo, linear(colour), strength * bump(x, y, (CX + side * dx, row), (sx, sy)))
    rng = np.random.default_rng(seed)
    for sigma, amount in ((9, 0.020), (2.5, 0.012)):
        cloud = _cloud(rng, x.shape, sigma)
        albedo *= 1 + amount * cloud[..., None] * np.array([0.4, 1.0, 1.1], np.float32)
    _freckles(albedo, x, y, rng)
    tint_lips(albedo, x, y, scale, seed)
    return albedo.astype(np.float32)


def _cloud(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Array:
    """Smooth noise of unit variance, the same at every scale."""
    noise = cv2.GaussianBlur(rng.standard_normal((864, 576)).astype(np.float32), (0, 0), sigma)
    noise /= noise.std()
    return cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _freckles(albedo: Array, x: Array, y: Array, rng: np.random.Generator) -> None:
    """A light dusting over nose and cheeks."""
    veil = np.zeros_like(x)
    for _ in range(150):
        side = rng.choice((-1.0, 1.0))
        fx = CX + side * abs(rng.normal(0, 48))
        fy = rng.normal(415, 15) + 0.0016 * (fx - CX) ** 2
        size = rng.uniform(0.5, 1.05)
        veil = np.maximum(veil, rng.uniform(0.06, 0.24) * bump(x, y, (fx, fy), (size, size)))
    over(albedo, linear((168, 98, 66)), veil)


def paint_face(hair_shadow: Array, x: Array, y: Array, scale: int, seed: int) -> tuple[Array, Array]:
    """The lit face with its lids shut, (linear rgb, coverage); `hair_shadow` 1 where the key light arrives."""
    height = face_height(x, y)
    open_sky = occlusion(height, scale)
    for side in (-1, 1):
        open_sky *= 1 - 0.10 * bump(x, y, (CX + side * EYE_DX, 356), (34, 9))
    gloss = 1.35 + lip_gloss(x, y) + 1.2 * bump(x, y, (CX - 3, 440), (9, 9)) - 0.5 * bump(x, y, (CX, 540), (60, 60))
    albedo = face_albedo(x, y, scale, seed)
    lit = skin(height, albedo, open_sky, hair_shadow, gloss.astype(np.float32), smoothstep(470, 400, y), scale)
    _nostrils(lit, scale)
    _lid_warmth(lit, scale)
    return lit, mask(scale, face_outline(), 0.5)


def _nostrils(lit: Array, scale: int) -> None:
    for side in (-1, 1):
        cx, cy = CX + side * 11.5, 455.0
        angle = np.linspace(0, 2 * np.pi, 40)
        px = cx + 5.6 * np.cos(angle)
        py = cy + 2.3 * np.sin(angle) - side * 0.16 * (px - cx) * 1.2
        over(lit, linear((92, 38, 30)), 0.80 * mask(scale, list(zip(px, py, strict=True)), 1.2))


def _lid_warmth(lit: Array, scale: int) -> None:
    """The thin skin of the lids is a little rosier than the face."""
    for side in (-1, 1):
        lids = blur(mask(scale, eye_opening(side)), 3.0, scale)
        over(lit, lit * np.array([0.96, 0.84, 0.80], np.float32), 0.7 * lids)
