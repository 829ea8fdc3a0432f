"""The numbers of the golden files calculated plainly, for machines without them: slow, by formulas, one at a time.

Each function is one file on inputs of a seed, written from what the method says and not from how the product does it:
in double precision, with lists where the product has arrays. What concerns pictures is in plain_pictures.py. The small
networks are not here; they are compared only with published numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from tests.actors.face.ditto import plain_pictures
from tests.actors.face.ditto.plain_driving import degrees, motion_stitch, people, placed, rotation

Numbers = dict[str, np.ndarray]


def keypoint_transform(draw: np.random.Generator) -> Numbers:
    given = people(draw, 4)
    kp = draw.normal(size=(4, 63)).astype(np.float32)
    angles = {key: [degrees(row) for row in given[key]] for key in ("pitch", "yaw", "roll")}
    turns = list(zip(*angles.values(), strict=True))
    points = [
        placed(kp[n], given["exp"][n], float(given["scale"][n, 0]), given["t"][n], list(turns[n])) for n in range(4)
    ]
    told = {f"{key}_deg": np.array(angle) for key, angle in angles.items()}
    return {**given, "kp": kp, **told, "R": np.stack([rotation(*turn) for turn in turns]), "x": np.stack(points)}


def motion_vector(draw: np.random.Generator) -> Numbers:
    given = people(draw, 1)
    numbers = [float(given["scale"][0, 0]) - 1]
    for key in ("pitch", "yaw", "roll", "t", "exp"):
        numbers += given[key][0].tolist()
    told = {f"in_{key}": value for key, value in given.items()} | {f"back_{key}": value for key, value in given.items()}
    return {**told, "in_kp": draw.normal(size=(1, 63)).astype(np.float32), "vec265": np.array(numbers)}


# ---- condition, sound --------------------------------------------------------------------------------------


def shares(*labels: int) -> np.ndarray:
    weights = [math.exp(8) if label in labels else 1.0 for label in range(8)]
    return np.array(weights) / sum(weights)


def to_and_fro(place: int, size: int) -> int:
    return [*range(size), *reversed(range(size))][place % (2 * size)]


def condition_handler(draw: np.random.Generator) -> Numbers:
    given = {
        "sc": (63,), "aud": (20, 4), "emo_array": (13, 8), "eye_open_one": (1, 2), "eye_ball_one": (1, 6),
        "eye_open_seven": (7, 2), "eye_ball_seven": (7, 6),
    }  # fmt: skip
    told = {key: draw.normal(size=shape).astype(np.float32) for key, shape in given.items()}

    def rows(first: int, emotions: list[np.ndarray], opened: np.ndarray, turned: np.ndarray) -> np.ndarray:
        out = []
        for number in range(20):
            at = max(0, first + number)
            parts = [told["aud"][number], emotions[at % len(emotions)], opened[to_and_fro(at, len(opened))]]
            out.append(np.concatenate([*parts, turned[to_and_fro(at, len(turned))], told["sc"]]))
        return np.stack(out)

    one, seven = ((told[f"eye_open_{of}"], told[f"eye_ball_{of}"]) for of in ("one", "seven"))
    return told | {
        "out_img_emo4_idx0": rows(0, [shares(4)], *one),
        "out_img_emo3_idxm10": rows(-10, [shares(3)], *one),
        "out_img_emo_3_4_idx5": rows(5, [shares(3, 4)], *one),
        "out_img_emolist_idxm3": rows(-3, [shares(4), shares(3, 4), shares(0)], *one),
        "out_vid_emoarr_idxm5": rows(-5, list(told["emo_array"]), *seven),
        "out_vid_emoarr_idx9": rows(9, list(told["emo_array"]), *seven),
        "out_vid_f0_idx9": rows(9, [shares(4)], seven[0][:1], seven[1][:1]),
        "emo_softmax_one4": shares(4),
        "emo_softmax_3_4": shares(3, 4),
        "mirror_index_size7_0to29": np.array([to_and_fro(place, 7) for place in range(30)]),
    }


def audio_framing(draw: np.random.Generator) -> Numbers:
    """A stub's rows lie 320 samples apart, and a feature is the mean of the two rows of its own 640 samples."""
    wave = draw.normal(size=21_000).astype(np.float32) / 4

    def row(first: int) -> float:
        return math.fsum(float(wave[at]) for at in range(max(first, 0), min(first + 400, len(wave)))) / 400

    online = [(row(640 * frame) + row(640 * frame + 320)) / 2 for frame in range(40)]
    offline = [(row(640 * frame - 80) + row(640 * frame + 240)) / 2 for frame in range(33)]
    return {
        "audio": wave, "stub_online_channel0": np.array(online), "stub_offline_channel0": np.array(offline),
        "online_chunk_sample_range": np.array([[3200 * k - 1920, 3200 * k + 4560] for k in range(8)]),
        "stub_frames_for_6480": np.array(20),
    }  # fmt: skip


# ---- sampler, windows --------------------------------------------------------------------------------------


def ddim(draw: np.random.Generator) -> Numbers:
    level = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(1001)]
    betas = [min(0.999, max(0.0, 1 - level[t + 1] / level[t])) for t in range(1000)]
    left = [float(np.float32(math.prod(1 - beta for beta in betas[: t + 1]))) for t in range(1000)]
    told = {
        "betas": np.array(betas), "alphas_cumprod": np.array(left), "toy_W": draw.normal(size=(7, 7)) / 3,
        "toy_kp_cond": draw.normal(size=(1, 7)), "toy_aud_cond": draw.normal(size=(1, 5, 7)),
    }  # fmt: skip
    for steps in (10, 25, 50):
        edges = [int(-1 + 1000 * place / steps) for place in range(steps + 1)][::-1]
        noise, start = draw.normal(size=(steps - 1, 5, 7)), draw.normal(size=(1, 5, 7))
        x, rows = start, []
        for number, (now, after) in enumerate(pairwise(edges)):
            clean = np.tanh(
                x @ told["toy_W"] + 0.3 * told["toy_kp_cond"][:, None] + 0.2 * told["toy_aud_cond"] + now / 1000
            )
            if after < 0:
                x = clean
                break
            a, b = left[now], left[after]
            sigma = math.sqrt((1 - a / b) * (1 - b) / (1 - a))
            c = math.sqrt(max(0.0, 1 - b - sigma**2))
            eps = x * math.sqrt(1 / (1 - a)) - clean / math.sqrt(1 / a - 1)
            x = clean * math.sqrt(b) + c * eps + sigma * noise[number]
            rows.append((math.sqrt(b), sigma, c))
        kept, sigmas, cs = zip(*rows, strict=True)
        told |= {
            f"time_pairs_{steps}": np.array(list(pairwise(edges))), f"x_out_{steps}": x,
            f"alpha_next_sqrt_{steps}": np.array(kept), f"sigma_{steps}": np.array(sigmas), f"c_{steps}": np.array(cs),
            f"step_noise_{steps}": noise, f"x_init_{steps}": start,
        }  # fmt: skip
    return told


def window_fusion(draw: np.random.Generator) -> Numbers:
    predicted = draw.integers(-100, 100, (6, 80, 265)).astype(np.int8)
    source = draw.normal(size=(1, 265)).astype(np.float32)
    told = {"pred_int8_div32": predicted, "source_vec": source}
    settings = {
        "offline10": (70, 3, [None], True, 0), "online70": (10, 6, [202], True, 60),
        "online75": (5, 6, [202], True, 60),
        "online70_fix0_nosmooth": (10, 6, [None], False, 60), "online70_fix2": (10, 6, [0, None], True, 60),
    }  # fmt: skip
    for name, (stride, count, resets, smooth, first) in settings.items():
        buffer, asked, lengths = np.zeros((0, 265)), [], []
        for number in range(count + 1):
            reset = resets[number % len(resets)]
            before = source[0] if not len(buffer) else buffer[len(buffer) - (80 - stride) - 1]
            kept = 265 if reset is None else reset
            asked.append(source[0] if not len(buffer) else np.append(before[:kept], source[0, kept:]))
            if number < count:
                buffer = fused(buffer, predicted[number] / 32, stride, smooth)
                lengths.append(len(buffer))
        told |= {f"{name}_res": buffer[first:], f"{name}_len": np.array(lengths)}
        told[f"{name}_kpcond_before_each_window_and_after"] = np.stack(asked)
    return told


def fused(buffer: np.ndarray, window: np.ndarray, stride: int, smooth: bool) -> np.ndarray:
    """The buffer and a window of which so many frames are new; those before them are mixed into the buffer's end."""
    old = len(buffer)
    mix = min(80 - stride, stride, 10) if old else 0
    out = np.concatenate([buffer, window[80 - stride :] if old else window])
    for place in range(mix):
        at = old - mix + place
        out[at] = buffer[at] * (1 - place / mix) + window[80 - stride - mix + place] * (place / mix)
    if not smooth:
        return out
    rough = out.copy()
    for at in range(old - mix, old + 1) if old else range(80):
        around = rough[max(0, at - 1) : at + 2, :202]
        out[at, :202] = around.sum(0) / len(around)
    return out


def online_schedule(draw: np.random.Generator) -> Numbers:
    del draw  # numbered frames need no chance
    told: Numbers = {}
    for overlap in (70, 75):
        stride = 80 - overlap
        for fed in (55, 60):
            windows, frames, done = [], [], 0
            for known in range(stride, fed + 1, stride):
                windows.append([known, 0, -1, known - 1])
                settled = known - min(overlap, stride)
                frames += [[_came(known, stride), number] for number in range(done, settled)]
                done = max(done, settled)
            windows.append([fed, 1, -1, fed - 1])
            end = (fed // stride + 1) * stride
            frames += [[-1, min(number, fed - 1)] for number in range(done, end)]
            told[f"overlap{overlap}_feed{fed}_windows"] = np.array(windows, np.float32)
            told[f"overlap{overlap}_feed{fed}_frames"] = np.array(frames, np.float32)
    return told


def _came(known: int, stride: int) -> int:
    """Features come five at a time."""
    return -(-known // 5) * 5 if stride else known


_FILES: dict[str, Callable[[np.random.Generator], Numbers]] = {
    "audio_framing": audio_framing, "condition_handler": condition_handler, "ddim": ddim,
    "keypoint_transform": keypoint_transform, "motion_stitch": motion_stitch, "motion_vector": motion_vector,
    "online_schedule": online_schedule, "window_fusion": window_fusion, **plain_pictures.FILES,
}  # fmt: skip
NAMES = tuple(_FILES)


def calculated(name: str, seed: int) -> Numbers:
    """One file; numbers as a file has them, in single precision."""
    made = _FILES[name](np.random.default_rng((seed, len(name))))
    single = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in made.items()}
    return single | {key: made[key] for key in ("betas", "M_c2o") if key in made and made[key].ndim in (1, 2)}
