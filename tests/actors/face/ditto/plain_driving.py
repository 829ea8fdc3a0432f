"""How an avatar is driven, for plain.py: keypoints by matrices, a frame at a time, in the order that is published."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Numbers = dict[str, np.ndarray]
Frame = dict[str, np.ndarray]
WIDTHS = {"scale": 1, "pitch": 66, "yaw": 66, "roll": 66, "t": 3, "exp": 63}
LIPS, EYES = (6, 12, 14, 17, 19, 20), (11, 13, 15, 16, 18)


def degrees(logits: np.ndarray) -> float:
    weights = [math.exp(x) for x in logits.tolist()]
    return sum(3 * place * weight for place, weight in enumerate(weights)) / sum(weights) - 97.5


def rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a), math.sin(a)) for a in map(math.radians, (pitch, yaw, roll)))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).T


def placed(kp: np.ndarray, exp: np.ndarray, scale: float, t: np.ndarray, angles: list[float]) -> np.ndarray:
    return scale * (kp.reshape(21, 3) @ rotation(*angles) + exp.reshape(21, 3)) + [t[0], t[1], 0]


def people(draw: np.random.Generator, count: int) -> Numbers:
    """Motions of so many frames."""
    sizes = {"scale": 0.1, "t": 0.1, "exp": 0.05, "pitch": 3, "yaw": 3, "roll": 3}
    made = {key: sizes[key] * draw.normal(size=(count, width)) for key, width in WIDTHS.items()}
    return {**{key: value.astype(np.float32) for key, value in made.items()}, "scale": (1 + made["scale"]).astype("f4")}


def motion_stitch(draw: np.random.Generator) -> Numbers:
    source, driving, first = people(draw, 1), people(draw, 8), people(draw, 1)
    kp, lids = (draw.normal(size=size).astype(np.float32) for size in ((1, 63), (15, 63)))
    lids *= np.float32(0.05)
    told = {
        f"{of}_{key}": value
        for of, some in (("xs", source), ("xd", driving), ("d0", first))
        for key, value in some.items()
    }
    told |= {"xs_kp": kp, "delta_eye": lids}
    fade = [0, 0.25, 0.5, 0.75, 1, 1, 0.5, 0]
    cases: dict[str, dict[str, Any]] = {
        "image_default": {"first": {key: value[:1] for key, value in driving.items()}},
        "image_given_d0": {}, "absolute": {"relative": False}, "image_no_eye": {"eyes": False},
        "image_overall_pitch2": {"turn": lambda n: (2, None, None)},
        "image_fixed_blink": {"lids": lids},
        "image_fade_d0": {"fade": fade, "to_first": True}, "image_fade_s_all": {"fade": fade},
        "image_vad": {"voiced": [1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0]},
        "image_pose_offsets": {"turn": lambda n: (2 * n, -1.5 * n, 0.5 * n)},
        "image_pose_alpha": {"turn": lambda n: (0, 0, 0), "strength": (0.5, 0.25, 0)},
        "image_ch_scale": {"gain": dict.fromkeys(("exp", "pitch", "yaw", "roll"), 1.3 / float(source["scale"][0, 0]))},
        "image_keys_gain": {"gain": {"exp": 1.2, "pitch": 0.5, "yaw": 0.5, "roll": 0, "t": 1}},
        "video_default": {"keys": ("exp",), "eyes": False},
    }  # fmt: skip
    still = placed(kp[0], source["exp"][0], float(source["scale"][0, 0]), source["t"][0],
                   [degrees(source[key][0]) for key in ("pitch", "yaw", "roll")])  # fmt: skip
    for name, wish in cases.items():
        told[f"xs_kp_{name}"] = still
        told[f"xd_kp_{name}"] = driven(
            {key: value[0] for key, value in source.items()}, driving, **{"first": first, **wish}, kp=kp[0]
        )
    told |= {
        "blink_N100_open20": blinking(100, [20]), "blink_N200_list": blinking(200, [30, 50]),
        "blink_N50_none": np.zeros(50, np.int64),
        "fade_alpha_N40_in5_out8": np.array([0, 0.2, 0.4, 0.6, 0.8] + [math.nan] * 26 + [1 - k / 8 for k in range(9)]),
    }  # fmt: skip
    return told


def driven(
    source: Frame, driving: Numbers, *, first: Numbers, kp: np.ndarray, relative: bool = True, eyes: bool = True,
    keys: tuple[str, ...] = ("exp", "pitch", "yaw", "roll", "t"), gain: dict[str, float] | None = None,
    turn: Callable[[int], tuple[float | None, ...]] = lambda n: (None, None, None),
    strength: tuple[float, float, float] = (1, 1, 1), lids: np.ndarray | None = None,
    voiced: list[float] | None = None, fade: list[float] | None = None, to_first: bool = False,
) -> np.ndarray:  # fmt: skip
    """Keypoints (8, 21, 3) of the avatar driven, a frame at a time."""
    out, start = [], None
    for n in range(8):
        now = dict(source)
        for key in keys:
            step = (driving[key][n] - first[key][0]).astype(np.float64) * (gain or {}).get(key, 1)
            now[key] = source[key] + step if relative else driving[key][n]
        exp = np.array(source["exp"], np.float64).reshape(21, 3)
        for point in LIPS:
            exp[point] = now["exp"].reshape(21, 3)[point]
        for point in EYES:
            if lids is not None:
                exp[point] += lids[blinking(60, [2])[n]].reshape(21, 3)[point]
            elif eyes:
                exp[point] = now["exp"].reshape(21, 3)[point]
        if voiced is not None:
            exp = exp * voiced[n] + source["exp"].reshape(21, 3) * (1 - voiced[n])
        angles = [degrees(now[key]) for key in ("pitch", "yaw", "roll")]
        for axis, by in enumerate(turn(n)):
            angles[axis] = (angles[axis] + (by or 0)) * strength[axis]
        start = exp.copy() if start is None else start
        if fade is not None and to_first:
            exp = exp * fade[n] + start * (1 - fade[n])
        elif fade is not None:  # everything goes to the avatar at rest, angles as logits
            exp = exp * fade[n] + source["exp"].reshape(21, 3) * (1 - fade[n])
            angles = [degrees(now[key] * fade[n] + source[key] * (1 - fade[n])) for key in ("pitch", "yaw", "roll")]
            now["t"] = now["t"] * fade[n] + source["t"] * (1 - fade[n])
        if eyes:
            _gaze(exp, angles, source)
        out.append(placed(kp, exp, float(source["scale"][0]), now["t"], angles))
    return np.stack(out)


def _gaze(exp: np.ndarray, angles: list[float], source: Frame) -> None:
    """The irises against the head: 0.26 of its yaw, 0.28 of its pitch, further on the side that they turn to."""
    yaw = (angles[1] - degrees(source["yaw"])) * 0.26
    pitch = (angles[0] - degrees(source["pitch"])) * 0.28
    exp[11, 0] += yaw * (0.001 if yaw < 0 else 0.0007)
    exp[15, 0] += yaw * (0.0007 if yaw < 0 else 0.001)
    exp[11, 1] -= 0.001 * pitch
    exp[15, 1] -= 0.001 * pitch


def blinking(frames: int, gaps: list[int]) -> np.ndarray:
    rows: list[int] = []
    while len(rows) < frames:
        for gap in gaps:
            rows += [0] * gap
            rows += list(range(15)) if len(rows) + 15 <= frames else [0] * 15
    return np.array(rows[:frames])
