"""The inside of the mouth for a picture: the built-in portrait's, in this mouth's size and this picture's light."""

from __future__ import annotations

import cv2
import numpy as np

from actors.face.avatars import BUILT_IN, DEFAULT
from actors.face.portrait.photo.lips import Mouth
from actors.face.portrait.rig import PATCHES, Patch, Pixels, load

_SKIN = 185.0  # brightness of the built-in portrait's skin, 0-255
_DIMMED = 0.88  # painted teeth look too white in photographs


def patches(mouth: Mouth, skin: float) -> dict[str, tuple[Pixels, tuple[float, float]]]:
    """BGRA picture (straight alpha) and anchor of every patch. ``skin`` is the face's brightness, 0-255."""
    painted = load(BUILT_IN / DEFAULT)
    scale = mouth.half / painted.rig.m
    light = _DIMMED * float(np.clip(skin / _SKIN, 0.45, 1.1))
    middle = mouth.line.mean(axis=0)
    made = {}
    for name in PATCHES:
        patch = painted.patches[name]
        off = (np.array(patch.anchor) - np.array(painted.rig.mouth)) * scale
        made[name] = _scaled(patch, scale, light), (float(middle[0] + off[0]), float(middle[1] + off[1]))
    return made


def _scaled(patch: Patch, scale: float, light: float) -> Pixels:
    height, width = patch.pixels.shape[:2]
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    sized = cv2.resize(patch.pixels.astype(np.float32), size, interpolation=how)  # colour is multiplied by alpha here
    alpha = np.clip(sized[..., 3:], 0, 255)
    colour = light * sized[..., :3] / np.maximum(alpha / 255, 1e-3)
    return np.dstack([np.clip(np.round(colour), 0, 255), np.round(alpha)]).astype(np.uint8)
