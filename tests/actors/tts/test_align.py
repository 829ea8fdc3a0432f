"""The check of labels against sound, on sounds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from actors.tts.align import label_shift
from streaming.stages import Phone


def syllables(count: int, late: int = 0) -> tuple[bytes, list[Phone]]:
    """Hums of 90 to 200 ms between hisses of 80 to 150 ms, and labels that are ``late`` samples behind them."""
    rng = np.random.default_rng(3)
    parts: list[np.ndarray] = []
    phones: list[Phone] = []
    at = 0
    for _ in range(count):
        for symbol, low, high in (("s", 80, 150), ("ɑ", 90, 200)):
            length = int(rng.integers(low, high)) * 24
            hum = 0.3 * np.sin(2 * np.pi * 700 * np.arange(length) / 24000)
            parts.append(hum if symbol == "ɑ" else 0.003 * rng.standard_normal(length))
            phones.append(Phone(symbol, at + late, length))
            at += length
    return (np.concatenate(parts) * 32767).astype("<i2").tobytes(), phones


@pytest.mark.parametrize("late_ms", [-60, -20, 0, 7, 55, 100])
def test_a_known_shift_is_found(late_ms: int) -> None:
    assert label_shift(*syllables(60, late_ms * 24)) == pytest.approx(-late_ms, abs=3)


def test_less_than_a_second_or_no_vowel_is_refused() -> None:
    pcm, phones = syllables(60)
    with pytest.raises(ValueError, match="at least 1 s of speech"):
        label_shift(pcm[:20000], phones)
    with pytest.raises(ValueError, match="no vowel to go by"):
        label_shift(pcm, [phone for phone in phones if phone.symbol == "s"])
