"""A whole avatar out of a found face: all pictures, the rig and the idle loop, in a folder that appears complete.

The same picture makes the same folder. It does not know who asked, and keeps nothing of the picture as it was sent.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np

from actors.face.avatars import ABOUT, FILM, MESH, PORTRAIT
from actors.face.filmed import Reel
from actors.face.landmarks import Found
from actors.face.portrait.idle import write_clip
from actors.face.portrait.photo import lids, mesh
from actors.face.portrait.photo.fit import SIZE, Fitted, fit, follow
from actors.face.portrait.photo.inside import patches
from actors.face.portrait.photo.lips import shut
from actors.face.portrait.photo.measures import rig_text
from actors.face.portrait.rig import Pixels

RECIPE = 1
"""Raised with every change that makes other pictures of the same one; part of an avatar's id."""


@dataclass(frozen=True, slots=True)
class About:
    """What is written beside the pictures, as about.json."""

    name: str
    created: str
    """ISO 8601, UTC; also when the consent was given."""
    consent: bool
    sha256: str
    """Of the picture as it was sent, in hexadecimal."""
    notes: tuple[str, ...] = ()
    recipe: int = RECIPE


def make(found: Found, about: About, folder: Path, film: Iterable[Found] | None = None) -> tuple[str, ...]:
    """Write the avatar into ``folder``, which must not be there yet; return its notes.

    ``film``: the frames that follow ``found``, if it is the first one of a film. Takes some seconds. Raises
    PictureRefused for a face that cannot speak or a film too short, OSError if nothing can be written.
    """
    fitted = fit(found)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=".", suffix=".part", dir=folder.parent))
    try:
        inside = part / folder.name  # the idle clip is drawn from a folder with an avatar's name
        inside.mkdir()
        _write_pictures(fitted, inside)
        _write_landmarks(fitted, found, film, inside)
        write_clip(inside)
        told = {**asdict(about), "notes": list(fitted.notes)}
        (inside / ABOUT).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", "utf-8")
        _appear(inside, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return fitted.notes


def _appear(made: Path, folder: Path) -> None:
    """Give the finished avatar its name. One that somebody else made of the same picture meanwhile is as good."""
    try:
        os.rename(made, folder)
    except OSError:
        if not (folder / "rig.toml").is_file():
            raise


def _write_pictures(fitted: Fitted, folder: Path) -> None:
    mouth = shut(fitted.pixels, fitted.points)
    eyes = lids.eyes(fitted.points)
    x0, y0, x1, y1 = box = lids.box(eyes)
    blink = np.vstack([state[y0:y1, x0:x1] for state in lids.states(mouth.closed, eyes)])
    small = cv2.resize(mouth.closed, (192, 288), interpolation=cv2.INTER_AREA)
    inner = patches(mouth, _brightness(mouth.closed, fitted))
    for name, (pixels, _) in inner.items():
        _write(folder / f"{name}.png", pixels)
    _write(folder / "closed.png", mouth.closed)
    _write(folder / "open.png", mouth.open)
    _write(folder / "lids.png", blink)
    _write(folder / "preview.png", np.asarray(small, np.uint8))
    _write(folder / PORTRAIT, mouth.closed, cv2.IMWRITE_JPEG_QUALITY, 88)
    np.savez(
        folder / MESH, allow_pickle=False, points=np.column_stack([fitted.points, fitted.depth]).astype(np.float32)
    )
    (folder / "rig.toml").write_text(rig_text(fitted.points, mouth, eyes, box, inner), "utf-8")


def _write_landmarks(fitted: Fitted, first: Found, film: Iterable[Found] | None, folder: Path) -> None:
    """Landmarks of the picture, and a film with those of its frames. Raises PictureRefused for a film too short."""
    meshes = {"points": np.column_stack([fitted.points, fitted.depth])}
    if film is not None:
        reel = Reel.of(*SIZE)
        for frame in chain((first,), film):
            reel.add(*follow(frame, fitted.turn))
        reel.write(folder / FILM)
        meshes["film"] = np.stack(reel.meshes)
    arrays = {name: points.astype(np.float32) for name, points in meshes.items()}
    np.savez(folder / MESH, allow_pickle=False, **arrays)  # type: ignore[arg-type]


def _brightness(pixels: Pixels, fitted: Fitted) -> float:
    """Of the skin between mouth, nose and cheeks: the median, 0-255."""
    around = np.zeros(pixels.shape[:2], np.uint8)
    lower = [n for n in mesh.OVAL if fitted.points[n, 1] > fitted.points[mesh.NOSE_TIP, 1]]
    cv2.fillPoly(around, [np.round(fitted.points[lower]).astype(np.int32)], 1)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    return float(np.median(grey[around > 0]))


def _write(path: Path, pixels: Pixels, *how: int) -> None:
    done, data = cv2.imencode(path.suffix, pixels, list(how))
    if not done:
        raise OSError(f"OpenCV could not encode {path.name}")
    path.write_bytes(data.tobytes())
