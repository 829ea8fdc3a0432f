"""What `avatar inspect` is made of: labels, curves, measures and bars, each by itself and without a film."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serve_app.inspecting import bars
from serve_app.inspecting.curves import Agreement, agreement, loudness, quiet_stretches, resampled
from serve_app.inspecting.labels import STEP, Labels, openness, sounded
from serve_app.inspecting.measures import Closures, Lips, Silence, closures, heard_silences, silence
from streaming.media import FRAME, RATE
from streaming.stages import Phone
from tests.serve_app.faces import MS

# ---- labels ------------------------------------------------------------------------------------------------


def settled(symbol: str) -> float:
    """The expected opening in the middle of one long sound."""
    return float(openness([Phone(symbol, 0, RATE)], RATE)[100])


def test_a_mouth_opens_as_the_phonetic_chart_has_it() -> None:
    assert settled("m") == settled("") == 0
    assert settled("f") < settled("i") < settled("ɛ") < settled("æ") < settled("ɑ") == pytest.approx(1)
    assert settled("ˈɑː") == settled("ɑ")
    assert settled("ã") == settled("a")
    assert settled("ꙮ") == settled("") or 0 < settled("ꙮ") < 0.5


@pytest.mark.parametrize("symbol", ["aɪ", "I"])
def test_a_diphthong_goes_from_one_vowel_to_the_other(symbol: str) -> None:
    curve = openness([Phone(symbol, 0, RATE)], RATE)
    assert curve[50] == pytest.approx(settled("a"))
    assert curve[150] == pytest.approx(settled("ɪ"))


def test_lips_take_their_time() -> None:
    curve = openness([Phone("ɑ", RATE // 2, RATE // 2)], RATE)
    assert len(curve) == RATE // STEP
    assert curve[99] == pytest.approx(0.5, abs=0.05)
    assert curve[80] < 0.02
    assert curve[120] > 0.98


def test_silence_is_where_no_sound_is_labelled() -> None:
    labels = Labels((Phone("", 0, 100), Phone("ɑ", 100, 100), Phone(",", 200, 50), Phone("b", 300, 100)))
    assert labels.silences(1000) == [(0, 100), (200, 300), (400, 1000)]
    assert labels.silences(400) == [(0, 100), (200, 300)]
    assert [sounded(phone) for phone in labels.phones] == [False, True, False, True]


def test_lips_meet_in_the_middle_of_every_p_b_and_m() -> None:
    labels = Labels(tuple(Phone(symbol, 100 * k, 100) for k, symbol in enumerate(("p", "ɑ", "bʲ", "v", "m", ""))))
    assert labels.closures() == [50, 250, 450]


# ---- curves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [-20, -3, 0, 3, 20])
def test_a_lag_is_positive_where_the_lips_are_late(steps: int) -> None:
    wave_ = np.convolve(np.random.default_rng(3).standard_normal(1000), np.hanning(30), "same")
    found = agreement(np.roll(wave_, steps), wave_)
    assert found.lag_ms == pytest.approx(steps * 5, abs=0.5)
    assert found.peak == pytest.approx(1, abs=0.01)
    assert found.r <= found.peak


def test_what_never_changes_agrees_with_nothing() -> None:
    moving = np.sin(np.arange(1000) / 20)
    nothing = Agreement(0, 0, 0)
    assert agreement(np.zeros(1000), moving) == agreement(moving, np.ones(1000)) == nothing
    assert agreement(moving[:160], moving[:160]) == nothing


def test_quiet_stretches_are_told_in_samples() -> None:
    level = np.array([0.0, 0.0, 0.5, 1.0, 0.001, 0.5, 0.0])
    assert quiet_stretches(level) == [(0, 2 * STEP), (4 * STEP, 5 * STEP), (6 * STEP, 7 * STEP)]
    assert quiet_stretches(np.ones(5)) == quiet_stretches(np.array([])) == []


def test_loud_speech_has_the_loudness_one_and_no_sound_has_none() -> None:
    tone = np.round(9000 * np.sin(np.arange(RATE) / 5)).astype(np.int16)
    assert loudness(tone)[100] == pytest.approx(1, abs=0.02)
    assert loudness(np.zeros(RATE, np.int16)).max() == 0
    assert len(loudness(np.zeros(0, np.int16))) == 0


def test_only_what_is_quiet_for_longer_than_a_stop_counts_as_silence_by_ear() -> None:
    sound = np.full(3 * RATE, 8000, np.int16)
    sound[RATE : RATE + 150 * MS] = 0
    sound[2 * RATE : 2 * RATE + 500 * MS] = 0
    ((first, last),) = heard_silences(sound)
    assert first == pytest.approx(2 * RATE, abs=30 * MS)
    assert last == pytest.approx(2 * RATE + 500 * MS, abs=30 * MS)


def test_pictures_are_joined_by_straight_lines() -> None:
    assert list(resampled(np.array([0.0, 2.0 * STEP]), np.array([0.0, 1.0]), 3 * STEP)) == [0, 0.5, 1]


# ---- measures and bars ---------------------------------------------------------------------------------------


def lips(*opening: float) -> Lips:
    return Lips(np.arange(len(opening)) * FRAME, np.array(opening))


def test_a_closure_one_picture_beside_the_sound_still_counts_and_two_do_not() -> None:
    at = Labels((Phone("b", 5 * FRAME, FRAME),))
    near, far = [1.0] * 10, [1.0] * 10
    near[6], far[7] = 0.0, 0.0
    assert closures(lips(*near), at).shut == 1
    missed_one = closures(lips(*far), at)
    assert (missed_one.counted, missed_one.shut, missed_one.missed_s) == (1, 0, (0.22,))


def test_a_closure_counts_only_where_the_mouth_opens_nearby() -> None:
    at = Labels((Phone("b", 5 * FRAME, FRAME), Phone("m", 30 * FRAME, FRAME), Phone("p", 99 * FRAME, FRAME)))
    found = closures(lips(*[1.0] * 3, *[0.0] * 40), at)
    assert (found.labelled, found.counted, found.shut) == (3, 1, 1)


def test_the_ends_of_a_silence_are_left_to_the_lips() -> None:
    mouth = lips(*[1.0] * 3, *[0.0] * 14, *[1.0] * 3)
    assert silence(mouth, [(0, 20 * FRAME)]) == Silence(14, 0, ())
    assert silence(mouth, [(0, 4 * FRAME)]).frames == 0
    assert silence(lips(*[1.0] * 20), [(0, 20 * FRAME)]).open == 14


def holds(rows: list[bars.Verdict]) -> list[bool | None]:
    return [row.holds for row in rows]


def test_p_b_and_m_are_judged_by_those_that_count() -> None:
    found = Closures(50, 40, 38, (1.0, 2.0), 0.3)
    assert holds(bars.of_closures(found)) == [True]
    assert holds(bars.of_closures(replace(found, shut=37))) == [False]
    assert "see 1.00, 2.00 s" in bars.of_closures(found)[0].note
    assert holds(bars.of_closures(None)) == holds(bars.of_closures(Closures(0, 0, 0, (), 0))) == [None]
    assert holds(bars.of_closures(Closures(5, 0, 0, (), 0))) == [False]  # a mouth that never opens


def test_silence_is_judged_where_there_is_one() -> None:
    assert holds(bars.of_silence(Silence(100, 2, (1.0, 2.0)))) == [True]
    assert holds(bars.of_silence(Silence(100, 3, (1.0, 2.0, 3.0)))) == [False]
    assert holds(bars.of_silence(Silence(0, 0, ()))) == holds(bars.of_silence(None)) == [None]
    assert bars.of_silence(Silence(100, 8, tuple(map(float, range(8)))))[0].note.endswith("5.00, ... s")


def test_agreement_is_judged_by_its_height_and_its_lag() -> None:
    assert holds(bars.of_phonemes(Agreement(0.75, 0.8, -40), ())) == [True, True]
    assert holds(bars.of_phonemes(Agreement(0.74, 0.8, 41), ())) == [False, False]
    assert holds(bars.of_phonemes(Agreement(0, 0, 0), ())) == [False, False]
    assert holds(bars.of_loudness(Agreement(0.4, 0.4, 40))) == [True, True]
    assert holds(bars.of_loudness(None)) == [None]
    assert bars.of_phonemes(None, ()) == []


def test_the_worst_window_is_told_and_not_judged() -> None:
    windows = (Agreement(0.9, 0.9, 10), Agreement(0.7, 0.8, -90), Agreement(0, 0, 0))
    row = bars.of_phonemes(Agreement(0.8, 0.8, 0), windows)[-1]
    assert (row.value, row.holds) == (-90, None)
    assert "worst of 2 windows" in row.note and "lowest r 0.70" in row.note


def test_labels_are_judged_where_they_can_be_compared() -> None:
    assert holds(bars.of_labels(-20, "")) == holds(bars.of_labels(20, "")) == [True]
    assert holds(bars.of_labels(-21, "")) == [False]
    assert holds(bars.of_labels(None, "the clip has no sound")) == [None]
