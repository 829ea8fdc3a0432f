"""What concerns pictures of plain.py: cuts, eyes, MediaPipe's networks and pasting, a number at a time."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable

import numpy as np

Numbers = dict[str, np.ndarray]
EYES = {203: ((0, 6, 12, 18), (24, 30, 36, 42)), 106: ((33, 35, 40, 39), (87, 89, 94, 93))}
LIPS = {203: (48, 66), 106: (52, 61)}
CUTS = {
    "lmk": (224, 1.5, -0.1),
    "src": (512, 2.3, -0.125),
    "src_norot": (512, 2.3, -0.125),
    "src_vx": (512, 2.3, -0.125),
}


def crop(draw: np.random.Generator) -> Numbers:
    """Places as complex numbers, x + iy: to turn is to multiply."""
    told: Numbers = {"image_formula_note_rgb": np.array("r=(x*.6)%256 g=(y*.6)%256 b=((x+y)*.3)%256, H=420 W=400")}
    for count in (106, 203):
        points = [complex(*pair) for pair in draw.uniform(60, 300, (count, 2)).astype(np.float32).tolist()]
        points[LIPS[count][0]], points[LIPS[count][1]] = complex(150, 290), complex(190, 300)
        eyes = sum(sum(points[n] for n in eye) / 4 for eye in EYES[count]) / 2
        lips = sum(points[n] for n in LIPS[count]) / 2
        down = (lips - eyes) / abs(lips - eyes)
        turned = cmath.phase(down / 1j)
        upright = [point * cmath.exp(-1j * turned) for point in points]
        low, high = (complex(f(p.real for p in upright), f(p.imag for p in upright)) for f in (min, max))
        told |= {f"pts{count}": _pairs(points), f"pt2_{count}": _pairs([eyes, lips])}
        for name, (side, scale, below) in CUTS.items():
            wide = scale * max((high - low).real, (high - low).imag)
            centre = ((low + high) / 2 + 1j * below * wide) * cmath.exp(1j * turned)
            turn = cmath.exp(-1j * (0 if name == "src_norot" else turned)) * side / wide
            there = complex(side / 2, side / 2) - turn * centre
            to_square = np.array([[turn.real, -turn.imag, there.real], [turn.imag, turn.real, there.imag], [0, 0, 1]])
            told |= {f"M_o2c_{count}_{name}": to_square, f"M_c2o_{count}_{name}": np.linalg.inv(to_square)}
            if name == "src":
                told |= {
                    f"rect_center_{count}": np.array([centre.real, centre.imag]),
                    f"rect_size_{count}": np.array([wide, wide]), f"rect_angle_{count}": np.array(turned),
                }  # fmt: skip
    told["crop_203_lmk_every4"] = _cut_out(told["M_c2o_203_lmk"])
    sizes = [[1432, 1432, 1920], [1080, 1920, 1280], [577, 383, -1], [579, 384, 1920], [4000, 3001, 1920]]
    told |= {
        "check_resize_in_hw_max": np.array(sizes),
        "check_resize_out_h_w_flag": np.array([_small(*s) for s in sizes]),
    }
    return told


def _pairs(points: list[complex]) -> np.ndarray:
    return np.array([[p.real, p.imag] for p in points])


def _small(height: int, width: int, most: int) -> list[int]:
    shrink = min(1.0, most / max(height, width)) if most > 0 else 1.0
    sides = [int(side * shrink) // 2 * 2 for side in (height, width)]
    return [*sides, int(sides != [height, width])]


def _formula(x: int, y: int) -> list[float]:
    if not (0 <= x < 400 and 0 <= y < 420):
        return [0, 0, 0]
    return [int(x * 0.6 % 256), int(y * 0.6 % 256), int((x + y) * 0.3 % 256)]


def _cut_out(back: np.ndarray) -> np.ndarray:
    rows = [[_between(_formula, *(back @ [4 * x, 4 * y, 1])[:2]) for x in range(56)] for y in range(56)]
    return np.array(rows).round().astype(np.uint8)


def _between(at: Callable[[int, int], list[float]], x: float, y: float) -> np.ndarray:
    """Of four neighbours, each by how near it is."""
    left, top = math.floor(x), math.floor(y)
    u, v = x - left, y - top
    four = [np.array(at(left + dx, top + dy), float) for dy in (0, 1) for dx in (0, 1)]
    return (four[0] * (1 - u) + four[1] * u) * (1 - v) + (four[2] * (1 - u) + four[3] * u) * v


def mask_putback(draw: np.random.Generator) -> Numbers:
    whole, small = _mask(512, 512, 0.9, 0.9), _mask(40, 30, 0.8, 0.9)
    frame = draw.integers(0, 256, (150, 120, 3)).astype(np.uint8)
    to_frame = np.array([[0.2, 0.03, 8.0], [-0.03, 0.2, 22.0], [0, 0, 1]])
    back, out = np.linalg.inv(to_frame), frame.copy()

    def face(x: int, y: int) -> list[float]:
        inside = 0 <= x < 512 and 0 <= y < 512
        return [x * 250 / 511, y * 250 / 511, 255 - x * 250 / 511, whole[y, x]] if inside else [0, 0, 0, 0]

    for y in range(150):
        for x in range(120):
            *colour, share = _between(face, *(back @ [x, y, 1])[:2])
            out[y, x] = [
                int(c * share + float(under) * (1 - share)) for c, under in zip(colour, frame[y, x], strict=True)
            ]
    return {
        "mask512_row26": whole[26], "mask512_row5": whole[5], "mask512_col10": whole[:, 10],
        "mask512_corner64": whole[:64, :64], "mask512_corner64_br": whole[-64:, -64:], "mask_sum": whole.sum(),
        "mask40x30": small, "frame": frame, "M_c2o": to_frame, "out_numpy": out, "out_fast": out,
    }  # fmt: skip


def _mask(height: int, width: int, inner_y: float, inner_x: float) -> np.ndarray:
    def off(place: int, side: int, inner: float) -> float:
        border = (side - int(side * inner)) // 2
        within = min(place, side - 1 - place)
        return 0.0 if within >= border else 1 - within / max(border - 1, 1)

    rows = [[math.hypot(off(y, height, inner_y), off(x, width, inner_x)) for x in range(width)] for y in range(height)]
    return np.clip(1 - np.array(rows), 0, 1)


def eye_attributes(draw: np.random.Generator) -> Numbers:
    lids = (((145, 159), (144, 160), (153, 158)), ((374, 386), (373, 387), (380, 385)))
    corners, irises = ((33, 133), (263, 362)), (468, 473)
    index = sorted(
        {n for eye in lids for pair in eye for n in pair} | {n for pair in corners for n in pair} | {*irises}
    )
    faces = draw.uniform(0, 1, (2, 18, 3)).astype(np.float32)
    opened, moves = [], []
    for face in faces:
        at = {number: [float(x) for x in face[place]] for place, number in enumerate(index)}
        opened.append(
            [
                sum(math.dist(at[a], at[b]) for a, b in lids[k]) / math.dist(at[corners[k][0]], at[corners[k][1]])
                for k in (0, 1)
            ]
        )
        sides = []
        for k in (0, 1):
            outer, inner, iris = at[corners[k][0]], at[corners[k][1]], at[irises[k]]
            middle = [(a + b) / 2 for a, b in zip(outer, inner, strict=True)]
            far, wide = math.dist(iris, middle), math.dist(outer, inner)
            sides.append(
                [(i - m) - (o - n) / wide * far for i, m, o, n in zip(iris, middle, outer, inner, strict=True)]
            )
        moves.append(list(zip(*sides, strict=True)))
    return {
        "landmark_index": np.array(index),
        "landmarks": faces,
        "LR_open": np.array(opened),
        "LR_ball_move": np.array(moves),
    }


def mediapipe_post(draw: np.random.Generator) -> Numbers:
    anchors = [
        ((x + 0.5) / n, (y + 0.5) / n)
        for n, times in ((16, 2), (8, 6))
        for y in range(n)
        for x in range(n)
        for _ in range(times)
    ]
    chosen, scores = [100, 101, 102, 500, 501, 870], [1.0, 2.0, 1.5, 3.0, 0.5, 4.0]
    raw = draw.normal(size=(6, 16)).astype(np.float32) * 4
    raw[:, 2:4] = 40
    faces = []
    for number, row, score in zip(chosen, raw.tolist(), scores, strict=True):
        x, y = anchors[number]
        points = [(x if place % 2 == 0 else y) + by / 128 for place, by in enumerate(row[4:])]
        middle = (x * 128 + row[0], y * 128 + row[1])
        faces.append(
            [middle[0] - 20, middle[1] - 20, middle[0] + 20, middle[1] + 20, *points, 1 / (1 + math.exp(-score))]
        )
    faces.sort(key=lambda face: -face[16])
    blended = []
    while faces:
        same = [face for face in faces if face is faces[0] or _shared(face, faces[0]) > 0.3]
        total = sum(face[16] for face in same)
        blended.append([*(sum(face[k] * face[16] for face in same) / total for k in range(16)), total / len(same)])
        faces = [face for face in faces if face not in same]
    x, y, side, turned = draw.uniform((150, 150, 200, -0.5), (250, 250, 350, 0.5)).tolist()
    given, out = draw.uniform(0, 256, (5, 3)), []
    for u, v, near in given.tolist():
        there = complex(u - 128, v - 128) * side / 256 * cmath.exp(1j * turned)
        out.append([x + there.real, y + there.imag, near * side / 256])
    return {
        "anchor_xy": np.array(anchors), "raw_sel": np.array(chosen), "raw_boxes_sel": raw,
        "raw_scores_sel": np.array(scores),
        "detections": np.array(blended), "roi": np.array([x, y, side, side, turned]), "mesh_in_first5": given,
        "mesh_out_first5": np.array(out),
    }  # fmt: skip


def _shared(one: list[float], other: list[float]) -> float:
    across, down = (max(0.0, min(one[k + 2], other[k + 2]) - max(one[k], other[k])) for k in (0, 1))
    return across * down / (2 * 40 * 40 - across * down)


FILES: dict[str, Callable[[np.random.Generator], Numbers]] = {
    "crop": crop, "eye_attributes": eye_attributes, "mask_putback": mask_putback, "mediapipe_post": mediapipe_post,
}  # fmt: skip
