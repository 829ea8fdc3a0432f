"""The benchmarks' own instruments: bars, and the room that the interruptions happen in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serve_app.bench.room import Room, cough, level, people, picked
from serve_app.bench.table import Bar
from streaming.media import MIC_RATE, RATE


def test_a_bar_is_at_most_or_at_least() -> None:
    assert Bar("cut", 0, 0, "of 20").holds
    assert not Bar("cut", 1, 0, "of 20").holds
    assert not Bar("let in", 17, 18, "of 20", least=True).holds
    assert str(Bar("let in", 18, 18, "of 20", least=True)) == "let in: 18 of 20, at least 18 of 20: holds"


def test_the_room_brings_back_what_was_played_later_and_weaker() -> None:
    room = Room(delay=3200, echo=0.25, noise=np.random.default_rng(1))
    tone = 8_000 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
    played = tone.astype("<i2").tobytes()
    heard = np.concatenate(
        [
            np.frombuffer(room.hears(played[at : at + 960], np.zeros(320)), "<i2").astype(float)
            for at in range(0, len(played), 960)
        ]
    )
    assert np.abs(heard[:3100]).max() < 30
    wanted = 2_000 * np.sin(2 * np.pi * 500 * np.arange(MIC_RATE - 3200) / MIC_RATE)
    assert heard[3300:-100] == pytest.approx(wanted[100:-100], abs=60)


def test_resampling_keeps_a_tone() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(2400) / RATE)
    lower = picked(tone, np.arange(1600) * 1.5, 2 / 3)
    assert lower[100:-100] == pytest.approx(np.sin(2 * np.pi * 440 * np.arange(1600) / MIC_RATE)[100:-100], abs=0.01)


def test_coughs_are_short_and_loud_at_once() -> None:
    sounds = [cough(np.random.default_rng(seed)) for seed in range(10)]
    assert all(0.15 < len(sound) / MIC_RATE < 1.0 for sound in sounds)
    assert all(np.abs(sound[:1600]).max() > level(sound) for sound in sounds)


def test_without_recordings_there_are_no_people(tmp_path: Path) -> None:
    assert people(tmp_path, 20) == []
