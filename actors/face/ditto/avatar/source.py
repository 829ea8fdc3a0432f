"""An avatar's folder to what Ditto needs of it before any network has seen it.

The folder is the library's (actors/face/avatars.py): of it are read the portrait with its mouth closed and, of the
measures, where eyes, lips and the face's outline lie. Published code cuts by 203 points that a network of its own
finds; these measures stand in for them, and how much that matters could not be judged here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from actors.face.ditto.avatar import eyes
from actors.face.ditto.avatar.crop import SOURCE, Cut, to_square
from actors.face.ditto.avatar.paste import Pixels, Place, place
from actors.face.ditto.spec import Array

STILL = "closed.png"
MEASURES = "rig.toml"


class SourceBroken(ValueError):
    """A folder that Ditto cannot show; the message names the file."""


@dataclass(frozen=True, slots=True)
class Source:
    """A portrait and its face."""

    portrait: Pixels
    """BGR (height, width, 3) in the size that is shown."""
    square: Pixels
    """RGB (side, side, 3): the face, upright."""
    where: Place
    """Where pictures of the face go back to."""
    eye_open: Array
    """(1, 2)"""
    eye_ball: Array
    """(1, 6)"""


def read(folder: Path, width: int, height: int, side: int = SOURCE.side) -> Source:
    """The portrait of a folder, shown with ``width`` and ``height``. Raises SourceBroken."""
    texture = cv2.imread(str(folder / STILL), cv2.IMREAD_COLOR)
    if texture is None:
        raise SourceBroken(f"{folder / STILL} is no picture that can be read; make the avatar again")
    points, outlines, irises = _measures(folder / MEASURES)
    lips_eyes = np.stack([outlines.reshape(-1, 2).mean(0), points["lip_line"].mean(0)])
    everything = np.concatenate([outlines.reshape(-1, 2), *points.values()])
    cut = to_square(everything, lips_eyes, Cut(side, SOURCE.scale, SOURCE.down)).astype(np.float64)
    square = cv2.warpAffine(texture, cut[:2], (side, side), flags=cv2.INTER_LINEAR)
    shrink = np.diag([width / texture.shape[1], height / texture.shape[0], 1.0])
    shown = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)
    opened, turned = eyes.of_outlines(_moved(outlines, cut), _moved(irises, cut))
    return Source(
        np.asarray(shown, np.uint8),
        np.ascontiguousarray(square[..., ::-1], np.uint8),
        place(shrink @ np.linalg.inv(cut), side, width, height),
        opened[None],
        turned[None],
    )


def _moved(points: Array, by: Array) -> Array:
    return points @ by[:2, :2].T + by[:2, 2]


def _measures(path: Path) -> tuple[dict[str, Array], Array, Array]:
    """Points of lips and outline by name, outlines (2, n, 2) of the eyes from left to right, irises (2, 2)."""
    try:
        told: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        points = {name: np.array(told[name], np.float64).reshape(-1, 2) for name in ("lip_line", "face_oval")}
        both = sorted(told["eyes"], key=lambda eye: eye["centre"][0])
        outlines = np.array([eye["opening"] for eye in both], np.float64)
        irises = np.array([eye["iris_centre"] for eye in both], np.float64)
        if outlines.ndim != 3 or len(outlines) != 2 or outlines.shape[1] % 2:
            raise ValueError("two eyes with outlines of equal length are needed")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SourceBroken(f"{path} does not tell where the face is ({error}); make the avatar again") from error
    return points, outlines, irises
