"""A room for one microphone: our own loudspeaker in it, and the people, coughs and "mhm" that speak over it.

Everything is seeded. Sound is float64 in PCM16 units. This file runs no conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from serve_app.errors import UserError
from serve_app.wav import read_question
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES
from streaming.stages import Voice

PLAYED = RATE // 50
START = RATE // 10
"""Samples of sound that the page waits for before it plays."""

ECHO_DB = -12.0
"""Our own voice at the microphone, against what was played."""

OVER_DB = 6.0
"""Whoever speaks over it, against that echo: while both are voiced."""

TAPS = 24
"""Samples on each side that one resampled sample is made of."""

PERSON_S = 2.5
HUMMED = ("Mhm.", "Yeah.", "Mm-hmm.", "Uh-huh.", "Okay.")


def picked(sound: np.ndarray, positions: np.ndarray, cut: float) -> np.ndarray:
    """``sound`` at fractional ``positions``, nothing over ``cut`` of its highest frequency; silence outside of it."""
    first = np.floor(positions).astype(np.intp)[:, None] + np.arange(1 - TAPS, TAPS + 1)
    away = positions[:, None] - first
    weights = cut * np.sinc(cut * away) * (0.5 + 0.5 * np.cos(np.pi * np.clip(away / TAPS, -1, 1)))
    inside = (first >= 0) & (first < len(sound))
    return (np.where(inside, sound[np.clip(first, 0, len(sound) - 1)], 0.0) * weights).sum(axis=1)


def level(sound: np.ndarray) -> float:
    """Root mean square of the voiced half: 20 ms pieces louder than the median."""
    pieces = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    power = (pieces**2).mean(axis=1)
    return float(np.sqrt(power[power >= np.median(power)].mean()))


@dataclass(slots=True)
class Loudspeaker:
    """A client's, which plays what it was sent as the page does, 20 ms after 20 ms."""

    sound: bytearray = field(default_factory=bytearray)
    """PCM16 at 24 kHz."""
    played: int = 0
    """Bytes."""
    held: bool = False

    def plays(self) -> bytes:
        """The next 20 ms out of it."""
        if self.held or (not self.played and len(self.sound) < START * SAMPLE_BYTES):
            return bytes(PLAYED * SAMPLE_BYTES)
        block = bytes(self.sound[self.played : self.played + PLAYED * SAMPLE_BYTES])
        self.played += len(block)
        return block.ljust(PLAYED * SAMPLE_BYTES, b"\0")


@dataclass(slots=True)
class Room:
    """What the loudspeaker played so far, and what the microphone hears of it."""

    delay: int
    """Samples at 16 kHz from the playhead to the microphone."""
    echo: float
    """Gain of our own voice; 0 for a person with headphones."""
    noise: np.random.Generator
    _played: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def hears(self, played24k: bytes, over: np.ndarray) -> bytes:
        """The microphone's next block: ``over`` at 16 kHz with our echo, while the loudspeaker plays a block."""
        self._played = np.concatenate([self._played, np.frombuffer(played24k, "<i2")])
        now = len(self._played) * MIC_RATE // RATE
        wanted = (np.arange(now - len(over), now) - self.delay) * (RATE / MIC_RATE)
        echo = picked(self._played, wanted, MIC_RATE / RATE) * self.echo
        sound = echo + over + self.noise.normal(0, 3, len(over))
        return np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()


async def spoken(voice: Voice, text: str, seed: int, pitch: float = 1.0) -> np.ndarray:
    """``text`` at 16 kHz by the built-in voice, higher and faster, or lower and slower, by ``pitch``."""
    return (await begun(voice, text, seed, pitch))[0]


async def begun(voice: Voice, text: str, seed: int, pitch: float = 1.0) -> tuple[np.ndarray, int]:
    """The same, and the sample at which the first phone begins, as the voice itself says."""
    pieces = [piece async for piece in voice.speak(text, "default", "en", seed)]
    first = next((phone.start for piece in pieces for phone in piece.phones if phone.symbol), 0)
    sound = np.frombuffer(b"".join(piece.pcm24k for piece in pieces), "<i2").astype(np.float64)
    step = pitch * RATE / MIC_RATE
    return picked(sound, np.arange(int(len(sound) / step)) * step, min(1.0, 1 / step)), round(first / step)


def cough(dice: np.random.Generator) -> np.ndarray:
    """One to three bursts of noise, sharp at the beginning, shaped by a throat: 0.2-0.9 s at 16 kHz."""
    bursts: list[np.ndarray] = []
    for _ in range(dice.integers(1, 4)):
        count = int(dice.uniform(0.12, 0.25) * MIC_RATE)
        time = np.arange(count) / MIC_RATE
        shape = np.minimum(time / 0.008, 1) * np.exp(-time / dice.uniform(0.04, 0.08))
        spectrum = np.fft.rfft(dice.normal(0, 1, count))
        pitch = np.fft.rfftfreq(count, 1 / MIC_RATE)
        throat = sum(
            np.exp(-(((pitch - centre) / width) ** 2)) * gain
            for centre, width, gain in ((dice.uniform(400, 700), 250, 1.0), (dice.uniform(1200, 1900), 500, 0.6))
        )
        bursts += [np.fft.irfft(spectrum * (throat + 0.05), count) * shape, np.zeros(int(0.06 * MIC_RATE))]
    return np.concatenate(bursts)


def people(folder: Path, count: int) -> list[np.ndarray]:
    """``count`` stretches of human speech, 2.5 s at 16 kHz each, out of the recordings in ``folder``; or none."""
    size, step = int(PERSON_S * MIC_RATE), MIC_RATE * 4 // 5
    stretches: list[np.ndarray] = []
    for path in sorted(folder.glob("*.wav")):
        sound = np.frombuffer(read_question(path, 60.0), "<i2").astype(np.float64)
        stretches += [sound[at : at + size] for at in range(0, len(sound) - size + 1, step)]
    if stretches and len(stretches) < count:
        raise UserError(f"{folder} holds speech for {len(stretches)} interruptions; {count} are needed")
    return stretches[:count]
