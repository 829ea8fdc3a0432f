"""The rig file: every measure the renderer needs, written from the same shapes the painter used.

It writes TOML text and paints nothing.
"""

from __future__ import annotations

import numpy as np

from actors.face.portrait.paint import shape
from actors.face.portrait.paint.interior import Patch


def rig_text(patches: list[Patch], open_box: tuple[int, int, int, int], seed: int, palette: dict[str, str]) -> str:
    """The whole rig.toml."""
    lines = [
        "# Measures of the built-in portrait in texture pixels (576 x 864, x right, y down, whole numbers at pixel",
        "# centres). Written by the painter together with the pictures; do not edit by hand.",
        "",
        "size = [576, 864]",
        f"seed = {seed}",
        *_face(),
        "# open.png is a crop of the whole picture, pasted at open_box; the rest of it equals closed.png.",
        f"open_box = {list(open_box)}",
        "# lids.png holds one copy of lid_box per closing fraction, stacked from top to bottom.",
        f"lid_box = {list(shape.LID_BOX)}",
        f"lid_states = {list(shape.LID_STATES)}",
        "",
        "[head_depth]  # ellipsoid for parallax: centre and radii (x, y, depth)",
        f"centre = {_point((shape.CX, 360.0))}",
        "radii = [172.0, 268.0, 150.0]",
        f"nose = {_point((shape.CX, 443.0))}",
        "",
    ]
    for side in (-1, 1):
        lines += _eye(side)
    for patch in patches:
        height, width = patch.pixels.shape[:2]
        lines += [
            f"[patches.{patch.name}]",
            f"anchor = {_point(patch.anchor)}  # top left corner at rest",
            f"size = [{width}, {height}]",
            "",
        ]
    lines += ["[palette]", *(f'{name} = "{colour}"' for name, colour in palette.items()), ""]
    return "\n".join(lines)


def _face() -> list[str]:
    return [
        f"m = {shape.M}  # half mouth width, the unit of mouth motion",
        f"mouth_centre = {_point((shape.CX, shape.MOUTH_Y))}",
        f"mouth_corners = {_points(shape.lip_line(3)[[0, 2]])}",
        f"lip_line = {_points(shape.lip_line())}",
        f"upper_lip_top = {_points(shape.upper_lip_top())}",
        f"lower_lip_bottom = {_points(shape.lower_lip_bottom())}",
        f"nose_base = {_point(shape.NOSE_BASE)}",
        f"chin = {_point(shape.CHIN)}",
        f"jaw_y = {shape.JAW_Y}  # row of the jaw's corners",
        f"neck = {_point(shape.NECK)}  # pivot of the head's roll",
        f"face_centre = {_point((shape.CX, 372.0))}",
        f"face_half_width = {float(shape.half_width(np.array([340], np.float32))[0]):.1f}",
        f"face_oval = {_points(shape.face_outline(190)[::8])}",
        f"brows = [{', '.join(_box(shape.brow_line(side)) for side in (-1, 1))}]  # x0 y0 x1 y1",
        "",
    ]


def _eye(side: int) -> list[str]:
    x, y = shape.eye_centre(side)
    return [
        "[[eyes]]  # " + ("left of the picture" if side < 0 else "right of the picture"),
        f"centre = {_point((x, y))}",
        f"half_width = {shape.EYE_HALF}",
        f"iris_centre = {_point((x, y + shape.IRIS_DY))}",
        f"iris_radius = {shape.IRIS_R}",
        f"opening = {_points(shape.eye_opening(side, 0.0, 17))}",
        "",
    ]


def _point(point: tuple[float, float]) -> str:
    return f"[{float(point[0]):.2f}, {float(point[1]):.2f}]"


def _points(points: np.ndarray) -> str:
    return "[" + ", ".join(_point(tuple(p)) for p in points) + "]"


def _box(points: np.ndarray) -> str:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return f"[{x0 - 4:.1f}, {y0 - 7:.1f}, {x1 + 4:.1f}, {y1 + 7:.1f}]"
