"""An avatar made ready: its face found as well as this machine can, its eyes measured, and what was found kept.

The best way there is is taken, and said: the 203 points of their own network about MediaPipe's mesh, the mesh alone,
or the measures of the avatar's folder. A mesh is in the folder since it was made, or comes from published networks in
the folder of models, or from MediaPipe's process where `avatar portrait setup` made its environment.
"""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path

import cv2
import numpy as np

from actors.face import avatars
from actors.face.ditto.avatar import crop, eyes, mesh, points
from actors.face.ditto.avatar.paste import Pixels
from actors.face.ditto.avatar.source import MEASURES, STILL, Placed, SourceBroken, measured, texture
from actors.face.ditto.spec import Array
from actors.face.landmarks import LandmarksMissing, PictureRefused, find_face, worker
from actors.face.shelf import Shelf, name_of

log = logging.getLogger(__name__)

RECIPE = 1
"""Raised with every change that finds faces elsewhere."""


class Preparer:
    """Finds the faces of avatars; opens its networks once."""

    def __init__(self, models: Path | None, side: int, weights: str = "") -> None:
        """``models``: folder of a conversion; ``side``: of the square that the renderer sees; ``weights``: its name.

        Raises GraphWrong for a network that is another one than its name says.
        """
        self._side, self._weights = side, weights
        self._landmarks = points.opened(models) if models else None
        self._finder = _finder(models) if models else None

    def place(self, entry: avatars.Entry, kept: Shelf) -> Placed:
        """Where the face of an avatar's portrait is. Raises SourceBroken."""
        folder = entry.folder
        name = f"place-{name_of(self._weights, str(self.recipe), *_files(folder))}.npz"
        if (found := kept.arrays(name)) is not None:
            return Placed(found["cut"], found["eye_open"], found["eye_ball"])
        pixels = texture(folder)
        seen, why = self._mesh(folder, pixels)
        placed = measured(folder, self._side) if seen is None else self.about(pixels, seen)
        log.info("ditto cuts %s by %s", entry.avatar.id, why if seen is None else f"{self._way}, the mesh {why}")
        kept.keep_arrays(name, {"cut": placed.cut, "eye_open": placed.eye_open, "eye_ball": placed.eye_ball})
        return placed

    def about(self, pixels: Pixels, seen: Array) -> Placed:
        """Where a face is that has this mesh (478, 3) in a picture's pixels, BGR."""
        wish = crop.Cut(self._side, crop.SOURCE.scale, crop.SOURCE.down)
        if self._landmarks is not None:
            found = self._landmarks(pixels[..., ::-1], seen)
            cut = crop.to_square(found, crop.anchors(found), wish)
        else:
            cut = crop.to_square(mesh.outline(seen), mesh.anchors(seen), wish)
        cut = cut.astype(np.float64)
        zoom = float(np.hypot(cut[0, 0], cut[0, 1]))
        within = np.column_stack([crop.moved(seen[:, :2], cut), seen[:, 2] * zoom]) / self._side
        return Placed(cut, *eyes.of_mesh(within))

    @property
    def recipe(self) -> tuple[int, int]:
        """What else than weights and files a place depends on."""
        return RECIPE, self._side

    @property
    def _way(self) -> str:
        return "203 points" if self._landmarks else f"the mesh ({points.FILE} is not among the models)"

    def _mesh(self, folder: Path, pixels: Pixels) -> tuple[Array | None, str]:
        """The mesh of a folder's portrait, or None; and where it comes from, or why there is none."""
        if (stored := stored_mesh(folder)) is not None:
            return stored["points"], f"stored in its folder as {avatars.MESH}"
        if self._finder is not None and (found := self._finder(pixels[..., ::-1])) is not None:
            return found, "found by the models' networks"
        return _asked(pixels)


def stored_mesh(folder: Path) -> dict[str, Array] | None:
    """Landmarks that were stored when an avatar was made. Raises SourceBroken on a file of something else."""
    path = folder / avatars.MESH
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            told = {key: np.asarray(arrays[key], np.float64) for key in arrays.files}
    except FileNotFoundError:
        return None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise SourceBroken(f"{path} cannot be read ({error}); make the avatar again") from error
    wanted = {"points": (mesh.POINTS, 3), "film": (mesh.POINTS, 3)}
    if "points" not in told or any(
        key not in wanted or part.shape[-2:] != wanted[key] or not np.isfinite(part).all() for key, part in told.items()
    ):
        raise SourceBroken(f"{path} holds no landmarks; make the avatar again")
    return told


def _finder(models: Path) -> mesh.Finder | None:
    there = all((models / name).is_file() for name in (mesh.DETECTOR, mesh.MESH))
    return mesh.Finder(models) if there else None


def _asked(pixels: Pixels) -> tuple[Array | None, str]:
    """What MediaPipe's process says. A portrait in which it finds no face is cut by the measures that it came with."""
    try:
        command = worker()
        found = find_face(cv2.imencode(".png", pixels)[1].tobytes(), command)
    except (LandmarksMissing, PictureRefused) as error:
        return None, f"its folder's measures: no mesh is stored, and {error}"
    if found.pixels.shape != pixels.shape:
        return None, "its folder's measures: its face is too small a part of it for MediaPipe's process"
    return found.points, "found by MediaPipe's process"


def _files(folder: Path) -> list[bytes]:
    """The bytes of all that a face's place depends on."""
    return [
        path.read_bytes() if path.is_file() else b"" for path in (folder / f for f in (STILL, MEASURES, avatars.MESH))
    ]
