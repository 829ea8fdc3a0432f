"""A runtime for Ditto without networks: sums in numpy, so that everything but the networks is tried everywhere.

Each answer depends on what it was asked alone, to the bit, whatever is in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from actors.face.ditto.engine import Ditto
from actors.face.ditto.motion.vector import Motion
from actors.face.ditto.runtime import Looked, Pose, Window
from actors.face.ditto.spec import BINS, EXPRESSION, MOTION, WINDOW, Array

SIDE = 64


class Sums:
    """`actors.face.ditto.runtime.Runtime`. ``calls``: what was asked, and how many at once."""

    side = SIDE

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.poisoned: Callable[[Pose], bool] = lambda pose: False
        """Poses that break a batch."""

    def hear(self, chunks: Array) -> Array:
        """How loud each 20 ms are."""
        self.calls.append(("hear", len(chunks)))
        loud = np.abs(chunks[:, : 20 * 320].reshape(-1, 20, 320)).mean(2, keepdims=True)
        return np.repeat(loud, 1024, 2).astype(np.float32)

    def look(self, square: Array) -> Looked:
        """Its mean as every number."""
        mean = float(square.mean()) / 255

        def of(width: int) -> Array:
            return np.full((1, width), mean, np.float32)

        return Looked(
            np.asarray(square, np.float32),
            Motion(of(1), of(BINS), of(BINS), of(BINS), of(3), of(EXPRESSION), kp=of(EXPRESSION)),
        )

    def move(self, windows: Sequence[Window]) -> Array:
        """Louder is more, and every seed and window is a little different."""
        (steps,) = {window.steps for window in windows}
        self.calls.append(("move", len(windows)))
        made: list[Array] = []
        for window in windows:
            wave = np.sin(np.arange(WINDOW) / 5 + window.seed + window.number + steps)[:, None]
            made.append(window.frame + window.rows[:, :1] + wave * np.linspace(0, 0.02, MOTION))
        return np.stack(made).astype(np.float32)

    def draw(self, poses: Sequence[Pose]) -> Array:
        """The portrait, brighter as its keypoints move."""
        self.calls.append(("draw", len(poses)))
        if any(self.poisoned(pose) for pose in poses):
            raise ValueError("a pose that cannot be drawn")
        made = [pose.looked.volume + 2000 * float(np.abs(pose.driving - pose.source).mean()) for pose in poses]
        return np.clip(np.stack(made), 0, 255).round().astype(np.uint8)


def ditto(runtime: Sums | None = None, batch: int = 8) -> Ditto:
    return Ditto(runtime=runtime or Sums(), batch=batch)
