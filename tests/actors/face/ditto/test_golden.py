"""The motion stage against numbers that the published code gave on made-up inputs.

Where there are no such numbers, a plain calculation of the same (plain.py) stands in for them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from actors.face.ditto.motion import audio, blink, condition, sampler, vector, windows
from actors.face.ditto.motion.drive import Controls, drive, faded
from actors.face.ditto.motion.vector import KEYS, Motion
from tests.actors.face.ditto.golden import Arrays, close, files, golden, unread

OTHERS = ("crop", "eye_attributes", "mask_putback", "mediapipe_post", "state_dict_layout")
"""Files that other tests compare, beside those of small networks."""


# ---- keypoints ---------------------------------------------------------------------------------------------


def motion(arrays: Arrays, prefix: str = "", kp: np.ndarray | None = None) -> Motion:
    parts = {key: arrays[prefix + key] for key in KEYS}
    return Motion(**parts, kp=arrays[prefix + "kp"] if kp is None else kp)


def test_keypoints_are_where_scale_turn_expression_and_place_put_them() -> None:
    given = golden("keypoint_transform")
    angles = [vector.degrees(given[key]) for key in vector.ANGLES]
    for key, angle in zip(vector.ANGLES, angles, strict=True):
        close(angle, given[f"{key}_deg"], 2e-5)  # of some 100 degrees in float32
    close(vector.rotation(*angles), given["R"])
    close(vector.keypoints(motion(given)), given["x"])


def test_a_motion_is_265_numbers_and_back() -> None:
    given = golden("motion_vector")
    numbers = vector.to_vector(motion(given, "in_"))
    close(numbers[0], given["vec265"])
    back = vector.from_vector(numbers, given["in_kp"])
    for key in KEYS:
        close(getattr(back, key), given[f"back_{key}"])


# ---- the avatar driven -------------------------------------------------------------------------------------

FRAMES = np.arange(8, dtype=np.float32)
FADE = np.array([0, 0.25, 0.5, 0.75, 1, 1, 0.5, 0], np.float32)
CASES: dict[str, Controls] = {
    "absolute": Controls(relative=False),
    "image_given_d0": Controls(),
    "image_overall_pitch2": Controls(turn={"pitch": np.full(1, 2, np.float32)}),
    "image_no_eye": Controls(eyes=False),
    "image_fade_s_all": Controls(fade=FADE),
    "image_vad": Controls(voiced=np.array([1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0], np.float32)),
    "image_pose_offsets": Controls(turn={"pitch": 2 * FRAMES, "yaw": -1.5 * FRAMES, "roll": 0.5 * FRAMES}),
    "image_pose_alpha": Controls(
        strength={
            "pitch": np.full(1, 0.5, np.float32),
            "yaw": np.full(1, 0.25, np.float32),
            "roll": np.full(1, 0, np.float32),
        }
    ),
    "image_keys_gain": Controls(gain={"exp": 1.2, "pitch": 0.5, "yaw": 0.5, "roll": 0, "t": 1}),
    "video_default": Controls(parts=("exp",), eyes=False),
}


@pytest.mark.parametrize("case", CASES)
def test_an_avatar_moves_as_it_is_told(case: str) -> None:
    source, driving, first, given = people()
    close(vector.keypoints(drive(source, driving, first, CASES[case])), given[f"xd_kp_{case}"])
    close(vector.keypoints(source)[0], given[f"xs_kp_{case}"])


@pytest.mark.parametrize("case", ["image_default", "image_fixed_blink", "image_fade_d0", "image_ch_scale"])
def test_what_an_avatar_is_told_does_not_move_its_own_points(case: str) -> None:
    source, _, _, given = people()
    close(vector.keypoints(source)[0], given[f"xs_kp_{case}"])


def test_the_first_frame_may_be_the_one_that_motion_is_relative_to() -> None:
    source, driving, _, given = people()
    moved = drive(source, driving, driving.frame(0), Controls())
    close(vector.keypoints(moved), given["xd_kp_image_default"])


def test_a_blink_takes_the_place_of_the_eyes() -> None:
    source, driving, first, given = people()
    table = given["delta_eye"][blink.blinks(60, [2])[:8]]
    close(vector.keypoints(drive(source, driving, first, Controls(blink=table))), given["xd_kp_image_fixed_blink"])


def test_a_fade_may_end_in_the_first_picture() -> None:
    source, driving, first, given = people()
    plain = drive(source, driving, first, Controls(gaze=False)).frame(0)
    wish = Controls(fade=FADE, fade_to=plain, fade_parts=("exp",))
    close(vector.keypoints(drive(source, driving, first, wish)), given["xd_kp_image_fade_d0"])


def test_motion_of_a_larger_character_is_larger() -> None:
    source, driving, first, given = people()
    larger = 1.3 / float(source.scale[0, 0])
    wish = Controls(gain=dict.fromkeys(("exp", "pitch", "yaw", "roll"), larger))
    close(vector.keypoints(drive(source, driving, first, wish)), given["xd_kp_image_ch_scale"])


def test_blinks_and_fades_come_when_they_should() -> None:
    given = golden("motion_stitch")
    assert blink.blinks(100, [20]).tolist() == given["blink_N100_open20"].tolist()
    assert blink.blinks(200, [30, 50]).tolist() == given["blink_N200_list"].tolist()
    assert blink.blinks(50, []).tolist() == given["blink_N50_none"].tolist()
    close(blink.fades(40, 5, 8), given["fade_alpha_N40_in5_out8"])


def people() -> tuple[Motion, Motion, Motion, Arrays]:
    """The avatar, eight driving frames, the frame they are relative to, and all arrays."""
    given = golden("motion_stitch")
    source = motion(given, "xs_")
    return source, motion(given, "xd_", source.kp), motion(given, "d0_", source.kp), given


def test_degrees_and_logits_fade_into_each_other() -> None:
    source, driving, first, _ = people()
    turned = drive(source, driving, first, Controls(turn={"yaw": np.full(1, 0, np.float32)}, gaze=False))
    plain = drive(source, driving, first, Controls(gaze=False))
    half = np.full(8, 0.5, np.float32)
    assert faded(turned, source, half).yaw.shape == (8, 1)
    close(vector.keypoints(faded(turned, source, np.ones(8, np.float32))), vector.keypoints(plain))


# ---- sound and condition -----------------------------------------------------------------------------------


def stub(wave: np.ndarray) -> np.ndarray:
    """Row t at 50 Hz is the mean of 400 samples from 320 t on."""
    rows = [wave[at : at + 400].mean() for at in range(0, len(wave) - 399, 320)]
    return np.array(rows, np.float32)[:, None]


def test_every_frame_hears_its_own_stretch_of_sound() -> None:
    given = golden("audio_framing")
    wave = given["audio"]
    ranges = given["online_chunk_sample_range"].tolist()
    silence = np.zeros(max(-ranges[0][0], ranges[-1][1]), np.float32)
    around = np.concatenate([silence, wave, silence])
    chunks = [audio.features(stub(around[len(silence) + first : len(silence) + end])) for first, end in ranges]
    close(np.concatenate(chunks)[:, 0], given["stub_online_channel0"])
    online = audio.whole(wave, stub)[:, 0]
    close(online, given["stub_online_channel0"][: len(online)])
    close(audio.whole(wave, stub, before=2000)[:, 0], given["stub_offline_channel0"])
    assert len(stub(np.zeros(audio.CHUNK, np.float32))) == int(given["stub_frames_for_6480"])
    heard = [[5 * 640 * k - audio.CHUNK_BEFORE, 5 * 640 * k - audio.CHUNK_BEFORE + audio.CHUNK] for k in range(8)]
    assert heard == ranges


def emotions(*chosen: tuple[int, ...]) -> np.ndarray:
    return np.stack([condition.emotion(*labels) for labels in chosen])


CONDITIONS: dict[str, tuple[Callable[[Arrays], np.ndarray], str, int]] = {
    "out_img_emo4_idx0": (lambda _: emotions((4,)), "one", 0),
    "out_img_emo3_idxm10": (lambda _: emotions((3,)), "one", -10),
    "out_img_emo_3_4_idx5": (lambda _: emotions((3, 4)), "one", 5),
    "out_img_emolist_idxm3": (lambda _: emotions((4,), (3, 4), (0,)), "one", -3),
    "out_vid_emoarr_idxm5": (lambda given: given["emo_array"], "seven", -5),
    "out_vid_emoarr_idx9": (lambda given: given["emo_array"], "seven", 9),
    "out_vid_f0_idx9": (lambda _: emotions((4,)), "first of seven", 9),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_a_condition_row_holds_sound_emotion_eyes_and_keypoints(case: str) -> None:
    given = golden("condition_handler")
    emotion_of, eyes_of, first = CONDITIONS[case]
    eyes = [given[f"{part}_{eyes_of.rpartition(' ')[2]}"] for part in ("eye_open", "eye_ball")]
    if eyes_of.startswith("first"):
        eyes = [rows[:1] for rows in eyes]
    rows = condition.rows(given["aud"], first, emotion_of(given), eyes[0], eyes[1], given["sc"])
    close(rows, given[case])


def test_emotions_are_shares_and_films_are_played_to_and_fro() -> None:
    given = golden("condition_handler")
    close(condition.emotion(4), given["emo_softmax_one4"])
    close(condition.emotion(3, 4), given["emo_softmax_3_4"])
    assert condition.mirror(np.arange(30), 7).tolist() == given["mirror_index_size7_0to29"].tolist()


# ---- sampler and windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [10, 25, 50])
def test_the_sampler_takes_the_published_steps(steps: int) -> None:
    given = golden("ddim")
    plan = sampler.schedule(steps)
    close(sampler.betas(), given["betas"])
    close(sampler.signal_left(), given["alphas_cumprod"])
    assert list(plan.times) == given[f"time_pairs_{steps}"][:, 0].tolist()
    close(plan.keep, given[f"alpha_next_sqrt_{steps}"])
    close(plan.sigma, given[f"sigma_{steps}"])
    close(plan.eps, given[f"c_{steps}"], 1e-4)  # the square root of a difference that is nearly 0

    def toy(x: np.ndarray, time: int) -> np.ndarray:
        told = 0.3 * given["toy_kp_cond"][:, None] + 0.2 * given["toy_aud_cond"]
        return np.tanh(x @ given["toy_W"] + told + np.float32(time / 1000))

    out = sampler.sample(toy, given[f"x_init_{steps}"], given[f"step_noise_{steps}"], plan)
    close(out, given[f"x_out_{steps}"])


HEAD = windows.HEAD_DIMS
SETTINGS: dict[str, tuple[int, list[int | None], bool, int]] = {
    "offline10": (70, [None], True, 0),
    "online70": (10, [HEAD], True, 60),
    "online75": (5, [HEAD], True, 60),
    "online70_fix0_nosmooth": (10, [None], False, 60),
    "online70_fix2": (10, [0, None], True, 60),
}
"""Stride; which numbers of the condition are kept, in turn; whether heads are smoothed; first frame of the result."""


@pytest.mark.parametrize("setting", SETTINGS)
def test_windows_become_one_track(setting: str) -> None:
    given = golden("window_fusion")
    stride, keep, smooth, first = SETTINGS[setting]
    lengths = given[f"{setting}_len"].tolist()
    source, predicted = given["source_vec"][0], given["pred_int8_div32"][: len(lengths)].astype(np.float32) / 32
    track, asked, whole = windows.EMPTY, [], np.zeros((0, source.size), np.float32)
    for number, (window, length) in enumerate(zip(predicted, lengths, strict=True)):
        asked.append(windows.condition(track, stride, source, keep=keep[number % len(keep)]))
        track = windows.joined(track, window, stride, smooth=smooth)
        assert track.end - stride + windows.WINDOW == length
        whole = np.concatenate([whole[: length - windows.WINDOW], track.frames])
    asked.append(windows.condition(track, stride, source, keep=keep[len(lengths) % len(keep)]))
    close(np.stack(asked), given[f"{setting}_kpcond_before_each_window_and_after"])
    close(whole[first:], given[f"{setting}_res"])


@pytest.mark.parametrize(("stride", "fed"), [(10, 55), (10, 60), (5, 55), (5, 60)])
def test_frames_come_out_when_the_published_schedule_says_and_no_surplus_at_the_end(stride: int, fed: int) -> None:
    """Frames are their own numbers; sound comes five features at a time."""
    name = f"overlap{80 - stride}_feed{fed}"
    given = golden("online_schedule")
    told, told_windows = given[f"{name}_frames"], given[f"{name}_windows"].astype(int).tolist()
    out: list[list[int]] = []
    asked: list[list[int]] = []
    track, features = windows.EMPTY, np.full(80, -1.0, np.float32)
    for known in [*range(5, fed + 1, 5), None]:
        coming = list(range(known - 5, known)) if known else [fed - 1] * (track.open + 2 * stride)
        features = np.concatenate([features, np.array(coming, np.float32)])
        while len(features) - 80 >= track.end + stride and (known or track.finished < fed):
            had = max(track.finished, 0)
            newest = features[track.end + stride : track.end + stride + 80]
            asked.append([known or fed, known is None, int(newest[0]), int(newest[-1])])
            track = windows.joined(track, newest[:, None], stride, smooth=False)
            out += [[known or -1, round(float(track.at(frame)[0]))] for frame in range(had, track.finished)]
    assert out[:fed] == told[:fed].astype(int).tolist()
    assert asked[: len(told_windows)] == told_windows
    assert set(told[fed:, 1]) <= {fed - 1}  # the surplus is the last feature again


def test_every_array_is_compared(request: pytest.FixtureRequest) -> None:
    mine = {name for name in files() if not name.startswith("tiny_")} - set(OTHERS)
    assert len(mine) == 8 and unread(mine, request) == []
