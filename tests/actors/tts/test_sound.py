"""A piece is cut to its sound, gets its pause, and keeps labels that fit it exactly."""

from __future__ import annotations

import numpy as np

from actors.tts.phones import Label, loudness
from actors.tts.sound import LEAD, trimmed


def piece() -> tuple[np.ndarray, list[Label]]:
    """300 ms of silence, 400 ms of noise labelled from 280 to 690 ms, 500 ms of silence."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(9600)
    sound = np.concatenate([np.zeros(7200), noise, np.zeros(12000)]).astype(np.float32)
    return sound, [Label("", 0, 6720, 0, -1), Label("ɑ", 6720, 16560, 1, 0), Label("", 16560, 28800, 0, -1)]


def test_it_begins_shortly_before_its_first_sound_and_ends_with_the_pause() -> None:
    sound, found = piece()
    pcm, moved = trimmed(sound, found, loudness(sound), 2400)
    start = 7200 - LEAD
    assert len(pcm) == 16560 + 2400 - start
    assert [(label.symbol, label.start, label.end) for label in moved] == [
        ("ɑ", 0, 16560 - start),
        ("", 16560 - start, len(pcm)),
    ]
    assert np.abs(pcm[:LEAD]).max() == 0 and np.abs(pcm[LEAD + 240 :]).max() > 1000


def test_a_pause_longer_than_the_voices_own_silence_is_filled_up() -> None:
    sound, found = piece()
    pcm, moved = trimmed(sound, found, loudness(sound), 48000)
    assert len(pcm) == moved[-1].end == 16560 + 48000 - (7200 - LEAD)
    assert np.abs(pcm[-40000:]).max() == 0


def test_a_cut_into_sound_is_faded() -> None:
    sound, found = piece()
    found[1].end = found[2].start = 12000
    pcm, moved = trimmed(sound, found, loudness(sound), 0)
    assert moved[-1].end == len(pcm)
    assert abs(int(pcm[-1])) < 40


def test_too_loud_samples_are_limited_not_wrapped() -> None:
    sound, found = piece()
    pcm, _ = trimmed(sound * 30, found, loudness(sound), 0)
    assert pcm.max() == 32767 and pcm.min() == -32768
