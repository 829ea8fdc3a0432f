"""The judge of turns: what its network is shown, figure by figure, and what it says of people who pause."""

from __future__ import annotations

import numpy as np
import pytest

from actors.asr.smart_turn import WINDOW, SmartTurn, features, filters
from actors.models import ModelMissing
from streaming.stages import StageError
from tests.actors.asr.spoken import Sound, human_clips, silence

RATE = 16_000

GOLDEN = {
    (0, 0): -0.13856,
    (5, 520): 0.17417,
    (12, 600): 0.66501,
    (20, 650): 0.27537,
    (30, 650): 0.30562,
    (40, 700): 1.52892,
    (60, 780): 0.38735,
    (79, 799): 0.52634,
}
"""(band, column) -> level, by the reference implementation in pipecat-ai 1.14.0 for ``sweep()``."""


def sweep() -> Sound:
    """3 s of a tone that rises from 200 Hz to 2,600 Hz over white noise."""
    t = np.arange(3 * RATE) / RATE
    tone = 8000 * np.sin(2 * np.pi * (200 * t + 400 * t * t)) * np.sin(np.pi * t / 3) ** 2
    noise = (np.arange(3 * RATE) * 7919 % 1009) - 504
    return (tone + noise).astype("<i2")


@pytest.fixture(scope="module")
def judge() -> SmartTurn:
    try:
        return SmartTurn()
    except ModelMissing as missing:
        pytest.skip(str(missing))


def test_the_network_is_shown_what_the_reference_shows_it() -> None:
    shown = features(sweep())
    assert (shown.shape, shown.dtype) == ((80, 800), np.float32)
    assert [float(shown[place]) for place in GOLDEN] == pytest.approx(list(GOLDEN.values()), abs=1e-4)
    assert (float(shown.mean()), float(shown.std())) == pytest.approx((0.102287, 0.360585), abs=1e-5)


def test_only_the_last_eight_seconds_count_and_silence_stands_before_less() -> None:
    room = silence(9, level=500)
    assert np.array_equal(features(room), features(room[-WINDOW:]))
    padded = np.concatenate([np.zeros(WINDOW - RATE, "<i2"), room[-RATE:]])
    assert np.array_equal(features(padded), features(room[-RATE:]))


def test_loudness_does_not_matter() -> None:
    assert features(sweep() // 4 * 2) == pytest.approx(features(sweep() // 4), abs=1e-4)


def test_silence_and_nothing_at_all_have_features() -> None:
    assert np.array_equal(features(np.zeros(0, "<i2")), np.full((80, 800), -1.5, np.float32))
    assert np.isfinite(features(np.zeros(99, "<i2"))).all()


def test_levels_lie_within_two_of_the_loudest() -> None:
    shown = features(silence(3, level=500))
    assert shown.max() - shown.min() <= 2 + 1e-6


def test_the_bands_rise_in_pitch_and_have_equal_areas() -> None:
    bands = filters()
    assert bands.shape == (80, 201) and (bands >= 0).all()
    assert (np.diff(bands.argmax(1)) >= 0).all()
    assert bands[60:].sum(1) * RATE / 400 == pytest.approx(np.ones(20), abs=0.05)  # the narrow ones are cut coarsely


@pytest.mark.system
def test_half_a_sample_is_refused(judge: SmartTurn) -> None:
    with pytest.raises(StageError, match="3 bytes"):
        judge.judge(b"abc")


@pytest.mark.system
def test_the_same_sound_gives_the_same_judgement(judge: SmartTurn) -> None:
    sound = sweep().tobytes()
    assert judge.judge(sound) == judge.judge(sound) == pytest.approx(judge.judge(bytes(2 * WINDOW) + sound))


@pytest.mark.system
def test_a_sentence_that_was_read_to_its_end_sounds_complete(judge: SmartTurn) -> None:
    clips = {text.split()[0].lower(): sound for text, sound in human_clips()}
    for first in ("printing,", "in"):  # "...represented in the Exhibition" and "in being comparatively modern."
        assert judge.judge(paused(clips[first])) > 0.5


@pytest.mark.system
@pytest.mark.parametrize("seconds", [4.0, 4.2, 4.4, 5.0])
def test_the_same_sentence_cut_in_mid_phrase_sounds_incomplete(judge: SmartTurn, seconds: float) -> None:
    """ "...with which we are at present concerned, differs from most if not": nobody stops there."""
    (sentence,) = [sound for text, sound in human_clips() if text.startswith("Printing")]
    assert judge.judge(paused(sentence[: round(seconds * RATE)])) < 0.2


def paused(sound: Sound) -> bytes:
    """The sound and the 200 ms of a quiet room after which a listener tells a pause."""
    return np.concatenate([sound, np.zeros(RATE // 5, "<i2")]).tobytes()
