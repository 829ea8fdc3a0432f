"""Displacement fields on coarse grids and their inversion. It knows no face.

A field says how far the point that rests at q moves: the picture at p shows what rests at q where q + field(q) = p.
That q is found by iterating q = p - field(q), which converges because the fields are flatter than 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""(rows, columns, 2): x and y in texture pixels."""


_Scalar = TypeVar("_Scalar", np.uint8, np.float32)


def look_up(
    picture: NDArray[_Scalar], at: Field, *, cubic: bool = False, beyond: int = cv2.BORDER_REPLICATE
) -> NDArray[_Scalar]:
    """The picture's values at places given in its own pixels (rows, columns, 2), between pixels by interpolation."""
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    # Both coordinates are in one map, so there is no second; OpenCV's annotations do not know that.
    found = cv2.remap(picture, at, None, how, borderMode=beyond)  # type: ignore[call-overload, arg-type]
    return cast(NDArray[_Scalar], found)


def resized(field: Field, width: int, height: int, *, mean: bool = False) -> Field:
    """A field on another number of nodes over the same rectangle: between nodes, or the mean of many."""
    how = cv2.INTER_AREA if mean else cv2.INTER_LINEAR
    return cast(Field, cv2.resize(field, (width, height), interpolation=how))


@dataclass(frozen=True, slots=True)
class Grid:
    """Nodes in the texture: node (row, column) lies at (x0 + column * step, y0 + row * step)."""

    x0: float
    y0: float
    step: float
    columns: int
    rows: int

    def nodes(self) -> Field:
        """Texture positions of all nodes."""
        x = self.x0 + self.step * np.arange(self.columns, dtype=np.float32)
        y = self.y0 + self.step * np.arange(self.rows, dtype=np.float32)
        return np.dstack(np.meshgrid(x, y)).astype(np.float32)

    def sample(self, field: Field, at: Field) -> Field:
        """A field given on this grid, at other texture positions; beyond the grid its edge goes on."""
        places = (at - np.array([self.x0, self.y0], np.float32)) * np.float32(1 / self.step)
        return look_up(field, places)


def combine(fields: NDArray[np.float32], amounts: NDArray[np.float32]) -> Field:
    """Weighted sum of stored fields (n, rows, columns, 2)."""
    # einsum without a BLAS call: no thread pool, the same bits everywhere on one machine.
    return np.einsum("n,nyxc->yxc", amounts, fields)


def inverse(field: Field, grid: Grid, nodes: Field, rounds: int) -> Field:
    """Displacement to subtract at each node, so that node - result is what rests there."""
    moved = field
    for _ in range(rounds):
        moved = grid.sample(field, nodes - moved)
    return moved


def smoothstep(x: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """0 below ``low``, 1 above ``high``, smooth between; ``low`` may be the greater."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
