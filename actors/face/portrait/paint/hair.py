"""Hair: tapering, twisting locks of strands along guide curves, each strand lit along its length.

Two sides fall from a parting in loose waves; a lock is placed by `s` (0 at the face, 1 at the outline) and runs
over `t` (0 root, 1 tip). It knows the head only as an ellipsoid that turns the light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import skia
from numpy.typing import NDArray

from actors.face.portrait.paint.canvas import (
    Array,
    blur,
    curve,
    layer,
    linear,
    mask,
    over,
    polygon,
    smoothstep,
    through,
)
from actors.face.portrait.paint.light import KEY, unit
from actors.face.portrait.paint.shape import CX

Line = NDArray[np.float64]

# guide curves per side, from the face outward; each from its root on the parting to its tip
GUIDES = {
    -1: (
        ((254, 199), (219, 213), (187, 254), (167, 312), (158, 385), (153, 470), (146, 560), (140, 645), (164, 752)),
        ((256, 170), (212, 184), (170, 226), (148, 298), (139, 385), (132, 475), (124, 565), (118, 650), (142, 772)),
        ((259, 124), (208, 130), (158, 178), (132, 272), (121, 375), (112, 475), (103, 570), (98, 655), (118, 774)),
        ((270, 77), (214, 89), (156, 140), (125, 230), (110, 340), (98, 460), (88, 565), (83, 650), (98, 756)),
    ),
    1: (
        ((254, 199), (302, 208), (352, 248), (391, 306), (413, 376), (423, 450), (429, 540), (435, 635), (412, 758)),
        ((257, 169), (320, 169), (382, 214), (421, 292), (437, 380), (445, 470), (454, 560), (460, 650), (436, 778)),
        ((261, 122), (328, 117), (400, 160), (439, 262), (455, 372), (464, 475), (473, 570), (479, 655), (458, 776)),
        ((270, 77), (340, 86), (412, 133), (452, 228), (469, 340), (480, 460), (490, 565), (496, 650), (480, 758)),
    ),
}  # fmt: skip
# outline of the hair behind the neck
BACK = ((300, 96), (430, 180), (466, 380), (480, 560), (470, 690), (430, 730), (370, 700), (288, 660),
        (206, 700), (150, 730), (110, 690), (100, 560), (112, 380), (146, 180), (290, 96))  # fmt: skip
ROOT, DARK, MID, LIGHT = (22, 14, 13), (48, 29, 23), (98, 60, 42), (206, 146, 100)
STEPS = 128
WAVE = 148.0  # length of a wave, texture pixels


@dataclass(frozen=True, slots=True)
class Lock:
    """One bundle of strands: place and half width in s, wave phase and swing (px), twists, tone, its end in t."""

    s: float
    half: float
    phase: float
    swing: float
    twist: float
    tone: float
    end: float
    strands: int


def _side_curves(side: int) -> Callable[[float], Line]:
    lines = np.stack([curve(guide, STEPS) for guide in GUIDES[side]])
    knots = np.linspace(0, 1, len(lines))
    return lambda s: through(knots, lines, np.array([s]))[0]


def _waved(line: Line, phase: float | Line, swing: float) -> tuple[Line, Line]:
    """The line swung sideways in waves that begin below the temples, and its swing toward the viewer."""
    depth = line[..., 1]
    reach = swing * np.asarray(smoothstep(300.0, 520.0, depth.astype(np.float32)))
    angle = 2 * np.pi * (depth - 330) / WAVE + phase
    moved = line.copy()
    moved[..., 0] += reach * np.sin(angle)
    return moved, reach * np.cos(angle)


def hair_mass(side: int, inward: float = 0.0) -> list[tuple[float, float]]:
    """Closed outline of one side's hair, its inner edge drawn `inward` pixels from the face."""
    at = _side_curves(side)
    inner, _ = _waved(at(0.0), _phase(side, 0.0), 8.0)
    outer, _ = _waved(at(1.0), _phase(side, 1.0), 8.0)
    inner[:, 0] += side * inward
    return [tuple(p) for p in np.vstack([inner[:-12], outer[:-12][::-1]])]


def _phase(side: int, s: float) -> float:
    return (0.6 if side < 0 else 2.3) + 0.9 * s


def hair_shadow(scale: int) -> Array:
    """How much key light passes the hair onto the face, 0..1."""
    covered = np.zeros((864 * scale, 576 * scale), np.float32)
    for side in (-1, 1):
        for dx, dy in ((4, 6), (9, 12)):
            covered = np.maximum(covered, mask(scale, [(x + dx, y + dy) for x, y in hair_mass(side)]))
    return 1 - 0.70 * blur(covered, 5.0, scale)


def paint_back_hair(picture: Array, scale: int, seed: int) -> None:
    """The dark inside of the hair behind neck and cheeks, in place."""
    outline = curve(BACK, 200)
    over(picture, linear(ROOT), mask(scale, outline, 1.0))
    rng = np.random.default_rng(seed)

    def draw(canvas: skia.Canvas) -> None:
        for x in rng.uniform(150, 430, 260):
            spread = (x - CX) / 140
            line = curve([(x, 420), (x + 6 * spread, 560), (x + 16 * spread, 640), (x + 10 * spread, 722)], 24)
            line, _ = _waved(line, 1.0 + 2 * spread, 5.0)
            _stroke(canvas, line, np.full(24, rng.uniform(0.06, 0.30)), 1.0, 1.0)

    rgb, alpha = layer(scale, draw)
    over(picture, rgb, 0.8 * alpha * mask(scale, outline, 3.0))


def paint_hair(scale: int, seed: int) -> tuple[Array, Array]:
    """The front hair as a layer (linear rgb, alpha)."""

    def draw(canvas: skia.Canvas) -> None:
        for side in (-1, 1):
            rng = np.random.default_rng(seed + 17 * (side + 1))
            _draw_side(canvas, side, rng)

    colour, alpha = layer(scale, draw)
    _parting(colour, scale)
    return colour, alpha


def _parting(colour: Array, scale: int) -> None:
    """The pale scalp line between the sides, lost in the roots' shade toward the crown."""
    paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=2.2, Color=skia.Color(0, 0, 0))
    line = curve([(255, 194), (257, 160), (262, 120), (268, 92)], 30)
    path = polygon([tuple(p) for p in line], closed=False)
    drawn = layer(scale, lambda canvas: canvas.drawPath(path, paint))[1]
    rows = (np.arange(drawn.shape[0], dtype=np.float32) / scale)[:, None]
    over(colour, linear(ROOT), 0.5 * blur(drawn, 3.0, scale))
    over(colour, linear((176, 112, 84)), 0.55 * blur(drawn, 0.7, scale) * smoothstep(90.0, 165.0, rows))


def _draw_side(canvas: skia.Canvas, side: int, rng: np.random.Generator) -> None:
    """Back to front: a dark filling, broad under-locks, finer upper locks, loose strands."""
    at = _side_curves(side)
    canvas.drawPath(polygon(hair_mass(side, 3.0)), skia.Paint(AntiAlias=True, Color=skia.Color(*DARK)))
    under = [_lock(side, s, 0.075, 60, rng, -0.10) for s in np.linspace(0.03, 0.98, 22)]
    upper = [_lock(side, s, rng.uniform(0.03, 0.06), 38, rng, 0.04) for s in np.linspace(0.0, 1.0, 46)]
    for lock in sorted(under, key=lambda k: -k.s + rng.normal(0, 0.1)):
        _draw_lock(canvas, at, lock, side, rng)
    for lock in sorted(upper, key=lambda k: -k.s + rng.normal(0, 0.14)):
        _draw_lock(canvas, at, lock, side, rng)
    _loose(canvas, at, side, rng)


def _lock(side: int, s: float, half: float, strands: int, rng: np.random.Generator, tone: float) -> Lock:
    s = float(np.clip(s + rng.normal(0, 0.012), 0, 1))
    return Lock(s, half, _phase(side, s) + rng.normal(0, 0.24), rng.uniform(7, 12), rng.normal(0, 0.8),
                tone + rng.normal(0, 0.05), rng.uniform(0.87, 1.0), strands)  # fmt: skip


def _draw_lock(
    canvas: skia.Canvas, at: Callable[[float], Line], lock: Lock, side: int, rng: np.random.Generator
) -> None:
    t = np.linspace(0, 1, STEPS) * lock.end
    centre = _resample(at(lock.s), t)
    middle, _ = _waved(centre, lock.phase, lock.swing)
    _cast(canvas, middle, lock)
    for v in np.sort(rng.uniform(-1, 1, lock.strands))[rng.permutation(lock.strands)]:
        wide = _resample(at(float(np.clip(lock.s + lock.half * v, 0, 1))), t)
        turn = np.cos(lock.twist * 2 * np.pi * np.clip(t - 0.35, 0, 1))
        gather = 1 - 0.84 * t**2.2
        line = centre + (wide - centre) * (turn * gather)[:, None]
        line += 2.2 * v * np.column_stack([turn * gather * smoothstep(0.25, 0.6, t), 0 * t])
        line, toward = _waved(line, lock.phase + rng.normal(0, 0.06), lock.swing + rng.normal(0, 0.5))
        line += rng.normal(0, 0.3, 2) + rng.normal(0, 2.2, 2) * (t**3)[:, None]
        glow = strand_light(line, toward, v * turn, side, rng) + lock.tone + rng.normal(0, 0.035)
        glow *= 1 - 0.35 * smoothstep(0.10, 0.0, t)
        last = STEPS - int(STEPS * 0.20 * rng.random() ** 1.6)
        _stroke(canvas, line[:last], glow[:last], rng.uniform(0.55, 1.0), 1.0)


def _resample(line: Line, t: Line) -> Line:
    at = np.linspace(0, 1, len(line))
    return np.column_stack([np.interp(t, at, line[:, 0]), np.interp(t, at, line[:, 1])])


def _cast(canvas: skia.Canvas, middle: Line, lock: Lock) -> None:
    """The lock's soft shadow on what lies under it."""
    paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, Color=skia.Color(14, 8, 8, 62))
    paint.setStrokeWidth(220 * lock.half)
    paint.setBlendMode(skia.BlendMode.kSrcATop)  # only on hair: on the open wall it would draw a dark halo
    paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 3.0))
    canvas.save()
    canvas.translate(2.0, 2.0)
    canvas.drawPath(polygon([tuple(p) for p in middle[:-8]], closed=False), paint)
    canvas.restore()


def strand_light(line: Line, toward: Line, across: Line, side: int, rng: np.random.Generator) -> Line:
    """Brightness, about 0..1, along a strand: tangent highlight on the head, form of the lock, shade of the neck."""
    x, y = line[:, 0], line[:, 1]
    nx = np.clip((x - CX) / 215, -0.95, 0.95)
    ny = np.where(y < 330, (y - 330) / 265, 0.12 * np.tanh((y - 330) / 150))
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0.06, 1))
    tangent = np.column_stack([np.gradient(x), np.gradient(y)])
    depth = -(tangent[:, 0] * nx + tangent[:, 1] * ny * (y < 330)) / np.maximum(nz, 0.35)
    t3 = np.column_stack([tangent, depth + 0.5 * np.gradient(toward)])
    t3 /= np.linalg.norm(t3, axis=1, keepdims=True)
    half = unit(tuple(unit(KEY) + np.array([0, 0, 0.9], np.float32)))  # type: ignore[arg-type]
    along = t3 @ half + rng.normal(0, 0.07) + 0.05 * np.sin(np.arange(len(line)) * 0.19 + rng.uniform(0, 6))
    shine = np.clip(1 - along**2, 0, 1)
    turned = nx + 0.45 * across
    diffuse = np.clip((turned * KEY[0] + ny * KEY[1] + nz * KEY[2] + 0.35) / 1.35, 0, 1.2)
    glow = (
        0.10
        + 0.34 * diffuse
        + diffuse
        * (0.14 * shine**4 + 0.40 * shine ** np.where(y < 380, 14.0, 7.0) * (1 - 0.35 * smoothstep(360.0, 480.0, y)))
    )
    glow *= 1 - 0.20 * across**2
    rim = np.clip((x - CX - 120) / 80, 0, 1) * smoothstep(160.0, 300.0, y) if side > 0 else 0 * x
    glow = glow + 0.20 * rim
    behind = smoothstep(470.0, 600.0, y) * smoothstep(150.0, 95.0, np.abs(x - CX))
    tips = 0.10 * smoothstep(480.0, 720.0, y)
    return (glow + tips) * (1 - 0.5 * behind)


def _loose(canvas: skia.Canvas, at: Callable[[float], Line], side: int, rng: np.random.Generator) -> None:
    """Single hairs that stray from the mass, along the outline and over the temple."""
    t = np.linspace(0, 1, STEPS)
    for _ in range(70):
        outer = rng.random() < 0.6
        s = rng.uniform(0.93, 1.0) if outer else rng.uniform(0.0, 0.05)
        line, toward = _waved(at(s), _phase(side, s) + rng.normal(0, 0.7), rng.uniform(5, 13))
        stray = (rng.uniform(0, 6) if outer else -rng.uniform(0, 5)) * np.sin(np.pi * t**0.7 * rng.uniform(0.6, 1.6))
        line[:, 0] += side * stray
        first, last = sorted(rng.uniform(0.05, 1.0, 2))
        if last - first < 0.25:
            continue
        i, j = int(first * (STEPS - 1)), int(last * (STEPS - 1))
        glow = strand_light(line, toward, np.zeros(STEPS), side, rng)
        _stroke(canvas, line[i:j], glow[i:j], 0.6, 0.55)


def _stroke(canvas: skia.Canvas, line: Line, glow: Line, width: float, alpha: float) -> None:
    g = np.clip(glow, 0, 1.15)[:, None]
    colours = np.where(
        g < 0.16,
        np.array(ROOT) + (np.array(DARK) - np.array(ROOT)) * g / 0.16,
        np.where(
            g < 0.45,
            np.array(DARK) + (np.array(MID) - np.array(DARK)) * (g - 0.16) / 0.29,
            np.array(MID) + (np.array(LIGHT) - np.array(MID)) * (g - 0.45) / 0.55,
        ),
    )
    paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style)
    count = len(line)
    for i, (r, green, b) in enumerate(np.clip(colours, 0, 255).astype(int)[:-1].tolist()):
        paint.setColor(skia.Color(r, green, b, int(255 * alpha)))
        paint.setStrokeWidth(width * (1 - 0.75 * (i / count) ** 3))
        canvas.drawLine(*line[i], *line[i + 1], paint)
