"""A portrait's asset folder, read and checked: pictures and the measures that go with them.

All coordinates are texture pixels, x right, y down. It renders nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]

PATCHES = ("cavity", "lower_teeth", "tongue", "upper_teeth")
"""Parts of the mouth's inside, in drawing order."""


class AvatarBroken(ValueError):
    """An avatar's folder lacks something or contradicts itself; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of the mouth's inside."""

    pixels: Pixels
    """BGRA, colour already multiplied by alpha."""
    anchor: tuple[float, float]
    """Texture position of its top left corner at rest."""


@dataclass(frozen=True, slots=True)
class Eye:
    centre: tuple[float, float]
    half_width: float
    iris_centre: tuple[float, float]
    iris_radius: float
    opening: Points
    """(n, 2) outline between the lids."""


@dataclass(frozen=True, slots=True)
class Rig:
    """Measures of a face."""

    size: tuple[int, int]
    """Width and height of the texture."""
    m: float
    """Half mouth width."""
    unit: float
    """How far the lips move: half the width that the mouth has at rest, less than ``m`` in a smile."""
    mouth: tuple[float, float]
    corners: Points
    lip_line: Points
    """Left to right: where the mouth is cut."""
    upper_lip_top: Points
    lower_lip_bottom: Points
    nose_base: tuple[float, float]
    chin: tuple[float, float]
    jaw_y: float
    neck: tuple[float, float]
    """Pivot of the head's roll."""
    face_centre: tuple[float, float]
    face_half_width: float
    brows: Points
    """(2, 4): x0 y0 x1 y1 of each."""
    depth_centre: tuple[float, float]
    depth_radii: tuple[float, float, float]
    nose: tuple[float, float]
    eyes: tuple[Eye, ...]


@dataclass(frozen=True, slots=True)
class Portrait:
    """A face's pictures, BGR, and its measures."""

    rig: Rig
    closed: Pixels
    open: Pixels
    """The same with a faint crease between the lips, to be cut there."""
    lids: tuple[tuple[float, Pixels], ...]
    """(closing, whole picture), from open eyes to shut ones."""
    patches: Mapping[str, Patch]


def load(folder: Path) -> Portrait:
    """Read an asset folder. Raises AvatarBroken, naming what is missing or wrong."""
    try:
        table = tomllib.loads((folder / "rig.toml").read_text("utf-8"))
    except FileNotFoundError:
        raise AvatarBroken(f"{folder} has no rig.toml; an avatar's folder needs one") from None
    except tomllib.TOMLDecodeError as error:
        raise AvatarBroken(f"{folder / 'rig.toml'} is not valid TOML: {error}") from error
    try:
        rig = _rig(table)
        closed = _picture(folder / "closed.png", cv2.IMREAD_COLOR)
        if closed.shape[1::-1] != rig.size:
            raise AvatarBroken(f"{folder / 'closed.png'} is {closed.shape[1::-1]}, but rig.toml says {rig.size}")
        opened = _paste(closed, _picture(folder / "open.png", cv2.IMREAD_COLOR), table.get("open_box"))
        patches = {name: _patch(folder / f"{name}.png", table["patches"][name]) for name in PATCHES}
        return Portrait(rig, closed, opened, _lids(folder, table, closed), patches)
    except KeyError as missing:
        raise AvatarBroken(f"{folder / 'rig.toml'} lacks {missing}") from missing


def _rig(table: Mapping[str, Any]) -> Rig:
    depth = table["head_depth"]
    return Rig(
        size=(int(table["size"][0]), int(table["size"][1])),
        m=float(table["m"]),
        unit=float(table.get("unit", table["m"])),
        mouth=_point(table["mouth_centre"]),
        corners=_points(table["mouth_corners"]),
        lip_line=_points(table["lip_line"]),
        upper_lip_top=_points(table["upper_lip_top"]),
        lower_lip_bottom=_points(table["lower_lip_bottom"]),
        nose_base=_point(table["nose_base"]),
        chin=_point(table["chin"]),
        jaw_y=float(table["jaw_y"]),
        neck=_point(table["neck"]),
        face_centre=_point(table["face_centre"]),
        face_half_width=float(table["face_half_width"]),
        brows=_points(table["brows"]),
        depth_centre=_point(depth["centre"]),
        depth_radii=(float(depth["radii"][0]), float(depth["radii"][1]), float(depth["radii"][2])),
        nose=_point(depth["nose"]),
        eyes=tuple(_eye(eye) for eye in table["eyes"]),
    )


def _eye(table: Mapping[str, Any]) -> Eye:
    iris = _point(table["iris_centre"])
    width, radius = float(table["half_width"]), float(table["iris_radius"])
    return Eye(_point(table["centre"]), width, iris, radius, _points(table["opening"]))


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _points(rows: Any) -> Points:
    return np.array(rows, np.float64)


def _picture(path: Path, flags: int) -> Pixels:
    # Not cv2.imread: it cannot open paths outside the code page on Windows and only prints when a file is missing.
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except (FileNotFoundError, cv2.error) as error:
        raise AvatarBroken(f"{path} is missing or empty; an avatar's folder needs it") from error
    if picture is None:
        raise AvatarBroken(f"{path} is not a picture that can be read; write it as PNG")
    return np.asarray(picture, np.uint8)


def _paste(whole: Pixels, part: Pixels, box: Any) -> Pixels:
    if part.shape == whole.shape:
        return part
    if box is None:
        raise AvatarBroken("open.png is smaller than closed.png; rig.toml must say where it belongs: open_box")
    x0, y0, x1, y1 = (int(v) for v in box)
    if part.shape[:2] != (y1 - y0, x1 - x0):
        raise AvatarBroken(f"open.png is {part.shape[1::-1]}, but open_box in rig.toml is {box}")
    pasted = whole.copy()
    pasted[y0:y1, x0:x1] = part
    return pasted


def _lids(folder: Path, table: Mapping[str, Any], closed: Pixels) -> tuple[tuple[float, Pixels], ...]:
    x0, y0, x1, y1 = (int(v) for v in table["lid_box"])
    states = [float(state) for state in table["lid_states"]]
    stack = _picture(folder / "lids.png", cv2.IMREAD_COLOR)
    if stack.shape[:2] != ((y1 - y0) * len(states), x1 - x0):
        raise AvatarBroken(f"{folder / 'lids.png'} does not hold {len(states)} copies of lid_box in rig.toml")
    made = [(0.0, closed)]
    for state, rows in zip(states, np.split(stack, len(states)), strict=True):
        picture = closed.copy()
        picture[y0:y1, x0:x1] = rows
        made.append((state, picture))
    return tuple(made)


def _patch(path: Path, table: Mapping[str, Any]) -> Patch:
    pixels = _picture(path, cv2.IMREAD_UNCHANGED)
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        raise AvatarBroken(f"{path} has no alpha channel; write it as RGBA PNG")
    alpha = pixels[..., 3:].astype(np.float32) / 255
    colour = np.round(pixels[..., :3] * alpha).astype(np.uint8)
    return Patch(np.dstack([colour, pixels[..., 3]]), _point(table["anchor"]))
