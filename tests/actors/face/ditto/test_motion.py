"""The motion stage where no published number says what is right: cuts, seeds, and strides that change."""

from __future__ import annotations

import numpy as np
import pytest

from actors.face.ditto.motion import audio, blink, condition, sampler, vector, windows
from actors.face.ditto.motion.audio import Sound
from streaming.media import FRAME, RATE


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


# ---- sound -------------------------------------------------------------------------------------------------


def test_a_chunk_is_the_same_to_the_last_bit_however_the_reply_was_cut() -> None:
    wave = np.random.default_rng(3).standard_normal(2 * RATE).astype(np.float32) / 8
    whole = Sound(0, wave)
    for frame in (10, 15, 20):
        start, end = frame * FRAME - 2_904, frame * FRAME + audio.CHUNK_REACH
        assert np.array_equal(audio.chunk(Sound(start, wave[start:end]), frame), audio.chunk(whole, frame))
        less = Sound(start, wave[start : end - 4])
        assert not np.array_equal(audio.chunk(less, frame), audio.chunk(whole, frame)), "all of it is heard"


def test_speech_keeps_its_level_and_what_16_khz_cannot_carry_is_gone() -> None:
    inner = slice(500, -500)
    speech, hiss = (Sound(0, tone(hertz, 1)).at_16k(0, 16_000)[inner] for hertz in (1000, 10_000))
    wanted = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000))[inner]
    assert np.abs(speech - wanted).max() < 2e-3
    assert np.abs(hiss).max() < 2e-3


def test_there_is_silence_before_and_after_a_reply() -> None:
    sound = Sound.of(b"\x00\x40" * 100, 960)
    assert sound.end == 1060
    assert sound.at_24k(958, 4).tolist() == [0, 0, 0.5, 0.5]
    assert sound.at_24k(2000, 2).tolist() == [0, 0]
    with pytest.raises(ValueError, match="even sample"):
        sound.at_16k(1, 10)


def test_an_encoder_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="gives 20 rows"):
        audio.features(np.zeros((19, 4), np.float32))


# ---- numbers drawn by seed ---------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_and_another_window_something_else() -> None:
    one = sampler.first_noise(7, 3, (2, 5))
    assert np.array_equal(one, sampler.first_noise(7, 3, (2, 5)))
    assert not np.array_equal(one, sampler.first_noise(7, 4, (2, 5)))
    assert not np.array_equal(one, sampler.first_noise(8, 3, (2, 5)))
    assert sampler.step_noise(7, 10, (2, 5)).shape == (9, 2, 5)
    assert sampler.step_noise(-1, 2, (1,)).shape == (1, 1)


def test_one_step_is_the_prediction_itself() -> None:
    out = sampler.sample(lambda x, time: x * 0 + time, np.ones(3, np.float32), np.zeros((0, 3)), sampler.schedule(1))
    assert out.tolist() == [999, 999, 999]
    with pytest.raises(ValueError, match="1 to 1000 steps"):
        sampler.schedule(0)


def test_a_stretch_of_blinks_is_the_same_wherever_it_begins() -> None:
    whole = blink.blinks_of(5, 0, 500)
    assert np.array_equal(blink.blinks_of(5, 130, 100), whole[130:230])
    begun = np.flatnonzero(np.diff(whole) == 1)[::14]
    assert 3 <= len(begun) <= 7
    assert set(np.diff(begun) - 15) <= set(range(60, 101))


def test_an_emotion_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no emotion 8; they are 0-7: angry"):
        condition.emotion(8)


# ---- strides that change -----------------------------------------------------------------------------------


def joined(strides: list[int]) -> tuple[windows.Track, list[np.ndarray]]:
    """A track of windows that all predict frame k as k, and its frames as they were finished."""
    track, out = windows.EMPTY, []
    for stride in strides:
        had = max(track.finished, 0)
        ramp = np.arange(track.end + stride - 80, track.end + stride, dtype=np.float32)
        track = windows.joined(track, np.repeat(ramp[:, None], 265, 1), stride)
        out += [track.at(frame) for frame in range(had, track.finished)]
    return track, out


@pytest.mark.parametrize("strides", [[5, 5, 10, 20, 40, 70, 70], [70, 5, 5, 70], [20, 10, 5, 40], [40] * 3])
def test_strides_may_change_from_window_to_window(strides: list[int]) -> None:
    track, out = joined(strides)
    assert track.end == sum(strides)
    assert track.finished == track.end - windows.kept_back(strides[-1]) == len(out)
    close_to = np.abs(np.stack(out) - np.arange(len(out))[:, None])
    assert close_to.max() < 0.05, "windows that agree join without a seam"


def test_the_first_picture_needs_ten_frames_of_sound_at_stride_5_and_twenty_at_once() -> None:
    assert [len(joined([5] * count)[1]) for count in (1, 2, 3)] == [0, 5, 10]
    assert [len(joined([20] * count)[1]) for count in (1, 2)] == [10, 30]


def test_a_stride_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="stride of 5 to 70"):
        windows.joined(windows.EMPTY, np.zeros((80, 265), np.float32), 80)
    track, _ = joined([5])
    with pytest.raises(IndexError, match="frame 0 is not kept: -75 to -1 are"):
        track.at(0)


# ---- vectors -----------------------------------------------------------------------------------------------


def test_degrees_do_not_go_into_the_diffusion() -> None:
    numbers = np.zeros((1, 265), np.float32)
    motion = vector.from_vector(numbers, np.zeros(63, np.float32))
    turned = vector.Motion(motion.scale, numbers[:, :1], motion.yaw, motion.roll, motion.t, motion.exp, motion.kp)
    with pytest.raises(ValueError, match="66 logits"):
        vector.to_vector(turned)
    with pytest.raises(ValueError, match="265 numbers, not 66"):
        vector.from_vector(motion.yaw, motion.kp)
    assert len(turned.frame(0)) == 1
