"""Everything the picture of one frame depends on. It draws nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _shut() -> NDArray[np.float64]:
    return np.zeros(8)


@dataclass(frozen=True, slots=True)
class Pose:
    """One frame's parameters; pixels are texture pixels, x right, y down."""

    tx: float = 0.0
    """Head to the right, pixels."""
    ty: float = 0.0
    """Head down, pixels."""
    roll: float = 0.0
    """Head about the neck, radians, clockwise as seen."""
    yaw: float = 0.0
    """Shift of the nearest point of the face to the right, pixels."""
    pitch: float = 0.0
    """The same, down."""
    breath: float = 0.0
    """Shoulders up, pixels."""
    brow: float = 0.0
    """Brows up, pixels."""
    lid: float = 0.0
    """Closing of the lids, 0-1."""
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    lips: NDArray[np.float64] = field(default_factory=_shut)
    """Lip vector, in the order of visemes.TRACKS."""
