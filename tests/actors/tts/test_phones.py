"""Durations become labels: what belongs to which sound, and where pauses really are."""

from __future__ import annotations

import numpy as np

from actors.tts.phones import FRAME, LATE, Label, earlier, labels, loudness, settled


def shape(found: list[Label]) -> list[tuple[str, int, int, int]]:
    """(symbol, start, end, stress) with times in frames of 25 ms."""
    return [(label.symbol, label.start // FRAME, label.end // FRAME, label.stress) for label in found]


def test_a_stress_marks_time_goes_to_its_vowel() -> None:
    found = labels("hˈI", (0, 0, 0), (4, 2, 1, 3, 5))
    assert shape(found) == [("", 0, 4, 0), ("h", 4, 6, 0), ("I", 6, 10, 1), ("", 10, 15, 0)]


def test_a_stress_mark_before_a_consonant_still_stresses_the_vowel() -> None:
    found = labels("ˌtu", (0, 0, 0), (1, 1, 2, 3, 1))
    assert shape(found) == [("", 0, 1, 0), ("t", 1, 4, 0), ("u", 4, 7, 2), ("", 7, 8, 0)]


def test_a_short_space_is_shared_and_a_long_one_is_silence() -> None:
    short = labels("t i", (0, -1, 1), (1, 2, 2, 3, 1))
    assert shape(short) == [("", 0, 1, 0), ("t", 1, 4, 0), ("i", 4, 8, 0), ("", 8, 9, 0)]
    long = labels("t i", (0, -1, 1), (1, 2, 6, 3, 1))
    assert shape(long) == [("", 0, 1, 0), ("t", 1, 3, 0), ("", 3, 9, 0), ("i", 9, 12, 0), ("", 12, 13, 0)]


def test_punctuation_and_the_space_beside_it_are_one_silence() -> None:
    found = labels("t, “i.", (0, -1, -1, -1, 1, -1), (1, 2, 3, 1, 1, 3, 2, 1))
    assert shape(found) == [("", 0, 1, 0), ("t", 1, 3, 0), ("", 3, 8, 0), ("i", 8, 11, 0), ("", 11, 14, 0)]


def test_length_marks_lengthen_the_sound_before() -> None:
    assert shape(labels("iː", (0, 0), (1, 2, 1, 1)))[1] == ("i", 1, 4, 0)


def test_every_inner_boundary_moves_and_the_ends_stay() -> None:
    found = earlier(labels("ti", (0, 0), (4, 2, 3, 5)))
    assert [(label.start, label.end) for label in found] == [
        (0, 2400 - LATE),
        (2400 - LATE, 3600 - LATE),
        (3600 - LATE, 5400 - LATE),
        (5400 - LATE, 8400),
    ]


def test_labels_that_would_begin_before_the_sound_are_cut_or_dropped() -> None:
    found = earlier(labels("ti", (0, 0), (1, 1, 3, 5)))
    assert [(label.symbol, label.start, label.end) for label in found] == [
        ("i", 0, 3000 - LATE),
        ("", 3000 - LATE, 6000),
    ]


def sound(*parts: tuple[float, int]) -> np.ndarray:
    """Noise of the given strengths, each for so many milliseconds."""
    rng = np.random.default_rng(0)
    return np.concatenate([level * rng.standard_normal(24 * ms) for level, ms in parts]).astype(np.float32)


def pause_between(before: int, pause: int, after: int) -> list[Label]:
    """Two vowels around a pause, each so many milliseconds."""
    edges = [0, 24 * before, 24 * (before + pause), 24 * (before + pause + after)]
    return [Label(s, a, b, 0, w) for s, a, b, w in zip(("i", "", "u"), edges, edges[1:], (0, -1, 1), strict=False)]


def times(found: list[Label]) -> list[tuple[str, int, int]]:
    return [(label.symbol, label.start // 24, label.end // 24) for label in found]


def test_a_pause_begins_where_the_sound_before_it_dies() -> None:
    heard = loudness(sound((0.1, 200), (0.0, 300), (0.1, 200)))
    assert times(settled(pause_between(350, 150, 200), heard)) == [("i", 0, 200), ("", 200, 500), ("u", 500, 700)]


def test_a_sound_that_begins_before_its_label_is_given_its_beginning() -> None:
    heard = loudness(sound((0.1, 300), (0.0, 160), (0.1, 240)))
    assert times(settled(pause_between(300, 200, 200), heard)) == [("i", 0, 300), ("", 300, 460), ("u", 460, 700)]


def test_a_short_pause_that_nobody_hears_is_none() -> None:
    heard = loudness(sound((0.1, 700)))
    assert times(settled(pause_between(300, 80, 320), heard)) == [("i", 0, 340), ("u", 340, 700)]


def test_a_sound_before_a_pause_keeps_at_least_50_ms() -> None:
    heard = loudness(sound((0.0, 500), (0.1, 200)))
    assert times(settled(pause_between(300, 200, 200), heard)) == [("i", 0, 50), ("", 50, 500), ("u", 500, 700)]
