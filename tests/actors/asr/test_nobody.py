"""Sounds that are nobody's: whatever the voice detector and the decoder make of them, no words come out."""

from __future__ import annotations

import numpy as np
import pytest

from actors.asr.whisper import Whisper
from tests.actors.asr.spoken import Sound, silence

RATE = 16_000


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper()


def clipped(sound: np.ndarray) -> Sound:
    return np.clip(sound, -32768, 32767).astype("<i2")


def coughs(seed: int) -> Sound:
    """Three bursts of shaped noise in a quiet room."""
    rng = np.random.default_rng(seed)
    sound = silence(3).astype(float)
    for at in rng.uniform(0.2, 2.4, 3):
        length = int(rng.uniform(0.1, 0.35) * RATE)
        burst = rng.normal(0, 9000, length) * np.exp(-np.arange(length) / (length / 4))
        sound[int(at * RATE) :][:length] += burst[: len(sound) - int(at * RATE)]
    return clipped(sound)


def music(seed: int) -> Sound:
    """Chords of three tones with overtones, each half a second, that swell and die away."""
    rng = np.random.default_rng(seed)
    chords: list[np.ndarray] = []
    for _ in range(8):
        t = np.arange(RATE // 2) / RATE
        root = 220 * 2 ** (rng.integers(0, 12) / 12)
        tones = [np.sin(2 * np.pi * root * step * k * t) / k for step in (1, 1.26, 1.498) for k in (1, 2, 3)]
        chords.append(np.sum(tones, axis=0) * np.hanning(len(t)) * 1500)
    return clipped(np.concatenate(chords))


def rumble(seed: int) -> Sound:
    """Brown noise: traffic, wind, a fan."""
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 1, 3 * RATE))
    return clipped((walk - np.linspace(walk[0], walk[-1], len(walk))) * 40)


NOISES = {
    "silence": lambda seed: np.zeros(2 * RATE, "<i2"),
    "hiss": lambda seed: clipped(np.random.default_rng(seed).normal(0, 10 ** (1 + seed % 3), 2 * RATE)),
    "coughs": coughs,
    "music": music,
    "rumble": rumble,
}


@pytest.mark.parametrize("name", NOISES)
async def test_no_words_come_of_it(whisper: Whisper, name: str) -> None:
    said = [one.text for seed in range(6) async for one in whisper.transcribe(NOISES[name](seed).tobytes(), None, True)]
    assert said == [""] * 6


@pytest.mark.parametrize("name", ["silence", "hiss", "rumble"])
async def test_nor_where_the_voice_detector_takes_it_for_a_whisper(
    whisper: Whisper, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper._silero, "track", lambda sound: np.full(-(-len(sound) // 512), 0.3, np.float32))
    said = [one.text for seed in range(4) async for one in whisper.transcribe(NOISES[name](seed).tobytes(), None, True)]
    assert said == [""] * 4
