"""The rig file of a picture: every measure that the engine needs, from landmarks. It paints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from actors.face.portrait.photo import mesh
from actors.face.portrait.photo.fit import SIZE
from actors.face.portrait.photo.lids import STATES, Eye
from actors.face.portrait.photo.lips import Mouth
from actors.face.portrait.rig import Pixels, Points

_OF = 133.0  # half width of the face whose other measures are known: the built-in portrait
_NECK = 71.0  # from the chin down to the pivot of the head's roll, for such a face
_RADII = (172.0, 268.0, 150.0)
_RESTING = 0.40  # half the width of a mouth at rest, of the distance between the irises
_LOWEST = 0.93  # of the texture's height: the pivot lies in the picture


def rig_text(
    points: Points,
    mouth: Mouth,
    eyes: tuple[Eye, Eye],
    lid_box: tuple[int, int, int, int],
    patches: Mapping[str, tuple[Pixels, tuple[float, float]]],
) -> str:
    """The whole rig.toml of an avatar whose open.png shows all of the texture."""
    apart = float(np.linalg.norm(points[mesh.IRIS[1]] - points[mesh.IRIS[0]]))
    half, middle = mouth.half, mouth.line.mean(axis=0)
    sides, chin = points[list(mesh.SIDES)], points[mesh.CHIN]
    face = np.array([sides[:, 0].mean(), np.mean([eye.upper[:, 1].mean() for eye in eyes])])
    width = float(sides[1, 0] - sides[0, 0]) / 2
    scale = width / _OF
    neck = (float(face[0]), min(float(chin[1]) + _NECK * scale, _LOWEST * SIZE[1]))
    lines = [
        "# Measures of a portrait made from a picture, in texture pixels (x right, y down). Do not edit by hand.",
        "",
        f"size = {list(SIZE)}",
        f"m = {half:.2f}  # half mouth width",
        f"unit = {min(half, _RESTING * apart):.2f}  # of mouth motion: half its width without the smile",
        f"mouth_centre = {_point((float(middle[0]), float(middle[1])))}",
        f"mouth_corners = {_points(mouth.line[[0, -1]])}",
        f"lip_line = {_points(mouth.line)}",
        f"upper_lip_top = {_points(mouth.top)}",
        f"lower_lip_bottom = {_points(mouth.bottom)}",
        f"nose_base = {_point(points[mesh.NOSE_BASE])}",
        f"chin = {_point(chin)}",
        f"jaw_y = {points[list(mesh.JAWS), 1].mean():.1f}",
        f"neck = {_point(neck)}  # pivot of the head's roll",
        f"face_centre = {_point(face)}",
        f"face_half_width = {width:.1f}",
        f"face_oval = {_points(points[list(mesh.OVAL)])}",
        f"brows = [{', '.join(_brow(points, side) for side in (0, 1))}]  # x0 y0 x1 y1",
        f"lid_box = {list(lid_box)}",
        f"lid_states = {list(STATES)}",
        "",
        "[head_depth]  # ellipsoid for parallax: centre and radii (x, y, depth)",
        f"centre = {_point((face[0], face[1] - 10 * scale))}",
        f"radii = [{', '.join(f'{radius * scale:.1f}' for radius in _RADII)}]",
        f"nose = {_point(points[mesh.NOSE_TIP])}",
        "",
    ]
    for side, eye in enumerate(eyes):
        lines += _eye(points, side, eye)
    for name, (pixels, anchor) in patches.items():
        size = list(pixels.shape[1::-1])
        lines += [f"[patches.{name}]", f"anchor = {_point(anchor)}  # top left corner at rest", f"size = {size}", ""]
    return "\n".join(lines)


def _brow(points: Points, side: int) -> str:
    brow = points[list(mesh.BROWS_TOP[side] + mesh.BROWS_BOTTOM[side])]
    (x0, y0), (x1, y1) = brow.min(axis=0), brow.max(axis=0)
    return f"[{x0 - 4:.1f}, {y0 - 4:.1f}, {x1 + 4:.1f}, {y1 + 4:.1f}]"


def _eye(points: Points, side: int, eye: Eye) -> list[str]:
    outline = np.vstack([eye.upper, eye.lower[::-1]])
    iris, ring = points[mesh.IRIS[side]], points[list(mesh.IRIS_RINGS[side])]
    radius = float(np.linalg.norm(ring - iris, axis=1).mean())
    return [
        "[[eyes]]  # " + ("left", "right")[side] + " of the picture",
        f"centre = {_point((outline.min(axis=0) + outline.max(axis=0)) / 2)}",
        f"half_width = {eye.width / 2:.1f}",
        f"iris_centre = {_point(iris)}",
        f"iris_radius = {radius:.1f}",
        f"opening = {_points(outline)}",
        "",
    ]


def _point(point: Any) -> str:
    return f"[{float(point[0]):.2f}, {float(point[1]):.2f}]"


def _points(points: Points) -> str:
    return "[" + ", ".join(_point(point) for point in points) + "]"
