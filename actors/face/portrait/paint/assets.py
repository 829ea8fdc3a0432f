"""Paint the portrait and write its whole asset set, each file at once (temporary name, then rename).

Run by a developer as `python -m actors.face.portrait.paint`; the runtime reads only what this leaves behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.paint import face, hair, scene
from actors.face.portrait.paint.canvas import Array, blur, encode, grid, linear, over, reduce
from actors.face.portrait.paint.eyes import paint_brows, paint_eyes
from actors.face.portrait.paint.interior import patches
from actors.face.portrait.paint.mouth import paint_crease
from actors.face.portrait.paint.rig import rig_text
from actors.face.portrait.paint.shape import LID_BOX, LID_STATES
from actors.files import write

Pixels = NDArray[Any]

FOLDER = Path(__file__).resolve().parents[1] / "avatars" / "default"
OPEN_BOX = (216, 456, 360, 540)
OPEN_CREASE = 0.30


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all variants of the picture share: the scene with a bare face, and the hair to lay over it."""

    bare: Array
    hair_colour: Array
    hair_alpha: Array
    scale: int
    seed: int


def prepare(scale: int, seed: int) -> Prepared:
    """Paint everything but eyes, lips' crease and front hair."""
    x, y = grid(scale)
    picture = scene.paint_background(x, y)
    hair.paint_back_hair(picture, scale, seed)
    scene.paint_neck(picture, x, y, scale)
    scene.paint_necklace(picture, scale)
    scene.paint_sweater(picture, x, y, scale)
    scene.shade_body(picture, [hair.hair_mass(side) for side in (-1, 1)], scale)
    lit, inside = face.paint_face(hair.hair_shadow(scale), x, y, scale, seed)
    over(picture, lit, inside)
    paint_brows(picture, scale, seed)
    colour, alpha = hair.paint_hair(scale, seed)
    over(picture, linear((78, 46, 34)), 0.42 * blur(alpha, 3.0, scale) * inside)
    return Prepared(picture, colour, alpha, scale, seed)


def finish(prepared: Prepared, closing: float, crease: float) -> Pixels:
    """One variant of the picture at texture size, BGR uint8 (864, 576, 3)."""
    picture = prepared.bare.copy()
    paint_eyes(picture, closing, prepared.scale, prepared.seed)
    paint_crease(picture, crease, prepared.scale)
    over(picture, prepared.hair_colour, prepared.hair_alpha)
    shown = encode(reduce(picture, prepared.scale))
    return np.clip(np.round(shown[..., ::-1]), 0, 255).astype(np.uint8)


def write_all(folder: Path, scale: int, seed: int) -> None:
    """Paint and write every asset into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare(scale, seed)
    closed = finish(prepared, 0.0, 1.0)
    mouth = finish(prepared, 0.0, OPEN_CREASE)
    x0, y0, x1, y1 = LID_BOX
    lids = np.vstack([finish(prepared, closing, 1.0)[y0:y1, x0:x1] for closing in LID_STATES])
    inside = patches()
    for patch in inside:
        _write_png(folder / f"{patch.name}.png", cv2.cvtColor(patch.pixels, cv2.COLOR_RGBA2BGRA))
    _write_png(folder / "open.png", mouth[OPEN_BOX[1] : OPEN_BOX[3], OPEN_BOX[0] : OPEN_BOX[2]])
    _write_png(folder / "lids.png", lids)
    _write_png(folder / "closed.png", closed)
    _write_png(folder / "preview.png", cv2.resize(closed, (192, 288), interpolation=cv2.INTER_AREA))
    _write_picture(folder / "portrait.jpg", closed, cv2.IMWRITE_JPEG_QUALITY, 88)
    write(folder / "rig.toml", rig_text(inside, OPEN_BOX, seed, _palette()).encode())


def _palette() -> dict[str, str]:
    named = {
        "skin": face.SKIN,
        "hair": hair.MID,
        "wool": scene.WOOL,
        "lip": (196, 98, 92),
        "iris": (172, 112, 52),
    }
    return {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in named.items()}


def _write_png(path: Path, pixels: Pixels) -> None:
    _write_picture(path, pixels, cv2.IMWRITE_PNG_COMPRESSION, 9)


def _write_picture(path: Path, pixels: Pixels, *how: int) -> None:
    done, data = cv2.imencode(path.suffix, pixels, how)
    if not done:
        raise OSError(f"OpenCV could not encode {path.name}")
    write(path, data.tobytes())
