"""What the diffusion predicts, put on an avatar: relative motion, which points follow, blinks, gaze, fades, controls.

The order is that of the published code, for the weights were judged with it. One trap of it is kept away: an angle
is turned into degrees before it is scaled. It knows no window and no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from actors.face.ditto.motion.vector import ANGLES, Motion, degrees
from actors.face.ditto.spec import EYES, LIPS, POINTS, Array

RELATIVE = ("exp", "pitch", "yaw", "roll", "t")
"""The parts that move; scale and keypoints stay the avatar's."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What is wished of some frames; every array has a number for each frame, or one for all."""

    relative: bool = True
    """False: the prediction itself, not its difference to the first frame."""
    parts: tuple[str, ...] = RELATIVE
    """Which parts follow the prediction: all for a picture, ``("exp",)`` for a film that has motion of its own."""
    gain: Mapping[str, float] = field(default_factory=dict)
    """Strength by part; 1 where none is given."""
    blink: Array | None = None
    """(n, 63) movements of a blink that take the eyes' place; None: the eyes follow the prediction."""
    eyes: bool = True
    """False: the eyes stay the avatar's, but for a blink, and do not gaze: what films have."""
    voiced: Array | None = None
    """(n,) 0-1: share of the driven expression; the rest is the avatar's own."""
    turn: Mapping[str, Array] = field(default_factory=dict)
    """Degrees to add, by ``"pitch"``, ``"yaw"`` or ``"roll"``."""
    strength: Mapping[str, Array] = field(default_factory=dict)
    """What an angle in degrees is multiplied by."""
    fade: Array | None = None
    """(n,) share of the driven motion; NaN where nothing fades."""
    fade_to: Motion | None = None
    """One frame that is faded to; None: the avatar at rest."""
    fade_parts: tuple[str, ...] = RELATIVE
    gaze: bool = True
    """The eyes look where they looked though the head turns; pictures only."""


def drive(source: Motion, driving: Motion, first: Motion, wish: Controls) -> Motion:
    """The avatar ``source`` (one frame) moved as ``driving`` (n frames) differs from ``first`` (one frame)."""
    count = len(driving)
    out = {key: np.repeat(getattr(source, key), count, 0) for key in ("scale", *RELATIVE)}
    for key in wish.parts:
        moved = getattr(driving, key)
        if wish.relative:
            moved = getattr(source, key) + (moved - getattr(first, key)) * np.float32(wish.gain.get(key, 1.0))
        out[key] = moved
    out["exp"] = _points(source.exp, out["exp"], wish)
    if wish.voiced is not None:
        share = np.asarray(wish.voiced, np.float32).reshape(-1, 1)
        out["exp"] = out["exp"] * share + source.exp * (1 - share)
    for key in ANGLES:
        _turned(out, key, wish)
    moved = Motion(**out, kp=source.kp)
    if wish.fade is not None:
        moved = faded(moved, wish.fade_to or source, wish.fade, wish.fade_parts)
    return _gazing(source, moved) if wish.gaze and wish.eyes else moved


def _points(source: Array, driven: Array, wish: Controls) -> Array:
    rest = np.repeat(source.reshape(1, POINTS, 3), len(driven), 0)
    moved = driven.reshape(-1, POINTS, 3)
    rest[:, LIPS] = moved[:, LIPS]
    if wish.blink is not None:
        rest[:, EYES] += wish.blink.reshape(-1, POINTS, 3)[:, EYES]
    elif wish.eyes:
        rest[:, EYES] = moved[:, EYES]
    return rest.reshape(len(driven), -1)


def _turned(out: dict[str, Array], key: str, wish: Controls) -> None:
    if key in wish.turn or key in wish.strength:
        angle = degrees(out[key]) + np.asarray(wish.turn.get(key, 0), np.float32)
        out[key] = (angle * np.asarray(wish.strength.get(key, 1), np.float32)).reshape(-1, 1).astype(np.float32)


def faded(moved: Motion, to: Motion, share: Array, parts: tuple[str, ...] = RELATIVE) -> Motion:
    """``share`` (n,) of ``moved``, the rest of ``to`` (one frame, or n); NaN leaves a frame as it is."""
    kept = np.where(np.isnan(share), 1, share).astype(np.float32).reshape(-1, 1)
    out: dict[str, Array] = {}
    for key in parts:
        here, there = getattr(moved, key), getattr(to, key)
        if here.shape[-1] != there.shape[-1]:  # one of them was turned on purpose, and is in degrees
            here, there = degrees(here).reshape(-1, 1), degrees(there).reshape(-1, 1)
        out[key] = here * kept + there * (1 - kept)
    return replace(moved, **out)


def _gazing(source: Motion, moved: Motion) -> Motion:
    """Move points 11 and 15, the eyes' irises, against the head's turn."""
    yaw = (degrees(moved.yaw) - degrees(source.yaw)) * np.float32(0.26)
    pitch = (degrees(moved.pitch) - degrees(source.pitch)) * np.float32(0.28)
    exp = moved.exp.reshape(-1, POINTS, 3).copy()
    exp[:, 11, 0] += yaw * np.where(yaw < 0, np.float32(0.001), np.float32(0.0007))
    exp[:, 15, 0] += yaw * np.where(yaw < 0, np.float32(0.0007), np.float32(0.001))
    exp[:, (11, 15), 1] -= (pitch * np.float32(0.001))[:, None]
    return replace(moved, exp=exp.reshape(len(moved), -1))
