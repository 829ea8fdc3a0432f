"""A portrait and how its face is cut out of it: what Ditto needs before any network of its own has seen it.

Here a folder of the library (actors/face/avatars.py) is read: the portrait with its mouth closed, and the measures of
eyes, lips and outline, which tell where the face is if nothing better does. What is better is tried in prepare.py.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from actors.face.ditto.avatar import eyes
from actors.face.ditto.avatar.crop import SOURCE, Cut, moved, to_square
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


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a face is in a texture, and what its eyes do."""

    cut: Array
    """(3, 3) from the texture's pixels to the square's."""
    eye_open: Array
    """(2,)"""
    eye_ball: Array
    """(6,) in shares of the square's side, as published code measures it."""


def texture(folder: Path) -> Pixels:
    """The portrait of a folder, BGR. Raises SourceBroken."""
    found = cv2.imread(str(folder / STILL), cv2.IMREAD_COLOR)
    if found is None:
        raise SourceBroken(f"{folder / STILL} is no picture that can be read; make the avatar again")
    return np.asarray(found, np.uint8)


def cut_out(pixels: Pixels, placed: Placed, width: int, height: int, side: int) -> Source:
    """A texture's face, and the portrait shown with ``width`` and ``height``, odd or even."""
    square = cv2.warpAffine(pixels, placed.cut[:2], (side, side), flags=cv2.INTER_LINEAR)
    shrink = np.diag([width / pixels.shape[1], height / pixels.shape[0], 1.0])
    shown = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return Source(
        np.asarray(shown, np.uint8),
        np.ascontiguousarray(square[..., ::-1], np.uint8),
        place(shrink @ np.linalg.inv(placed.cut), side, width, height),
        placed.eye_open[None],
        placed.eye_ball[None],
    )


def measured(folder: Path, side: int = SOURCE.side) -> Placed:
    """Where the measures of a folder say that the face is. Raises SourceBroken."""
    points, outlines, irises = _measures(folder / MEASURES)
    lips_eyes = np.stack([outlines.reshape(-1, 2).mean(0), points["lip_line"].mean(0)])
    everything = np.concatenate([outlines.reshape(-1, 2), *points.values()])
    cut = to_square(everything, lips_eyes, Cut(side, SOURCE.scale, SOURCE.down)).astype(np.float64)
    opened, turned = eyes.of_outlines(moved(outlines, cut) / side, moved(irises, cut) / side)
    return Placed(cut, opened, turned)


def read(folder: Path, width: int, height: int, side: int = SOURCE.side) -> Source:
    """The portrait of a folder as its measures tell of it, with no network's help. Raises SourceBroken."""
    return cut_out(texture(folder), measured(folder, side), width, height, side)


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
