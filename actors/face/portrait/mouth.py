"""How the skin about the mouth moves: one field for what lies above the cut between the lips, one for below.

The two agree beyond the corners, so nothing tears; both die out at nose, cheeks and neck. It paints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.rig import Rig
from actors.face.portrait.visemes import FV, JAW, PRESS, ROUND, SMILE, TONGUE, UP, WIDE
from actors.face.portrait.warp import Field, Grid, combine, inverse, smoothstep

_STEP = 4.0  # texture pixels between nodes
_CHIN = 0.62  # of the jaw's drop reaches the chin
_ROUNDS = 4

Plane = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a lip vector comes to, in texture pixels unless it says otherwise."""

    drop: float
    """Lower lip down."""
    rise: float
    """Upper lip up."""
    width: float
    """Each corner outward."""
    smile: float
    """Each corner up."""
    fullness: float
    """Outer edge of each lip away from the cut."""
    bite: float
    """Lower lip up against the teeth."""
    round: float
    """0-1"""
    jaw: float
    """Lower teeth down."""
    tongue: float
    """0-1"""

    @property
    def gap(self) -> float:
        """Height between the lips in the middle."""
        return max(0.0, self.drop + self.rise - self.bite)


def opening(lips: NDArray[np.float64], m: float) -> Opening:
    """Turn a lip vector into movements of the lips."""
    jaw, rounding, bite = min(0.78, max(0.0, lips[JAW])), min(1.0, max(0.0, lips[ROUND])), max(0.0, lips[FV])
    parted = rounding * min(1.0, jaw / 0.07)  # rounding alone must not part the lips
    held = min(1.0, jaw / 0.07 + bite)  # nor may a raised lip, with the jaw shut
    return Opening(
        drop=m * (jaw + 0.05 * parted),
        rise=m * (held * max(0.0, lips[UP]) + 0.14 * jaw + 0.03 * parted + 0.12 * bite),
        width=m * (lips[WIDE] - 0.36 * rounding - 0.13 * jaw + 0.05 * lips[SMILE]),
        smile=m * 0.09 * max(0.0, lips[SMILE]),
        fullness=m * (0.07 * rounding - 0.075 * max(0.0, lips[PRESS])),
        bite=m * 0.07 * bite,
        round=rounding,
        jaw=m * jaw,
        tongue=min(1.0, max(0.0, lips[TONGUE])),
    )


class Lips:
    """The two fields of one face."""

    def __init__(self, rig: Rig) -> None:
        x0, x1 = rig.mouth[0] - 2.75 * rig.m, rig.mouth[0] + 2.75 * rig.m
        raised = rig.mouth[1] - rig.lip_line[:, 1].min()  # smiling corners: the fields begin as much higher
        y0, y1 = rig.nose_base[1] - max(8.0, raised + 2), rig.neck[1] + 0.3 * rig.m
        self.box = (x0, y0, x1, y1)
        """Texture rectangle outside of which nothing moves."""
        self.grid = Grid(x0, y0, _STEP, int((x1 - x0) // _STEP) + 2, int((y1 - y0) // _STEP) + 2)
        self._nodes = self.grid.nodes()
        shape = _Shape(rig, self._nodes.astype(np.float64))
        self._upper = np.stack([np.dstack(pair) for pair in shape.upper()]).astype(np.float32)
        self._lower = np.stack([np.dstack(pair) for pair in shape.lower()]).astype(np.float32)

    def shifts(self, how: Opening) -> tuple[Field, Field]:
        """What to subtract from a texture position on ``grid``, above the cut and below."""
        common = (how.width, how.smile, how.fullness)
        upper = np.array((*common, how.rise), np.float32)
        plain, rounded = how.drop * (1 - how.round), how.drop * how.round
        lower = np.array((*common, plain, rounded, how.jaw, how.bite), np.float32)
        return self._inverse(self._upper, upper), self._inverse(self._lower, lower)

    def _inverse(self, fields: NDArray[np.float32], amounts: NDArray[np.float32]) -> Field:
        return inverse(combine(fields, amounts), self.grid, self._nodes, _ROUNDS)


class _Shape:
    """Unit fields, as (x, y) planes; u counts half mouth widths from the middle, v from the cut downward."""

    def __init__(self, rig: Rig, at: Plane) -> None:
        line = np.interp(at[..., 0], rig.lip_line[:, 0], rig.lip_line[:, 1])
        self.u = (at[..., 0] - rig.mouth[0]) / rig.m
        self.v = (at[..., 1] - line) / rig.m
        self.zero = np.zeros_like(self.u)
        middle = rig.mouth[1]
        self.nose = (rig.nose_base[1] - middle) / rig.m
        self.chin = (rig.chin[1] - middle) / rig.m
        self.neck = (rig.neck[1] - middle) / rig.m
        self.top = (rig.upper_lip_top[:, 1].min() - middle) / rig.m
        self.bottom = (rig.lower_lip_bottom[:, 1].max() - middle) / rig.m
        self.within = np.maximum(1 - self.u**2, 0)
        """1 in the middle of the mouth, 0 from the corners on."""
        self.flat = np.maximum(1 - np.abs(self.u) ** 2.7, 0)
        """The same with a broad middle."""

    def _common(self) -> list[tuple[Plane, Plane]]:
        a, v = np.abs(self.u), self.v
        near = smoothstep(v, self.nose + 0.02, self.top + 0.05) * smoothstep(v, self.chin - 0.5, self.bottom - 0.25)
        outward = np.sign(self.u) * np.minimum(a, 1) * smoothstep(a, 2.0, 0.95) * near
        upward = -smoothstep(a, 0.3, 1.05) * smoothstep(a, 2.2, 1.0) * near
        return [(outward, self.zero), (0.6 * outward, upward)]

    def upper(self) -> list[tuple[Plane, Plane]]:
        """Fields for width, smile, fullness, rise."""
        fade = smoothstep(self.v, self.nose + 0.02, self.top + 0.02)
        full = -np.clip(self.v / self.top, 0, 1) * fade * np.sqrt(self.within)
        return [*self._common(), (self.zero, full), (self.zero, -fade * self.within)]

    def lower(self) -> list[tuple[Plane, Plane]]:
        """Fields for width, smile, fullness, drop, drop of a round mouth, jaw, bite."""
        a, v = np.abs(self.u), self.v
        full = np.clip(v / self.bottom, 0, 1) * smoothstep(v, self.chin - 0.2, self.bottom) * np.sqrt(self.within)
        lip = smoothstep(v, self.chin, 0.5 * self.bottom)
        chin = _CHIN * (1 - lip) * smoothstep(a, 2.8, 1.1) * smoothstep(v, self.neck + 0.1, self.chin + 0.05)
        bite = -smoothstep(v, self.bottom + 0.06, 0.05) * self.within
        return [
            *self._common(),
            (self.zero, full),
            (self.zero, lip * self.flat**0.85),
            (self.zero, lip * self.flat**0.6),
            (self.zero, chin),
            (self.zero, bite),
        ]
