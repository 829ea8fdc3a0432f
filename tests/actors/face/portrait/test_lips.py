"""What the mouth is told to do: visemes, coarticulation, closures."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from actors.face.portrait.engine import LOOK_AHEAD
from actors.face.portrait.motion import lips_from_phones
from actors.face.portrait.mouth import opening
from actors.face.portrait.visemes import FV, JAW, PRESS, ROUND, VISEMES, visemes_of
from streaming.media import FRAME, RATE
from streaming.stages import Phone
from tests.actors.face.speech import SAYING, phones

HIBARI_SIGNS = "AIOQWYbdfhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹɾʃʊʌʒʤʧθᵊᵻTɐɒaeɚʔ"


def lips(frame: int, known: tuple[Phone, ...], loudness: float = 0.7) -> np.ndarray:
    return lips_from_phones(known, frame, loudness)


def frame_of(symbol: str, known: tuple[Phone, ...]) -> int:
    phone = next(p for p in known if p.symbol == symbol)
    return (phone.start + phone.samples // 2) // FRAME


def test_every_sign_of_the_embedded_voice_is_in_the_table(caplog: pytest.LogCaptureFixture) -> None:
    visemes_of.cache_clear()
    assert all(visemes_of(sign) for sign in HIBARI_SIGNS)
    assert caplog.records == []


def test_a_diphthong_turns_past_its_middle() -> None:
    assert [(v.name, share) for v, share in visemes_of("I")] == [("A", 0.58), ("i", pytest.approx(0.42))]


def test_stress_length_and_tone_marks_change_nothing() -> None:
    assert visemes_of("ˈiː") == visemes_of("i") == visemes_of("ĩ")
    assert visemes_of("") == visemes_of(".") == visemes_of(" ") == ()


def test_an_unknown_sound_is_shown_as_something_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    visemes_of.cache_clear()
    with caplog.at_level(logging.WARNING):
        shown = [visemes_of("☂") for _ in range(3)]
    assert shown[0][0][0].name == "TDN"
    assert len(caplog.records) == 1


def test_m_b_and_p_shut_the_mouth_in_the_frame_of_their_middle() -> None:
    known = phones()
    for symbol in "mbp":
        shut = lips(frame_of(symbol, known), known)
        assert opening(shut, 1.0).gap == 0
        assert shut[PRESS] >= 0.9


def test_f_rests_on_the_teeth() -> None:
    known = phones()
    bite = lips(frame_of("f", known), known)
    assert bite[FV] >= 0.9
    assert bite[JAW] <= 0.06


def test_vowels_open_and_round_as_the_table_says() -> None:
    known = phones()
    assert lips(frame_of("ɑ", known), known)[JAW] > 0.35
    assert lips(frame_of("u", known), known)[ROUND] > 0.5
    assert opening(lips(frame_of("ɑ", known), known), 1.0).gap > 2 * opening(lips(frame_of("i", known), known), 1.0).gap


def test_the_mouth_is_shut_in_silence_and_outside_of_the_reply() -> None:
    known = phones()
    pause = next(p for p in known[1:] if not p.symbol)
    assert opening(lips((pause.start + pause.samples // 2) // FRAME, known), 1.0).gap < 0.02
    assert not lips(-20, known).any()
    assert not lips(200, known).any()


def test_rounding_alone_does_not_part_the_lips() -> None:
    target = VISEMES["W"].target.copy()
    target[JAW] = 0
    assert opening(target, 1.0).gap == 0


def test_nothing_past_the_look_ahead_moves_the_lips() -> None:
    known = phones()
    for frame in range(60):
        horizon = (frame + 1) * FRAME + LOOK_AHEAD
        seen = tuple(p for p in known if p.start < horizon)
        assert (lips(frame, seen) == lips(frame, known)).all()


def test_nothing_older_than_half_a_second_moves_the_lips() -> None:
    known = phones()
    for frame in range(60):
        seen = tuple(p for p in known if p.start + p.samples > frame * FRAME - RATE // 2)
        assert (lips(frame, seen) == lips(frame, known)).all()


def test_short_pauses_between_words_do_not_shut_the_mouth() -> None:
    with_space = phones((("ɑ", 120, 0), ("", 60, 0), ("ɑ", 120, 0)))
    assert lips(3, with_space)[JAW] > 0.3


def test_a_reply_of_silence_is_silence() -> None:
    silent = phones(tuple(("", length, 0) for _, length, _ in SAYING))
    assert not any(lips(frame, silent).any() for frame in range(40))
