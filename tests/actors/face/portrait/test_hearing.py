"""What the portrait hears, and the lips that it guesses where a voice gives no phones."""

from __future__ import annotations

import numpy as np
import pytest

from actors.face.portrait.hearing import WARM_UP, Sound, begin, hear, loudness_now, usual_pitch
from actors.face.portrait.listen import WEIGHTS, Ears
from actors.face.portrait.memory import CEPSTRA, Memory, StateUnreadable, pack, unpack
from actors.face.portrait.visemes import JAW
from streaming.media import FRAME, RATE
from tests.actors.face.speech import buzz, sound


def heard(pcm: bytes, until: int) -> Memory:
    memory = begin(1, 0, np.zeros(CEPSTRA))
    for frame in range(-WARM_UP, until + 1):
        hear(Sound(pcm, 0), frame, memory)
    return memory


def tone(hertz: float, level: float = 0.2) -> bytes:
    return (level * buzz(hertz, RATE) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("hertz", [90.0, 150.0, 220.0, 310.0])
def test_the_pitch_of_a_voice_is_found(hertz: float) -> None:
    usual = usual_pitch(heard(tone(hertz), 12))
    assert usual is not None
    assert 2**usual == pytest.approx(hertz, rel=0.04)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = (np.random.default_rng(1).normal(0, 3000, RATE)).astype("<i2").tobytes()
    assert usual_pitch(heard(bytes(2 * RATE), 12)) is None
    assert (heard(noise, 12).pitch > 0).mean() < 0.1


def test_loudness_is_relative_to_the_voice() -> None:
    quiet, loud = (loudness_now(heard(tone(150, level), 20)) for level in (0.02, 0.4))
    assert loud == pytest.approx(1, abs=0.35)
    assert loud / quiet < 8  # 26 dB apart, yet each near its own usual level
    assert loudness_now(heard(bytes(2 * RATE), 12)) < 0.01


def test_a_memory_travels_as_bytes() -> None:
    memory = heard(sound(), 20)
    memory.blink_at, memory.gaze_x = 17, -1.25
    again = unpack(pack(memory))
    assert pack(again) == pack(memory)
    assert (again.blink_at, again.gaze_x, again.seed) == (17, -1.25, 1)
    assert (again.pitch == memory.pitch).all()
    assert len(pack(memory)) < 20_000


@pytest.mark.parametrize("data", [b"", b"PF01", b"x" * 8940])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StateUnreadable, match="start the reply anew"):
        unpack(data)


def test_without_phones_the_mouth_follows_the_sound() -> None:
    ears = Ears()
    speech = tone(200) + bytes(RATE)
    memory = begin(1, 0, ears.mean)
    jaw = []
    for frame in range(-WARM_UP, 37):
        hear(Sound(speech, 0), frame, memory)
        jaw.append(float(ears.lips(memory)[JAW]))
    spoken, silent = jaw[WARM_UP + 5 : WARM_UP + 20], jaw[WARM_UP + 27 :]
    assert np.mean(spoken) > 0.05
    assert max(silent) == 0
    assert len(speech) // 2 > 36 * FRAME


def test_the_trained_layer_is_small() -> None:
    assert WEIGHTS.stat().st_size < 50_000
