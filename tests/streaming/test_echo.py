"""What a microphone heard is compared with what a loudspeaker played."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.echo import Fit, carried, fit, repeated, without
from streaming.media import MIC_RATE, RATE
from tests.streaming.voices import Sound, pcm16, room, voice

US, SOMEBODY = 1, 2
QUARTER = 10 ** (-12 / 20)
PLAYED = pcm16(voice(US, RATE, 3.0))


def heard(delay_s: float, person: float = 0.0) -> Sound:
    """Three seconds at the microphone: our echo at -12 dB, and a person ``person`` times as loud as it is."""
    echo = voice(US, MIC_RATE, 3.0, late=delay_s, gain=QUARTER)
    return echo + voice(SOMEBODY, MIC_RATE, 3.0, gain=QUARTER * person) + room(3.0, MIC_RATE)


def piece(sound: Sound, start_s: float, stop_s: float) -> bytes:
    return pcm16(sound[round(start_s * MIC_RATE) : round(stop_s * MIC_RATE)])


def played(start_s: float, stop_s: float) -> bytes:
    return PLAYED[2 * round(start_s * RATE) : 2 * round(stop_s * RATE)]


@pytest.mark.parametrize("delay_ms", [0, 90, 152, 213, 300, 437])
def test_an_echo_is_explained_at_any_delay(delay_ms: int) -> None:
    found = fit(piece(heard(delay_ms / 1000), 1.4, 1.8), played(0.8, 1.8))
    assert found.left < 0.1
    assert abs(found.delay - delay_ms * 16) <= 5 * 16
    assert found.level == pytest.approx(-12, abs=3)


def left_of(sound: Sound) -> float:
    """The mean of many pieces: for an instant anybody may sound like us."""
    starts = np.arange(0.6, 2.6, 0.1)
    return float(np.mean([fit(piece(sound, at, at + 0.4), played(at - 0.6, at + 0.4)).left for at in starts]))


def test_somebody_else_is_not_explained() -> None:
    assert left_of(voice(SOMEBODY, MIC_RATE, 3.0, gain=QUARTER)) > 0.6


def test_somebody_who_speaks_over_our_echo_is_left_over() -> None:
    assert left_of(heard(0.2)) < 0.05
    assert left_of(heard(0.2, person=2.0)) > 0.45


def test_the_beginning_of_a_word_is_enough_to_know_ourselves() -> None:
    quiet = np.zeros(MIC_RATE)
    sound = np.concatenate([quiet, heard(0.0)])
    assert fit(piece(sound, 0.7, 1.1), bytes(2 * RATE // 2) + played(0.0, 0.1)).left < 0.3


def test_too_little_sound_explains_nothing() -> None:
    loud = piece(heard(0.0), 1.0, 1.4)
    assert fit(b"", PLAYED) == Fit(1.0)
    assert fit(loud, b"") == Fit(1.0)
    assert fit(bytes(len(loud)), PLAYED) == Fit(1.0)
    assert fit(loud, bytes(2 * RATE)).left == 1.0


def test_an_echo_is_taken_out_and_the_person_stays() -> None:
    def power(sound: Sound) -> float:
        return float((sound[2000:-2000] ** 2).mean())

    echo, person = voice(US, MIC_RATE, 1.0, gain=QUARTER), voice(SOMEBODY, MIC_RATE, 1.0, gain=QUARTER * 2)
    alone = np.frombuffer(without(pcm16(echo), played(0, 1), -12), "<i2")
    assert power(alone) < power(echo) / 30
    both = np.frombuffer(without(pcm16(echo + person), played(0, 1), -12), "<i2")
    assert len(both) == len(person)
    assert np.corrcoef(both, person)[0, 1] > np.corrcoef(echo + person, person)[0, 1]


def test_nothing_is_taken_out_where_nothing_was_played() -> None:
    sound = pcm16(voice(SOMEBODY, MIC_RATE, 1.0))
    cleaned = np.frombuffer(without(sound, bytes(2 * RATE), -12), "<i2").astype(int)
    assert np.abs(cleaned - np.frombuffer(sound, "<i2")).max() <= 1
    assert without(sound[:100], bytes(150), -12) == sound[:100]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("...", 0.0),
        ("I fall silent at once", 1.0),
        ("lent at once and hold", 1.0),
        ("at-once, SILENT!", 2 / 3),
        ("once at silent fall I", 0.2),
        ("no wait please", 0.0),
        ("I fall down", 2 / 3),
    ],
)
def test_words_that_we_said(text: str, share: float) -> None:
    assert repeated(text, ["I", "fall", "silent", "at", "once", "and", "hold", "my", "answer."]) == pytest.approx(share)


@pytest.mark.parametrize(("gain", "there"), [(0.0, False), (0.003, False), (0.05, True)])
def test_whether_our_voice_comes_to_a_microphone_shows_while_we_speak(gain: float, there: bool) -> None:
    heard = voice(1, MIC_RATE, 3.0, late=0.2, gain=gain)[-MIC_RATE // 2 :]
    played = voice(1, RATE, 3.0)[-RATE * 11 // 10 :]
    assert carried(pcm16(heard), pcm16(played)) == there


def test_whether_our_voice_comes_to_a_microphone_is_not_known_from_too_little() -> None:
    silence = np.zeros(MIC_RATE // 2)
    late = voice(1, RATE, 1.1)
    late[: RATE // 2] = 0  # with an echo of 0.6 s nothing would have come yet
    assert carried(pcm16(silence), pcm16(late[: RATE // 2]))
    assert carried(b"", pcm16(late))
