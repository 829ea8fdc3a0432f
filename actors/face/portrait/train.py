"""Teach listen.py its layer: `python -m actors.face.portrait.train`, a minute's work for a developer.

The teacher is a voice that knows its phones: its sound goes in, the lips that motion.py makes of its phones are to
come out. So the weights owe nothing to recordings of people.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.hearing import STEP, WARM_UP, Sound, begin, hear
from actors.face.portrait.listen import WEIGHTS, features, random_layer
from actors.face.portrait.memory import CEPSTRA, NOW
from actors.face.portrait.motion import around, lips_at
from actors.face.portrait.visemes import TRACKS
from streaming.media import FRAME, RATE, frames_for
from streaming.stages import Phone

Array = NDArray[np.float64]
Speech = tuple[bytes, Sequence[Phone]]

SENTENCES = Path(__file__).resolve().parent / "sentences.txt"
TEACHER = "actors.tts.hibari:Hibari"
_PACES = (0.86, 1.0, 1.12)  # resampling by these moves pitch and formants, so one voice stands for a few
_RIDGE = 3.0
_GAINS = (0.5, 1.0, 2.0)


def teach(speech: Sequence[Speech]) -> dict[str, NDArray[np.float32]]:
    """Fit the layer: arrays ``mean``, ``spread`` and ``out`` as listen.Ears wants them."""
    takes = [_resampled(said, pace) for said in speech for pace in _PACES]
    mean = np.concatenate([_cepstra(pcm) for pcm, _ in takes]).mean(axis=0)
    rows, targets = [], []
    for number, (pcm, phones) in enumerate(takes):
        loud = np.clip(np.frombuffer(pcm, "<i2") * _GAINS[number % 3], -32768, 32767).astype("<i2").tobytes()
        for row, lips in _lessons(loud, phones, mean):
            rows.append(row)
            targets.append(lips)
    inputs = np.array(rows)
    spread = inputs.reshape(len(inputs), -1, CEPSTRA).std(axis=(0, 1)).round(4)
    inputs = (inputs.reshape(len(inputs), -1, CEPSTRA) / spread).reshape(len(inputs), -1)
    directions, phases = random_layer()
    hidden = np.cos(inputs @ directions + phases)
    design = np.hstack([hidden, inputs, np.ones((len(inputs), 1))])
    square = design.T @ design + _RIDGE * np.eye(design.shape[1])
    out = np.linalg.solve(square, design.T @ np.array(targets))
    return {"mean": mean.astype(np.float32), "spread": spread.astype(np.float32), "out": out.astype(np.float32)}


def _resampled(said: Speech, pace: float) -> Speech:
    samples = np.frombuffer(said[0], "<i2").astype(np.float64)
    at = np.arange(int(len(samples) / pace)) * pace
    pcm = np.round(np.interp(at, np.arange(len(samples)), samples)).astype("<i2").tobytes()
    return pcm, [Phone(p.symbol, round(p.start / pace), round(p.samples / pace), p.stress) for p in said[1]]


def _heard(pcm: bytes, mean: Array) -> Iterator[tuple[int, Array, Array]]:
    """(frame, cepstra ring, running mean) for every frame, exactly as in a reply."""
    sound, memory = Sound(pcm, 0), begin(0, 0, mean)
    for frame in range(-WARM_UP, frames_for(len(pcm) // 2)):
        hear(sound, frame, memory)
        if frame >= 0:
            yield frame, memory.cepstra, memory.cepstra_mean


def _cepstra(pcm: bytes) -> Array:
    return np.array([ring[NOW] for _, ring, _ in _heard(pcm, np.zeros(CEPSTRA))])


def _lessons(pcm: bytes, phones: Sequence[Phone], mean: Array) -> Iterator[tuple[Array, Array]]:
    """(features not yet scaled, lips) for every 10 ms."""
    for frame, ring, running in _heard(pcm, mean):
        for step in range(-1, 3):
            sample = frame * FRAME + FRAME // 2 + step * STEP
            near = around(phones, sample)
            lips = lips_at(near, sample) if near else np.zeros(len(TRACKS))
            yield features(ring, running, np.ones(CEPSTRA), NOW + step), lips


async def _spoken(voice: object, text: str) -> Speech:
    pcm, phones = b"", []
    async for piece in voice.speak(text, "default", "en", 1):  # type: ignore[attr-defined]
        pcm += piece.pcm24k
        phones += piece.phones
    return pcm, phones


async def _all_spoken(sentences: Sequence[str]) -> list[Speech]:
    module, name = TEACHER.split(":")
    voice = getattr(importlib.import_module(module), name)()
    return [await _spoken(voice, text) for text in sentences]


def main(say: Callable[[str], None] = print) -> None:
    """Speak the sentences, fit, write the weights."""
    speech = asyncio.run(_all_spoken(SENTENCES.read_text("utf-8").splitlines()))
    weights = teach(speech)
    np.savez(WEIGHTS, mean=weights["mean"], spread=weights["spread"], out=weights["out"])
    seconds = sum(len(pcm) for pcm, _ in speech) / 2 / RATE
    say(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes, taught by {seconds:.0f} s of speech")


if __name__ == "__main__":
    main()
