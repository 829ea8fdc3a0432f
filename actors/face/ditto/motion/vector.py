"""A face's motion: as named parts, as the diffusion's vector of 265 numbers, and as 21 keypoints.

Angles come as 66 logits or, once somebody has turned the head on purpose, as degrees; both are read here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actors.face.ditto.spec import BINS, EXPRESSION, MOTION, POINTS, Array

KEYS = ("scale", "pitch", "yaw", "roll", "t", "exp")
"""The parts in the order of the vector."""
WIDTHS = (1, BINS, BINS, BINS, 3, EXPRESSION)
ANGLES = ("pitch", "yaw", "roll")


@dataclass(frozen=True, slots=True)
class Motion:
    """n frames of a face's motion."""

    scale: Array
    """(n, 1)"""
    pitch: Array
    """(n, 66) logits, or (n, 1) degrees; so are ``yaw`` and ``roll``."""
    yaw: Array
    roll: Array
    t: Array
    """(n, 3): where the face is. The third number is never used."""
    exp: Array
    """(n, 63): how its keypoints are moved by expression."""
    kp: Array
    """(n, 63) or (1, 63): the avatar's keypoints at rest."""

    def __len__(self) -> int:
        return len(self.scale)

    def frame(self, index: int) -> Motion:
        """One of its frames."""
        parts = {key: getattr(self, key)[index : index + 1] for key in KEYS}
        return Motion(**parts, kp=self.kp if len(self.kp) == 1 else self.kp[index : index + 1])


def to_vector(motion: Motion) -> Array:
    """(n, 265). Raises ValueError where an angle is in degrees: the diffusion knows logits only."""
    if any(getattr(motion, key).shape[-1] != BINS for key in ANGLES):
        raise ValueError(f"the diffusion's vector holds angles as {BINS} logits, not as degrees")
    return np.concatenate([motion.scale - 1, *(getattr(motion, key) for key in KEYS[1:])], axis=1).astype(np.float32)


def from_vector(vector: Array, kp: Array) -> Motion:
    """The named parts of (n, 265), with the avatar's keypoints ``kp`` (63)."""
    if vector.shape[-1] != MOTION:
        raise ValueError(f"a motion vector has {MOTION} numbers, not {vector.shape[-1]}")
    parts = dict(zip(KEYS, np.split(vector, np.cumsum(WIDTHS)[:-1], axis=1), strict=True))
    return Motion(**{**parts, "scale": parts["scale"] + 1}, kp=kp.reshape(1, -1))


def degrees(angle: Array) -> Array:
    """(n,) degrees of (n, 66) logits, or of (n, 1) degrees."""
    if angle.shape[-1] == 1:
        return angle[..., 0]
    share = np.exp(angle - angle.max(-1, keepdims=True))
    share /= share.sum(-1, keepdims=True)
    return (share * np.arange(BINS, dtype=np.float32)).sum(-1) * 3 - 97.5


def rotation(pitch: Array, yaw: Array, roll: Array) -> Array:
    """(n, 3, 3) that turns row vectors; each angle (n,) in degrees."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in map(np.deg2rad, (pitch, yaw, roll)))
    turned = [
        cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz,
        cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz,
        -sy, sx * cy, cx * cy,
    ]  # fmt: skip
    return np.stack(turned, -1).reshape(-1, 3, 3).transpose(0, 2, 1).astype(np.float32)


def keypoints(motion: Motion) -> Array:
    """(n, 21, 3): where the keypoints are, in the picture's own coordinates of -1 to 1."""
    turn = rotation(degrees(motion.pitch), degrees(motion.yaw), degrees(motion.roll))
    rest, moved = motion.kp.reshape(-1, POINTS, 3), motion.exp.reshape(-1, POINTS, 3)
    place = motion.t.reshape(-1, 1, 3) * np.array([1, 1, 0], np.float32)
    return (motion.scale.reshape(-1, 1, 1) * (rest @ turn + moved) + place).astype(np.float32)
